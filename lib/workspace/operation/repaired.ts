/**
 * The entrance of commands to a workspace that an operation may have been cut off on. It costs a look at the record that is
 * at hand already; what repairs is loaded only when there is something to repair.
 */
import { NexusError } from '../../core/errors.ts'
import { kindOf } from '../../core/operations.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { isAlive } from '../../system/process.ts'
import type { App } from '../app.ts'

/** True when an operation was cut off: nobody works on it any more. */
export function isUnfinished({ operation }: WorkspaceRecord): boolean {
  return operation !== null && !isAlive(operation)
}

/** The workspace as it is after a repair, undefined when that ended with its removal; at once where there is nothing to repair. */
export async function repaired(app: App, found: WorkspaceRecord): Promise<WorkspaceRecord | undefined> {
  if (!isUnfinished(found)) return found
  const { exclusively } = await import('./operate.ts')
  return exclusively(app, found.id, async (record) => record)
}

/** Workspaces of a repository that an operation was cut off on. */
export async function listUnfinished(app: App, repo: string): Promise<readonly WorkspaceRecord[]> {
  return (await app.records.list()).filter((record) => record.repo === repo && isUnfinished(record))
}

/**
 * After a create: deletes of the same repository that were cut off are finished, as nobody may name those workspaces any more. Creates
 * are only told: to finish one takes as long as a create, and is not what was asked for here.
 */
export async function repairNeighbours(app: App, neighbours: readonly WorkspaceRecord[]): Promise<void> {
  for (const neighbour of neighbours) {
    const { name, operation } = neighbour
    try {
      const kind = kindOf(operation)
      if (kind?.removes === true) await repaired(app, neighbour)
      if (kind?.makes === true) {
        const text = `the create of ${name} was interrupted; \`nexus up ${name}\` finishes it`
        app.emit({ type: 'notice', text })
      }
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      app.emit({ type: 'warning', text: error.message, hint: error.hint })
    }
  }
}

/** @throws {NexusError} WORKSPACE_NOT_FOUND for a workspace that was removed since it was found */
export function requireThere<T>(there: T | undefined, found: WorkspaceRecord): T {
  if (there !== undefined) return there
  throw new NexusError('WORKSPACE_NOT_FOUND', `Workspace ${found.name} is gone.`, {
    hint: `To create it anew, run \`nexus up ${found.name}\``,
    details: { id: found.id },
  })
}
