/** git's words for merging into the main worktree, with the user's own configuration and hooks: part of `git.ts`. */
import type { RunOptions, RunResult } from '../system/exec.ts'
import type { Whose } from './git-programs.ts'

/** Hooks of the user's and signatures that want a finger on a key take their time. */
const MERGE_TIMEOUT_MS = 10 * 60_000

/** What is merged is what was looked at: no commit stands for another. */
const PLAIN_OBJECTS = { GIT_NO_REPLACE_OBJECTS: '1' }

interface MergeOptions {
  readonly branch: string
  readonly squash: boolean
  readonly whose: Whose
  readonly onLine: (line: string) => void
}

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>
type HooksOf = (repo: string, whose: Whose) => Promise<readonly string[]>

/** `call` runs hooks, those that `hooksOf` names; `git` runs none. */
export function createMergeCommands(git: GitCall, call: GitCall, hooksOf: HooksOf) {
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

  /** The tree that a merge would make; undefined where it has conflicts, and where git (before 2.38) cannot tell. */
  async function mergedTree(repo: string, ours: string, theirs: string): Promise<string | undefined> {
    const tree = await git(repo, ['merge-tree', '--write-tree', '--no-messages', '-z', ours, theirs], {
      okCodes: 'any',
      timeoutMs: MERGE_TIMEOUT_MS,
      env: PLAIN_OBJECTS,
    })
    const id = fields(tree.stdout)[0] ?? ''
    return tree.code === 0 && /^[0-9a-f]{40,64}$/.test(id) ? id : undefined
  }

  /** Paths that a merge would change, as they are in its result; by the branch's own changes where git cannot tell. */
  async function listMerged(repo: string, ours: string, theirs: string): Promise<readonly string[]> {
    const tree = await mergedTree(repo, ours, theirs)
    const range = tree === undefined ? [`${ours}...${theirs}`] : [ours, tree]
    const how = ['--no-ext-diff', '--no-renames', '--ignore-submodules=none', '--name-only', '-z']
    return fields((await git(repo, ['diff', ...how, ...range, '--'], { env: PLAIN_OBJECTS })).stdout)
  }

  /**
   * Merges exactly this commit, under the branch's name: as one commit, or with `squash` as one that has all of its changes and not
   * its history. `whose` says whose hooks run.
   */
  async function merge(repo: string, commit: string, options: MergeOptions): Promise<void> {
    const { branch, squash, whose, onLine } = options
    const env = { ...PLAIN_OBJECTS, GIT_REFLOG_ACTION: `merge ${branch}` }
    const limits = { timeoutMs: MERGE_TIMEOUT_MS, onLine, env }
    const [hooks, title] = await Promise.all([hooksOf(repo, whose), titleOf(repo, commit, branch)])
    await call(repo, [...hooks, 'merge', ...(squash ? ['--no-edit', '--squash'] : ['-m', title]), '--', commit], limits)
    if (squash) await call(repo, [...hooks, 'commit', '--quiet', '--no-edit'], limits)
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

  return { listConflicts, listAdded, mergedTree, listMerged, merge, listUnmerged, undoMerge }
}

function fields(text: string): readonly string[] {
  return text.split('\0').filter((field) => field !== '')
}
