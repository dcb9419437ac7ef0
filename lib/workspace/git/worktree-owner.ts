/**
 * Whose a worktree at our path is. A create that was killed may or may not have made it, and another home, or the user by hand, may
 * have made one there since: ours are marked (`marker.ts`) from the moment on in which they are made, and nothing else is taken
 * away or made anew.
 */

import { existsSync } from 'node:fs'
import { NexusError } from '../../core/errors.ts'
import { KINDS } from '../../core/operations.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { firstNames } from '../../system/read.ts'
import { findAdminDir } from '../../tools/repository.ts'

/** True when an operation that was cut off was to make the worktree and did not finish that. */
export function isHalfMade({ operation, local }: WorkspaceRecord): boolean {
  if (operation === null || operation.done.includes('worktree')) return false
  return (KINDS[operation.kind].makes && local?.adopted !== true) || operation.begun?.includes('worktree') === true
}

/**
 * True for what such an operation cannot have made: a worktree of another workspace, or one without an owner in which there is more
 * than git itself puts there.
 */
export function isForeign(record: WorkspaceRecord): boolean {
  const { local, id } = record
  if (local === null || !isHalfMade(record)) return false
  const { worktree, gitDir } = local
  const marker = findAdminDir(gitDir, worktree)?.marker
  if (marker !== undefined) return marker !== id
  return existsSync(worktree) && firstNames(worktree, 2).some((name) => name !== '.git')
}

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS */
export function refuseForeign(record: WorkspaceRecord): void {
  if (!isForeign(record)) return
  throw new NexusError('WORKSPACE_ALREADY_EXISTS', `The folder ${record.local?.worktree} was made by somebody else.`, {
    hint: `To see what is in it, run \`ls -la ${record.local?.worktree}\``,
    details: { path: record.local?.worktree },
  })
}
