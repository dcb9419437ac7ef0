/** git's words for merging into the main worktree, with the user's own configuration and hooks: part of `git.ts`. */
import type { RunOptions, RunResult } from '../system/exec.ts'
import { shown } from '../system/tree.ts'
import type { Whose } from './git-programs.ts'

/** Hooks of the user and signatures by a hardware key take time. */
const MERGE_TIMEOUT_MS = 10 * 60_000

/** Merges exactly the commit that was shown: replaced objects (git-replace(1)) are off. */
const PLAIN_OBJECTS = { GIT_NO_REPLACE_OBJECTS: '1' }

export const SUBMODULE_MODE = '160000'

/** A path that differs between two trees. */
export interface TreeChange {
  readonly path: string
  /** The path as bytes, one per character: it need not be UTF-8. */
  readonly bytes: string
  /** In the second; zeros where it has none. */
  readonly mode: string
  /** `A`, `D`, `M` or `T`, as git has them. */
  readonly status: string
}

export interface Foreseen {
  /** Files that would be left with conflicts. */
  readonly conflicts: readonly string[]
  /** The merged tree; undefined where there are conflicts, and of git before 2.38. */
  readonly tree?: string
  /** What would differ from what is checked out; none where there are conflicts. */
  readonly changes: readonly TreeChange[]
}

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
  /** What a merge would do; touches no file. git before 2.38 tells the branch's changes and no conflict. */
  async function foresee(repo: string, ours: string, theirs: string): Promise<Foreseen> {
    const args = ['merge-tree', '--write-tree', '--name-only', '--no-messages', '-z', ours, theirs]
    const { code, stdout } = await git(repo, args, { okCodes: 'any', timeoutMs: MERGE_TIMEOUT_MS, env: PLAIN_OBJECTS })
    const [tree = '', ...files] = fields(stdout)
    if (code === 1) return { conflicts: [...new Set(files)], changes: [] }
    if (code === 0 && /^[0-9a-f]{40,64}$/.test(tree))
      return { conflicts: [], tree, changes: await compare(repo, ours, tree) }
    const base = (await git(repo, ['merge-base', ours, theirs], { env: PLAIN_OBJECTS })).stdout.split('\n')[0] ?? ''
    const own = new Set((await compare(repo, base, theirs)).map(({ bytes }) => bytes))
    return { conflicts: [], changes: (await compare(repo, ours, theirs)).filter(({ bytes }) => own.has(bytes)) }
  }

  /** By the ids of two commits or trees. */
  async function compare(repo: string, from: string, to: string): Promise<readonly TreeChange[]> {
    const args = ['diff-tree', '-r', '--no-renames', '--ignore-submodules=none', '-z', from, to]
    const words = fields((await git(repo, args, { env: PLAIN_OBJECTS, asBytes: true })).stdout)
    return words.flatMap((word, i) => {
      if (i % 2 === 1) return []
      const [, mode = '', , , status = ''] = word.split(' ')
      const bytes = words[i + 1] ?? ''
      return [{ path: shown(bytes), bytes, mode, status }]
    })
  }

  /**
   * Merges exactly this commit, under the branch's name: as one commit, or with `squash` as one that has all of its
   * changes and not its history. `whose` says whose hooks run.
   */
  async function merge(repo: string, commit: string, options: MergeOptions): Promise<void> {
    const { branch, squash, whose, onLine } = options
    const env = { ...PLAIN_OBJECTS, GIT_REFLOG_ACTION: `merge ${branch}` }
    const limits = { timeoutMs: MERGE_TIMEOUT_MS, onLine, env }
    const [hooks, title] = await Promise.all([hooksOf(repo, whose), titleOf(repo, commit, branch)])
    const how = ['--no-overwrite-ignore', ...(squash ? ['--no-edit', '--squash'] : ['-m', title])]
    await call(repo, [...hooks, 'merge', ...how, '--', commit], limits)
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

  return { foresee, merge, listUnmerged, undoMerge }
}

function fields(text: string): readonly string[] {
  return text.split('\0').filter((field) => field !== '')
}
