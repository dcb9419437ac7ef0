/**
 * Gives a workspace another name: in `list`, in commands and in its alias for ssh. Its id, branch, worktree, ports, containers,
 * volumes and databases stay as they are; nothing is started or stopped.
 */
import { parseName } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { claimName, requireFreeName } from '../create/naming.ts'
import { renewFiles } from '../create/renew.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS, INVALID_ARGUMENT for an impossible name */
export async function renameWorkspace(
  app: App,
  found: WorkspaceRecord,
  request: { readonly to: string; readonly dryRun: boolean },
): Promise<{ readonly record: WorkspaceRecord; readonly changed: boolean }> {
  const name = parseName(request.to)
  const body = async (there: WorkspaceRecord | undefined) => {
    const record = requireThere(there, found)
    if (record.name === name) return { record, changed: false }
    const { madeAs = record.name, ...kept } = record
    const renamed = { ...kept, name, given: request.to, ...(madeAs === name ? {} : { madeAs }) }
    if (request.dryRun) {
      await requireFreeName(app, renamed)
      return { record: renamed, changed: true }
    }
    const claimed = await claimName(app, renamed)
    await renewFiles(app, claimed)
    return { record: claimed, changed: true }
  }
  return exclusively(app, found.id, body, { dryRun: request.dryRun })
}
