/**
 * Tells where a branch comes from, by its reflog (git-reflog(1)), read as a file: one read and no process. Without a
 * reflog (`core.logAllRefUpdates=false`, or expired) the branch counts as the user's.
 */
import { join } from 'node:path'
import { readWithin } from '../system/within.ts'

const LOG_MAX_BYTES = 64 * 1024 * 1024
/** Lines of a branch's log: from a workspace, a remote, a pull request. */
const ELSEWHERE =
  /\t(nexus: (taken|brought back) from |branch: Created from (refs\/remotes\/|origin\/|upstream\/|FETCH_HEAD)|fetch .*: storing head$)/m

/** True for a branch that, by its reflog, began as another person's or got commits from a workspace. */
export function cameFromElsewhere(gitDir: string, branch: string): boolean {
  return ELSEWHERE.test(readWithin(gitDir, join('logs', 'refs', 'heads', branch), LOG_MAX_BYTES)?.toString() ?? '')
}
