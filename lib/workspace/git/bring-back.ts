/**
 * Commits come back from a workspace with a git dir of its own: git on this machine fetches from a git that runs where the
 * workspace is, into refs of the workspace's, and then moves the branch if that is what was seen before. What has moved is
 * found by reading a few files, so that nothing is fetched in vain. Both sides moved: nothing is changed.
 */
import { join } from 'node:path'
import { NexusError, unreachable } from '../../core/errors.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { withLock } from '../../system/lock.ts'
import { bringLargeFiles } from '../../tools/private-refs.ts'
import type { App } from '../app.ts'
import { type PrivatePlace, privatePlace } from '../current-branch.ts'
import { type Failed, fetchMoved } from './fetch-moved.ts'
import { findMoved, saveSeen } from './moved.ts'
import { refsOf } from './private-git.ts'

/** How long one waits for another that brings back from the same workspace. */
const WAIT_MS = 60_000
/** How long a command that is about something else waits for commits. */
const ON_THE_WAY_MS = 2 * 60_000
/** Other refs that are named. */
const TOLD_MAX = 10
const ZERO = '0'.repeat(40)

/** How the branch stands on both sides. */
export type Standing =
  /** The same, or only the host has something new. */
  | { readonly kind: 'same' | 'host-ahead'; readonly commit: string; readonly agreed: string | undefined }
  /** `given` is the last commit in it that came from here. */
  | {
      readonly kind: 'inside-ahead'
      readonly from: string
      readonly commit: string
      readonly commits: number
      readonly given: string
    }
  /** Both have something new; or, `dropped`, inside a commit that came from here was left out. */
  | { readonly kind: 'diverged' | 'dropped'; readonly host: string; readonly inside: string }
  /** The branch is gone from the repository. */
  | { readonly kind: 'gone'; readonly inside: string }

export interface BroughtBack {
  /** Commits that the branch has got. */
  readonly commits: number
  /** Where it stands now in the repository. */
  readonly commit: string | null
  /** Other branches and tags that have moved, by the refs that hold them here. */
  readonly others: readonly string[]
  /** Others that git here does not take: their commits are inside alone. */
  readonly failed: readonly Failed[]
  readonly standing: Standing['kind']
}

const NOTHING: BroughtBack = { commits: 0, commit: null, others: [], failed: [], standing: 'same' }

/**
 * Brings back what has moved. With `running`, the git inside is asked, else one beside the files.
 * @throws {NexusError} DIVERGED when the branch moved on both sides; nothing is changed then. GIT_ERROR for a branch that cannot come
 * back; the others have
 */
export async function bringBack(
  app: App,
  record: WorkspaceRecord,
  running: boolean,
  totalMs?: number,
): Promise<BroughtBack> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return NOTHING
  return withLock(
    join(app.home.locks, `${record.id}-git`),
    async () => {
      const moved = await findMoved(app, record)
      const how = { running, ...(totalMs === undefined ? {} : { totalMs }) }
      const fetched = moved === undefined ? undefined : await fetchMoved(app, record, place, moved, how)
      const { came, failed = [] } = fetched ?? {}
      if (came !== undefined) {
        await bringLargeFiles(place.path, place.gitDir)
        await saveSeen(app, record, came)
      }
      tellFailed(app, record, failed)
      if (fetched?.own !== undefined) throw fetched.own
      const refs = await refsNow(app, record)
      const standing = await judge(app, record, refs)
      const others = Object.keys(came?.branches ?? {})
        .filter((branch) => branch !== record.branch)
        .map((branch) => refsOf(record, 'heads', branch))
      others.push(...Object.keys(came?.tags ?? {}).map((tag) => refsOf(record, tag)))
      if (came?.detached != null) others.push(refsOf(record, 'HEAD'))
      const commits = await settle(app, record, place, standing)
      const commit = 'commit' in standing ? standing.commit : null
      return { commits, commit, others: others.filter((name) => refs.has(name)), failed, standing: standing.kind }
    },
    { waitMs: WAIT_MS, signal: app.interruption.signal },
  )
}

/** The workspace's refs and its branch, as they are in the repository. */
async function refsNow(app: App, record: WorkspaceRecord): Promise<ReadonlyMap<string, string>> {
  const refs = await app.git.listRefs(record.repo, [`refs/heads/${record.branch}`, refsOf(record)])
  const elsewhere = refs.find(
    ({ name, worktree }) => name === `refs/heads/${record.branch}` && isElsewhere(record, worktree),
  )
  if (elsewhere !== undefined) {
    throw new NexusError('BRANCH_IN_USE', `Branch ${record.branch} is checked out at ${elsewhere.worktree}.`, {
      hint: `To free it, run \`git -C ${elsewhere.worktree} switch --detach\``,
      details: { branch: record.branch, worktree: elsewhere.worktree },
    })
  }
  return new Map(refs.map(({ name, commit }) => [name, commit]))
}

function isElsewhere({ local }: WorkspaceRecord, path: string): boolean {
  return path !== '' && path !== local?.worktree
}

/**
 * `synced` is what both sides had when they last agreed, `host` the last commit that came from here. Inside, history above that
 * may be written anew (`commit --amend`, `rebase`); what came from here is not inside's to drop.
 */
async function judge(app: App, record: WorkspaceRecord, refs: ReadonlyMap<string, string>): Promise<Standing> {
  const { repo } = record
  const host = refs.get(`refs/heads/${record.branch}`)
  const agreed = refs.get(refsOf(record, 'synced'))
  const inside = refs.get(refsOf(record, 'heads', record.branch)) ?? agreed ?? host ?? ZERO
  if (host === undefined) return { kind: 'gone', inside }
  if (inside === host) return { kind: 'same', commit: host, agreed }
  if (inside === agreed) return { kind: 'host-ahead', commit: host, agreed }
  const given = refs.get(refsOf(record, 'host')) ?? host
  const [hosts, commits] = await app.git.countApart(repo, host, inside)
  const ahead = { kind: 'inside-ahead', from: host, commit: inside, commits } as const
  if (hosts === 0) return { ...ahead, given: host === agreed ? given : host }
  if (host !== agreed)
    return commits === 0 ? { kind: 'host-ahead', commit: host, agreed } : { kind: 'diverged', host, inside }
  return (await app.git.isAncestor(repo, given, inside)) ? { ...ahead, given } : { kind: 'dropped', host, inside }
}

/** Moves the branch where only the inside moved; returns how many commits it got. */
async function settle(app: App, record: WorkspaceRecord, place: PrivatePlace, standing: Standing): Promise<number> {
  const to = (name: string, commit: string, from = '') => ({ name, to: commit, from })
  const synced = refsOf(record, 'synced')
  switch (standing.kind) {
    case 'host-ahead':
      return 0
    case 'same': {
      const { commit, agreed } = standing
      const changes = commit === agreed ? [] : [to(synced, commit), to(refsOf(record, 'host'), commit)]
      await app.git.updateRefs(place.repo, changes, 'nexus: in step')
      return 0
    }
    case 'inside-ahead': {
      const { from, commit, commits, given } = standing
      const branch = to(`refs/heads/${record.branch}`, commit, from)
      const changes = [branch, to(synced, commit), to(refsOf(record, 'host'), given)]
      await app.git.updateRefs(place.repo, changes, `nexus: brought back from ${record.name}`)
      await followIndex(app, place, commit)
      return commits
    }
    case 'gone':
    case 'dropped':
    case 'diverged':
      throw diverged(record, standing)
    default:
      unreachable(standing)
  }
}

/** Whoever looks at the worktree with git on this machine sees it as it is. */
async function followIndex(app: App, place: PrivatePlace, commit: string): Promise<void> {
  try {
    await app.inertGit.setIndex({ root: place.repo, gitDir: place.gitDir, worktree: place.worktree }, commit)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const text = `git on this machine will show ${place.worktree} as changed: ${error.message}`
    app.emit({ type: 'warning', text, hint: `To mend it, run \`git -C ${place.worktree} reset\`` })
  }
}

type Apart = Extract<Standing, { kind: 'gone' | 'diverged' | 'dropped' }>

function diverged(record: WorkspaceRecord, standing: Apart): NexusError {
  const { name, branch, repo } = record
  const ref = refsOf(record, 'heads', branch)
  const details = { ...standing, branch, ref }
  switch (standing.kind) {
    case 'gone':
      return new NexusError('DIVERGED', `Branch ${branch} is gone from the repository; ${name} still works on it.`, {
        hint: `To have it again, run \`git -C ${repo} branch ${branch} ${standing.inside}\``,
        details,
      })
    case 'dropped':
      return new NexusError('DIVERGED', `Inside ${name}, branch ${branch} lost commits that it had from here.`, {
        hint: `To see what it is now, run \`git -C ${repo} log ${ref}\``,
        details,
      })
    case 'diverged':
      return new NexusError('DIVERGED', `Branch ${branch} got commits both here and inside ${name}.`, {
        hint: `To put those inside on top of these, run \`nexus exec ${name} -- git rebase ${standing.host}\``,
        details,
      })
    default:
      return unreachable(standing)
  }
}

/** A look that is cheap when nothing moved, and whose failure is told and stops nothing. */
export async function bringBackIfMoved(app: App, record: WorkspaceRecord, running: boolean): Promise<void> {
  try {
    if ((await findMoved(app, record)) === undefined) return
    tell(app, record, await bringBack(app, record, running, ON_THE_WAY_MS))
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const text = `the commits of ${record.name} did not come back: ${error.message}`
    app.emit({ type: 'warning', text, hint: error.hint })
  }
}

export function tell(app: App, record: WorkspaceRecord, { commits, others }: BroughtBack): void {
  if (commits > 0)
    app.emit({
      type: 'notice',
      text: `${commits === 1 ? 'a commit' : `${commits} commits`} came back to ${record.branch}`,
    })
  for (const name of others.slice(0, TOLD_MAX))
    app.emit({ type: 'notice', text: `another ref of ${record.name} is here as ${name}` })
}

function tellFailed(app: App, { name }: WorkspaceRecord, failed: readonly Failed[]): void {
  for (const { what, why } of failed.slice(0, TOLD_MAX)) {
    const text = `${printable(what)} of ${name} did not come back: ${why}`
    app.emit({ type: 'warning', text, hint: `To look at it, run \`nexus exec ${name} -- git log --all\`` })
  }
}
