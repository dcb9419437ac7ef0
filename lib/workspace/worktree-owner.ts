/**
 * Whose a worktree at our path is. A create that was killed may or may not have made it, and another home, or the user by hand,
 * may have made one there since: so ours carry the workspace's id in their git dir, from the moment on in which they are made,
 * and nothing else is taken away or made anew.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { writeGenerated } from '../system/store.ts'

const OWNER_FILE = 'nexus-workspace'

/** Notes the owner of a worktree that was just added and has no files yet. Under the repository's lock. */
export async function noteOwner(worktree: string, id: string): Promise<void> {
  const gitDir = gitDirOf(worktree)
  if (gitDir !== undefined) await writeGenerated(join(gitDir, OWNER_FILE), `${id}\n`, 0o644)
}

/** True when an operation that was cut off was to make the worktree and did not finish that. */
export function isHalfMade({ operation }: WorkspaceRecord): boolean {
  if (operation === null || operation.done.includes('worktree')) return false
  return operation.kind === 'create' || operation.begun?.includes('worktree') === true
}

/**
 * True for what such an operation cannot have made: a worktree of another workspace, or one without an owner in which there is more
 * than git itself puts there.
 */
export function isForeign(record: WorkspaceRecord): boolean {
  const { worktree, id } = record
  if (worktree === null || !isHalfMade(record)) return false
  const gitDir = gitDirOf(worktree)
  const file = gitDir === undefined ? undefined : join(gitDir, OWNER_FILE)
  if (file !== undefined && existsSync(file)) return readFileSync(file, 'utf8').trim() !== id
  return existsSync(worktree) && readdirSync(worktree).some((name) => name !== '.git')
}

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS */
export function refuseForeign(record: WorkspaceRecord): void {
  if (!isForeign(record)) return
  throw new NexusError('WORKSPACE_ALREADY_EXISTS', `The folder ${record.worktree} was made by somebody else.`, {
    hint: `To see what is in it, run \`ls -la ${record.worktree}\``,
    details: { path: record.worktree },
  })
}

function gitDirOf(worktree: string): string | undefined {
  const file = join(worktree, '.git')
  const line = existsSync(file) ? /^gitdir: (.+)$/m.exec(readFileSync(file, 'utf8')) : null
  return line?.[1]
}
