/** What everything that is made for a workspace carries, so that it is found again by whoever looks. Pure. */
import type { WorkspaceRecord } from '../../core/workspace.ts'

export function workspaceLabels(record: WorkspaceRecord, instance: string): Readonly<Record<string, string>> {
  return {
    'dev.nexus.workspace': record.id,
    'dev.nexus.name': record.name,
    'dev.nexus.repo': record.repo,
    'dev.nexus.instance': instance,
  }
}
