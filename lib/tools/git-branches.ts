/** Whether a branch is merged: the default branch, tips and their age, commits that arrived. Reads only. */
import { CommandFailed, type Runner } from '../system/exec.ts'
import { explainGitFailure } from './git-failures.ts'

const READ = { GIT_OPTIONAL_LOCKS: '0' }
/** Nothing that the configuration names is run for it. */
const PLAIN_DIFF = ['--no-ext-diff', '--no-textconv', '--no-color', '--full-index']
/** A squash that lies further back is not found, and the workspace stays. */
const COMMITS_MAX = 1_000
/** More would not fit into a command line. */
const PATHS_MAX = 500

export interface BranchTip {
  readonly name: string
  readonly commit: string
  /** Milliseconds since 1970 of the last commit. */
  readonly committedAt: number
  /** It had an upstream branch, which is there no more: usually merged and deleted by the host. */
  readonly upstreamGone: boolean
}

export type GitBranches = ReturnType<typeof createGitBranches>

export function createGitBranches(runner: Runner, repo: string) {
  async function git(args: readonly string[], okCodes: readonly number[] = [0]) {
    try {
      return await runner.run(['git', '-C', repo, ...args], { env: READ, okCodes })
    } catch (error) {
      throw error instanceof CommandFailed ? explainGitFailure(error) : error
    }
  }

  /** All local branches by name. */
  async function listTips(): Promise<ReadonlyMap<string, BranchTip>> {
    const format = '--format=%(refname:lstrip=2)%00%(objectname)%00%(committerdate:unix)%00%(upstream:track)'
    const { stdout } = await git(['for-each-ref', format, 'refs/heads'])
    const tips = stdout.split('\n').filter((line) => line !== '')
    return new Map(
      tips.map((line) => {
        const [name = '', commit = '', time = '0', track = ''] = line.split('\0')
        return [name, { name, commit, committedAt: Number(time) * 1000, upstreamGone: track === '[gone]' }]
      }),
    )
  }

  /**
   * What branches are merged into: origin's default branch and the local one of that name; without a remote `main`,
   * `master`, or what the main worktree is on. Full ref names, those that exist.
   */
  async function findDefaultRefs(): Promise<readonly string[]> {
    const head = await git(['symbolic-ref', '--quiet', 'refs/remotes/origin/HEAD'], [0, 1, 128])
    const remote = head.stdout.trim()
    const own = await git(['symbolic-ref', '--quiet', 'HEAD'], [0, 1, 128])
    const name = remote.replace('refs/remotes/origin/', '')
    const wanted = name !== '' ? [name] : ['main', 'master', own.stdout.trim().replace('refs/heads/', '')]
    const patterns = wanted.flatMap((one) => [`refs/remotes/origin/${one}`, `refs/heads/${one}`])
    const { stdout } = await git(['for-each-ref', '--format=%(refname)', '--', ...patterns])
    const there = new Set(stdout.split('\n'))
    const first = wanted.find((one) => there.has(`refs/heads/${one}`) || there.has(`refs/remotes/origin/${one}`))
    return patterns.filter((ref) => there.has(ref) && ref.endsWith(`/${first}`))
  }

  /** Every commit of it is in the other. */
  async function isAncestor(commit: string, of: string): Promise<boolean> {
    return (await git(['merge-base', '--is-ancestor', commit, of], [0, 1])).code === 0
  }

  /** Each of its commits is there as another commit with the same change, as a rebase leaves them. */
  async function isCherryPicked(commit: string, into: string): Promise<boolean> {
    const { stdout } = await git(['cherry', into, commit], [0, 128])
    const marks = stdout.split('\n').filter((line) => line !== '')
    return marks.length > 0 && marks.every((line) => line.startsWith('-'))
  }

  /**
   * One commit there makes the change of the whole branch, as after a squash. Compared by patch ids: a trial merge
   * would run the merge drivers that the configuration names.
   */
  async function isSquashed(commit: string, into: string): Promise<boolean> {
    const base = (await git(['merge-base', commit, into], [0, 1])).stdout.trim()
    if (base === '') return false
    const [whole, names] = await Promise.all([
      git(['diff-tree', '-r', '-p', ...PLAIN_DIFF, base, commit]),
      git(['diff-tree', '-r', '-z', '--name-only', base, commit]),
    ])
    const paths = names.stdout.split('\0').filter((path) => path !== '')
    if (paths.length === 0) return false
    const range = ['--no-merges', '--max-count', String(COMMITS_MAX), `${base}..${into}`]
    const only = paths.length > PATHS_MAX ? [] : paths
    const args = ['--literal-pathspecs', 'log', '-p', ...PLAIN_DIFF, '--format=commit %H', ...range, '--', ...only]
    const [[own], others] = await Promise.all([
      patchIds(whole.stdout),
      git(args).then(({ stdout }) => patchIds(stdout)),
    ])
    return own !== undefined && others.includes(own)
  }

  async function patchIds(patches: string): Promise<readonly string[]> {
    const argv = ['git', '-C', repo, 'patch-id', '--stable']
    const { stdout } = await runner.run(argv, { env: READ, input: patches })
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')[0] ?? '']))
  }

  return { listTips, findDefaultRefs, isAncestor, isCherryPicked, isSquashed }
}
