/** git's words for merging into the main worktree, with the user's own configuration and hooks: part of `git.ts`. */
import type { RunOptions, RunResult } from '../system/exec.ts'

/** Hooks of the user's and signatures that want a finger on a key take their time. */
const MERGE_TIMEOUT_MS = 10 * 60_000

/** What is merged is what was looked at: no commit stands for another. */
const PLAIN_OBJECTS = { GIT_NO_REPLACE_OBJECTS: '1' }

interface MergeOptions {
  readonly branch: string
  readonly squash: boolean
  readonly onLine: (line: string) => void
}

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

export function createMergeCommands(git: GitCall) {
  /** Files that a merge would leave with conflicts; touches none. None too where git (before 2.38) cannot tell. */
  async function listConflicts(repo: string, ours: string, theirs: string): Promise<readonly string[]> {
    const args = ['merge-tree', '--write-tree', '--name-only', '--no-messages', '-z', ours, theirs]
    const { code, stdout } = await git(repo, args, { okCodes: 'any', timeoutMs: MERGE_TIMEOUT_MS, env: PLAIN_OBJECTS })
    return code === 1 ? [...new Set(fields(stdout).slice(1))] : []
  }

  /** Paths that a merge would bring and HEAD has not. */
  async function listAdded(repo: string, theirs: string): Promise<readonly string[]> {
    const args = ['diff', '--no-ext-diff', '--no-renames', '--name-only', '--diff-filter=A', '-z', `HEAD...${theirs}`]
    return fields((await git(repo, args, { env: PLAIN_OBJECTS })).stdout)
  }

  /**
   * Merges exactly this commit, under the branch's name: as one commit, or with `squash` as one that has all of its changes and not
   * its history.
   */
  async function merge(repo: string, commit: string, { branch, squash, onLine }: MergeOptions): Promise<void> {
    const env = { ...PLAIN_OBJECTS, GIT_REFLOG_ACTION: `merge ${branch}` }
    const limits = { timeoutMs: MERGE_TIMEOUT_MS, onLine, env }
    const title = await titleOf(repo, commit, branch)
    await git(repo, ['merge', ...(squash ? ['--no-edit', '--squash'] : ['-m', title]), '--', commit], limits)
    if (squash) await git(repo, ['commit', '--quiet', '--no-edit'], limits)
  }

  /** As git itself words it for a branch. */
  async function titleOf(repo: string, commit: string, branch: string): Promise<string> {
    const input = `${commit}\t\tbranch '${branch}' of .\n`
    return (await git(repo, ['fmt-merge-msg', '--no-log'], { input })).stdout.trimEnd()
  }

  async function listUnmerged(repo: string): Promise<readonly string[]> {
    const args = ['diff', '--no-ext-diff', '--name-only', '--diff-filter=U', '-z']
    return fields((await git(repo, args, { okCodes: 'any' })).stdout)
  }

  /** Back to HEAD, in files that a merge has touched; fine with nothing to take back. */
  async function undoMerge(repo: string): Promise<void> {
    await git(repo, ['reset', '--quiet', '--merge'], { timeoutMs: MERGE_TIMEOUT_MS })
  }

  return { listConflicts, listAdded, merge, listUnmerged, undoMerge }
}

function fields(text: string): readonly string[] {
  return text.split('\0').filter((field) => field !== '')
}
