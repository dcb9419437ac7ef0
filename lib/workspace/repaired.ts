/**
 * The entrance of commands to a workspace that an operation may have been cut off on. It costs a look at the record that is
 * at hand already; what repairs is loaded only when there is something to repair.
 */
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { isAlive } from '../system/process.ts'
import type { App } from './app.ts'
import { exclusively } from './operate.ts'

/** True when an operation was cut off: nobody works on it any more. */
export function isUnfinished({ operation }: WorkspaceRecord): boolean {
  return operation !== null && !isAlive(operation)
}

/** The workspace as it is after a repair, undefined when that ended with its removal; at once where there is nothing to repair. */
export async function repaired(app: App, found: WorkspaceRecord): Promise<WorkspaceRecord | undefined> {
  return isUnfinished(found) ? exclusively(app, found.id, async (record) => record) : found
}

/** @throws {NexusError} WORKSPACE_NOT_FOUND for a workspace that was removed since it was found */
export function requireThere(record: WorkspaceRecord | undefined, found: WorkspaceRecord): WorkspaceRecord {
  if (record !== undefined) return record
  throw new NexusError('WORKSPACE_NOT_FOUND', `Workspace ${found.name} is gone.`, {
    hint: `To create it anew, run \`nexus up ${found.name}\``,
    details: { id: found.id },
  })
}
