/** What everything that is made for a workspace carries, so that it is found again by whoever looks. Pure. */
import type { WorkspaceRecord } from '../../core/workspace.ts'

/** Of a volume that is a folder of this machine, whose size is nothing of the engine's. */
export const HELD_LABEL = 'dev.nexus.holds'

export function workspaceLabels(record: WorkspaceRecord, instance: string): Readonly<Record<string, string>> {
  return {
    'dev.nexus.workspace': record.id,
    'dev.nexus.name': record.name,
    'dev.nexus.repo': record.repo,
    'dev.nexus.instance': instance,
  }
}
