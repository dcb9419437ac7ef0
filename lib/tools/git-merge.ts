/** git's words for merging into the main worktree, with the user's own configuration and hooks: part of `git.ts`. */
import type { RunOptions, RunResult } from '../system/exec.ts'
import type { Whose } from './git-programs.ts'

/** Hooks of the user's and signatures that want a finger on a key take their time. */
const MERGE_TIMEOUT_MS = 10 * 60_000

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>
type HooksOf = (repo: string, whose: Whose) => Promise<readonly string[]>

/** `call` runs hooks, those that `hooksOf` names; `git` runs none. */
export function createMergeCommands(git: GitCall, call: GitCall, hooksOf: HooksOf) {
  /** Files that a merge would leave with conflicts; touches none. None too where git (before 2.38) cannot tell. */
  async function listConflicts(repo: string, ours: string, theirs: string): Promise<readonly string[]> {
    const args = ['merge-tree', '--write-tree', '--name-only', '--no-messages', '-z', ours, theirs]
    const { code, stdout } = await git(repo, args, { okCodes: 'any', timeoutMs: MERGE_TIMEOUT_MS })
    return code === 1 ? [...new Set(fields(stdout).slice(1))] : []
  }

  /** Paths that a merge would bring and HEAD has not. */
  async function listAdded(repo: string, theirs: string): Promise<readonly string[]> {
    const args = ['diff', '--no-ext-diff', '--no-renames', '--name-only', '--diff-filter=A', '-z', `HEAD...${theirs}`]
    return fields((await git(repo, args)).stdout)
  }

  /** Paths that a merge would change, as they are in its result; by the branch's own changes where git (before 2.38) cannot tell. */
  async function listMerged(repo: string, ours: string, theirs: string): Promise<readonly string[]> {
    const tree = await git(repo, ['merge-tree', '--write-tree', '--no-messages', '-z', ours, theirs], {
      okCodes: 'any',
      timeoutMs: MERGE_TIMEOUT_MS,
    })
    const id = fields(tree.stdout)[0] ?? ''
    const range = tree.code === 0 && /^[0-9a-f]{40,64}$/.test(id) ? [ours, id] : [`${ours}...${theirs}`]
    const args = [
      'diff',
      '--no-ext-diff',
      '--no-renames',
      '--ignore-submodules=none',
      '--name-only',
      '-z',
      ...range,
      '--',
    ]
    return fields((await git(repo, args)).stdout)
  }

  /** One commit, or with `squash` one that has all of the branch's changes and not its history. `whose` says whose hooks run. */
  async function merge(
    repo: string,
    branch: string,
    { squash, whose, onLine }: { squash: boolean; whose: Whose; onLine: (line: string) => void },
  ): Promise<void> {
    const limits = { timeoutMs: MERGE_TIMEOUT_MS, onLine }
    const hooks = await hooksOf(repo, whose)
    await call(repo, [...hooks, 'merge', '--no-edit', ...(squash ? ['--squash'] : []), '--', branch], limits)
    if (squash) await call(repo, [...hooks, 'commit', '--quiet', '--no-edit'], limits)
  }

  async function listUnmerged(repo: string): Promise<readonly string[]> {
    const args = ['diff', '--no-ext-diff', '--name-only', '--diff-filter=U', '-z']
    return fields((await git(repo, args, { okCodes: 'any' })).stdout)
  }

  /** Back to HEAD, in files that a merge has touched; fine with nothing to take back. */
  async function undoMerge(repo: string): Promise<void> {
    await git(repo, ['reset', '--quiet', '--merge'], { timeoutMs: MERGE_TIMEOUT_MS })
  }

  return { listConflicts, listAdded, listMerged, merge, listUnmerged, undoMerge }
}

function fields(text: string): readonly string[] {
  return text.split('\0').filter((field) => field !== '')
}
