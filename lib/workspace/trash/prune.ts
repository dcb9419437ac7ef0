/**
 * Deletes the workspaces whose branch has arrived in the default branch. Each goes by the ordinary delete without force, so
 * that one that holds changes is kept and named. What runs, was made or used in the last 24 hours or is locked stays too, and in
 * doubt all do.
 */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { lastUsed } from '../../record/last-use.ts'
import { type BranchTip, createGitBranches, type GitBranches } from '../../tools/git-branches.ts'
import { readBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { findLock } from '../git/losses.ts'
import { observeOne } from '../observe.ts'
import { deleteWorkspace } from './delete.ts'

const DAY_MS = 24 * 60 * 60_000

export interface PruneRequest {
  /** Main worktree whose workspaces are meant; undefined for all repositories. */
  readonly repo: string | undefined
  /** Only those made and last committed to so long ago. */
  readonly olderThanMs: number | undefined
  readonly dryRun: boolean
  /** Milliseconds since 1970; for tests. */
  readonly now?: number
}

export interface Verdict {
  readonly record: WorkspaceRecord
  /** It goes (or would go, in a dry run). */
  readonly prune: boolean
  /** Such as `merged into main`, or why it stays. */
  readonly reason: string
  /** When it was made or last committed to, whichever is later; RFC 3339. */
  readonly lastUsed: string
  /** A delete failed otherwise than by finding changes. */
  readonly failed: boolean
}

/** One verdict for each workspace, oldest first. */
export async function pruneMerged(app: App, request: PruneRequest): Promise<readonly Verdict[]> {
  const all = await app.records.list()
  const records = request.repo === undefined ? all : all.filter(({ repo }) => repo === request.repo)
  const verdicts = (
    await Promise.all([...groupByRepo(records)].map((group) => judgeRepository(app, group, request)))
  ).flat()
  const done: Verdict[] = []
  for (const verdict of verdicts) done.push(verdict.prune ? await prune(app, verdict, request) : verdict)
  return done
}

function groupByRepo(records: readonly WorkspaceRecord[]): ReadonlyMap<string, readonly WorkspaceRecord[]> {
  const groups = new Map<string, WorkspaceRecord[]>()
  for (const record of records) groups.set(record.repo, [...(groups.get(record.repo) ?? []), record])
  return groups
}

async function judgeRepository(
  app: App,
  [repo, records]: readonly [string, readonly WorkspaceRecord[]],
  { olderThanMs }: PruneRequest,
): Promise<readonly Verdict[]> {
  try {
    const git = createGitBranches(app.runner, repo)
    const [tips, targets] = await Promise.all([git.listTips(), git.findDefaultRefs()])
    return await Promise.all(records.map((record) => judge(git, record, tips, targets, olderThanMs)))
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const reason = `git cannot tell: ${error.message.replace(/\.$/, '')}`
    return records.map((record) => ({ ...keep(record, record.createdAt, reason), failed: true }))
  }
}

async function judge(
  git: GitBranches,
  record: WorkspaceRecord,
  tips: ReadonlyMap<string, BranchTip>,
  targets: readonly string[],
  olderThanMs: number | undefined,
): Promise<Verdict> {
  const tip = tips.get(record.branch)
  const last = Math.max(Date.parse(record.createdAt), tip?.committedAt ?? 0)
  const lastUsed = new Date(last).toISOString().replace(/\.\d{3}Z$/, 'Z')
  if (tip === undefined) return keep(record, lastUsed, `branch ${record.branch} is gone`)
  const now = record.local === null ? record.branch : readBranch(record.local.worktree)
  if (now !== undefined && now !== record.branch) return keep(record, lastUsed, `it is on ${now ?? 'a detached HEAD'}`)
  // a branch that was made for it and has no commit yet is in every other one, and has yet to begin
  if (tip.commit === record.base) return keep(record, lastUsed, 'no commits yet')
  const into = await findTarget(git, tip, targets)
  if (into === undefined) return keep(record, lastUsed, 'not merged')
  if (olderThanMs !== undefined && Date.now() - last < olderThanMs)
    return keep(record, lastUsed, `${into}, but too new`)
  return { record, prune: true, reason: into, lastUsed, failed: false }
}

/** Changes that arrived as other commits count only when the host has deleted the branch: they may be a coincidence. */
async function findTarget(git: GitBranches, tip: BranchTip, targets: readonly string[]): Promise<string | undefined> {
  for (const target of targets.filter((ref) => ref !== `refs/heads/${tip.name}`)) {
    const name = target.replace(/^refs\/(heads|remotes)\//, '')
    if (await git.isAncestor(tip.commit, target)) return `merged into ${name}`
    if (!tip.upstreamGone) continue
    if (await git.isCherryPicked(tip.commit, target)) return `rebased onto ${name}, upstream gone`
    if (await git.isSquashed(tip.commit, target)) return `squashed into ${name}, upstream gone`
  }
  return undefined
}

function keep(record: WorkspaceRecord, lastUsed: string, reason: string): Verdict {
  return { record, prune: false, reason, lastUsed, failed: false }
}

/** It may be at work, or its user may come back to it; undefined where neither is so. */
async function whyInUse(app: App, { record, lastUsed: dated }: Verdict, now: number): Promise<string | undefined> {
  const lock = findLock(record)
  if (lock !== undefined) return lock
  const used = Math.max(lastUsed(app.home, record), Date.parse(dated))
  if (now - used < DAY_MS) return 'it was made or used in the last 24 hours'
  const { state } = await observeOne(app, record)
  return state === 'running' || state === 'paused' ? `it is ${state}` : undefined
}

async function prune(app: App, verdict: Verdict, { dryRun, now = Date.now() }: PruneRequest): Promise<Verdict> {
  const inUse = await whyInUse(app, verdict, now)
  if (inUse !== undefined) return { ...verdict, prune: false, reason: `${verdict.reason}, but ${inUse}` }
  try {
    const wish = { force: false, deleteBranch: false, trash: true, dryRun }
    const { data, trash } = await deleteWorkspace(app, verdict.record, wish)
    if (data === '' || (trash === null && !dryRun)) return verdict
    return { ...verdict, reason: `${verdict.reason}; ${dryRun ? 'to' : 'in'} the trash: ${data}` }
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const reason = `${verdict.reason}, but ${error.message.replace(/\.$/, '')}`
    return { ...verdict, prune: false, reason, failed: error.code !== 'WORKSPACE_DIRTY' }
  }
}
