/**
 * Tells where a branch comes from, and where a HEAD was last, by its reflog (git-reflog(1)), read as a file: one read
 * and no process. Without a reflog (`core.logAllRefUpdates=false`, or expired) the branch counts as the user's.
 */
import { join } from 'node:path'
import { readWithin } from '../system/within.ts'

const LOG_MAX_BYTES = 64 * 1024 * 1024
/** No zeros: they stand for a branch that was deleted. */
const COMMIT = /^(?!0+$)[0-9a-f]{40,64}$/
/** Lines of a branch's log: from a workspace, a remote, a pull request. */
const ELSEWHERE =
  /\t(nexus: (taken|brought back) from |branch: Created from (refs\/remotes\/|origin\/|upstream\/|FETCH_HEAD)|fetch .*: storing head$)/m

/** True for a branch that, by its reflog, began as another person's or got commits from a workspace. */
export function cameFromElsewhere(gitDir: string, branch: string): boolean {
  return ELSEWHERE.test(readWithin(gitDir, join('logs', 'refs', 'heads', branch), LOG_MAX_BYTES)?.toString() ?? '')
}

/** The last commit that HEAD was on, by the part of a git dir that has it; after its branch was deleted too. */
export function lastLogged(admin: string): string | undefined {
  const lines = readWithin(admin, join('logs', 'HEAD'), LOG_MAX_BYTES)?.toString().trimEnd().split('\n') ?? []
  const ids = lines.reverse().flatMap((line) => line.split(' ', 2).reverse())
  return ids.find((id) => COMMIT.test(id))
}
