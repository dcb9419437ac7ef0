/** git's commands for refs: part of `git.ts`. None runs a hook: hooks are for what the user does by hand. */
import type { RunOptions, RunResult } from '../system/exec.ts'

const READ = { GIT_OPTIONAL_LOCKS: '0' }

export interface AnyRef {
  readonly name: string
  readonly id: string
  readonly peeled: string
  /** Of a symbolic ref; '' for others. */
  readonly target: string
}

export interface RefChange {
  readonly name: string
  /** Null deletes it. */
  readonly to: string | null
  /** What it is now; '' is not looked at, zeros are for one that is not there. */
  readonly from: string
}

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** How a branch stands to what it follows. */
export interface Tracking {
  /** Short; '' for none. */
  readonly upstream: string
  readonly counts: { readonly ahead: number; readonly behind: number } | undefined
}

export function createRefCommands(git: GitCall, read: GitCall) {
  /** Refs with what they name and, for an annotated tag, what that names; symbolic ones with their target. */
  async function listAllRefs(repo: string, patterns: readonly string[]): Promise<readonly AnyRef[]> {
    const format = '--format=%(refname)%00%(objectname)%00%(*objectname)%00%(symref)'
    const { stdout } = await read(repo, ['for-each-ref', format, '--', ...patterns])
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', id = '', peeled = '', target = ''] = line.split('\0')
        return { name, id, peeled, target }
      })
  }

  /**
   * Changes refs, all or none, each only while it is what was seen.
   * @throws {NexusError} GIT_ERROR when one is not
   */
  async function updateRefs(repo: string, changes: readonly RefChange[], why: string): Promise<void> {
    if (changes.length === 0) return
    const lines = changes.map(({ name, to, from }) =>
      to === null ? `delete ${name}\0${from}\0` : `update ${name}\0${to}\0${from}\0`,
    )
    const args = ['update-ref', '-m', why, '-z', '--stdin']
    await git(repo, args, { input: lines.join('') })
  }

  /** True when `older` is an ancestor of `newer`, or the same. */
  async function isAncestor(repo: string, older: string, newer: string): Promise<boolean> {
    const args = ['merge-base', '--is-ancestor', '--end-of-options', older, newer]
    return (await git(repo, args, { env: READ, okCodes: [0, 1] })).code === 0
  }

  /** How many commits each of two revisions has that the other does not. */
  async function countApart(repo: string, one: string, other: string): Promise<readonly [number, number]> {
    const { stdout } = await read(repo, [
      'rev-list',
      '--count',
      '--left-right',
      '--end-of-options',
      `${one}...${other}`,
    ])
    const [left = 0, right = 0] = stdout.trim().split('\t').map(Number)
    return [left, right]
  }

  /** How many commits a revision has that another does not. */
  async function countCommits(repo: string, without: string, revision: string): Promise<number> {
    const { stdout } = await read(repo, ['rev-list', '--count', '--end-of-options', `${without}..${revision}`])
    return Number(stdout.trim())
  }

  /**
   * What a branch follows and how far apart they are; undefined without such a branch. Without an upstream, or with one
   * that is gone, there are no counts.
   */
  async function findTracking(repo: string, branch: string, timeoutMs: number): Promise<Tracking | undefined> {
    const format = '--format=%(refname)%00%(upstream:short)%00%(upstream:track)'
    const args = ['for-each-ref', format, '--', `refs/heads/${branch}`]
    const { stdout } = await git(repo, args, { env: READ, timeoutMs })
    const rows = stdout.split('\n').map((line) => line.split('\0'))
    const found = rows.find(([name]) => name === `refs/heads/${branch}`)
    if (found === undefined) return undefined
    const [, upstream = '', track = ''] = found
    const count = (word: string) => Number(new RegExp(`${word} (\\d+)`).exec(track)?.[1] ?? 0)
    const counts =
      upstream === '' || track === '[gone]' ? undefined : { ahead: count('ahead'), behind: count('behind') }
    return { upstream, counts }
  }

  return { listAllRefs, updateRefs, isAncestor, findTracking, countApart, countCommits }
}
