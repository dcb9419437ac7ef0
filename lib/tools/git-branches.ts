/** What git knows of a branch's way into another: the default branch, tips and their age, whether all of it arrived. Reads only. */
import { CommandFailed, type Runner } from '../system/exec.ts'
import { explainGitFailure } from './git.ts'

const READ = { GIT_OPTIONAL_LOCKS: '0' }

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
   * What branches are merged into: origin's default branch and the local one of that name; without a remote `main`, `master`,
   * or what the main worktree is on. Full ref names, those that exist.
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

  /** Merged once more it would change nothing, as after a squash. Git before 2.38 cannot tell. */
  async function bringsNothing(commit: string, into: string): Promise<boolean> {
    const [merged, tree] = await Promise.all([
      git(['merge-tree', '--write-tree', into, commit], [0, 1, 128, 129]),
      git(['rev-parse', '--verify', '--end-of-options', `${into}^{tree}`]),
    ])
    return merged.code === 0 && merged.stdout.trim() === tree.stdout.trim()
  }

  return { listTips, findDefaultRefs, isAncestor, isCherryPicked, bringsNothing }
}
