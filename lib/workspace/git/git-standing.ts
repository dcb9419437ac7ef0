/**
 * How a workspace's branch and files stand: commits ahead and behind of its upstream (else of what the main worktree has checked
 * out), what is not committed, what has not come back from a git dir of its own. Every look has a time limit of its own, runs
 * beside the others, and tells null where it fails: one bad thing hides no other.
 */

import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { localOf } from '../../core/record-parts.ts'
import type { Counterpart, GitStanding } from '../../core/status.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { countPrivateStashes, readPrivateBranches } from '../../tools/private-refs.ts'
import { findAdminDir, listGitOperations, listGitOperationsIn, readHeadBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { privateHead, privatePlace } from '../current-branch.ts'
import { askInside } from './git-look.ts'

const LOOK_TIMEOUT_MS = 2_000

/** Null for a workspace without local files. The branch is null where the worktree is on none. */
export async function standingOf(
  app: App,
  record: WorkspaceRecord,
  branch: string | null,
  running: boolean,
): Promise<GitStanding | null> {
  if (record.local === null || !existsSync(record.local.gitDir)) return null
  const there = existsSync(record.local.worktree)
  const [changes, apart, inside] = await Promise.all([
    there ? orNull(changesOf(app, record)) : null,
    orNull(apartOf(app, record, branch)),
    there && record.gitMode === 'private' ? orNull(countInside(app, record, branch ?? record.branch, running)) : null,
  ])
  const place = privatePlace(app.home, record)
  return {
    upstream: apart?.against?.kind === 'upstream' ? apart.against.name : null,
    against: apart?.against ?? null,
    ahead: apart?.ahead ?? null,
    behind: apart?.behind ?? null,
    modified: changes?.modified ?? null,
    untracked: changes?.untracked ?? null,
    conflicts: changes?.conflicts ?? null,
    notBroughtBack: inside,
    stashes: place === undefined ? null : countPrivateStashes(place.path),
    unfinished: there ? unfinishedOf(app, record) : [],
    toldInside: place === undefined ? [] : ['notBroughtBack', 'stashes', 'unfinished'],
  }
}

interface Changes {
  readonly modified: number
  readonly untracked: number
  readonly conflicts: number
}

async function changesOf(app: App, record: WorkspaceRecord): Promise<Changes> {
  const { listChanges } = await import('./losses.ts')
  return countChanges(await listChanges(app, record, LOOK_TIMEOUT_MS))
}

/** From lines as `git status --porcelain` has them. */
export function countChanges(lines: readonly string[]): Changes {
  const words = lines.map((line) => line.slice(0, 2))
  const untracked = words.filter((word) => word === '??').length
  const conflicts = words.filter((word) => word.includes('U') || word === 'AA' || word === 'DD').length
  return { modified: words.length - untracked - conflicts, untracked, conflicts }
}

interface Apart {
  readonly against: Counterpart | null
  readonly ahead: number
  readonly behind: number
}

async function apartOf(app: App, record: WorkspaceRecord, branch: string | null): Promise<Apart | null> {
  const { gitDir, worktree } = localOf(record)
  if (branch === null) {
    const admin = findAdminDir(gitDir, worktree)
    return admin === undefined ? null : apartFromHead(app, record, `worktrees/${basename(admin.path)}/HEAD`)
  }
  const tracking = await app.git.findTracking(record.repo, branch, LOOK_TIMEOUT_MS)
  if (tracking === undefined) return null
  if (tracking.counts !== undefined)
    return { against: { name: tracking.upstream, kind: 'upstream' }, ...tracking.counts }
  return readHeadBranch(gitDir) === branch ? null : apartFromHead(app, record, `refs/heads/${branch}`)
}

/** From what the main worktree has checked out. */
async function apartFromHead(app: App, record: WorkspaceRecord, revision: string): Promise<Apart> {
  const head = readHeadBranch(localOf(record).gitDir)
  const [behind, ahead] = await app.git.countApart(record.repo, 'HEAD', revision)
  return { against: { name: head ?? 'HEAD', kind: 'main-worktree' }, ahead, behind }
}

/** Commits that were made inside and that the repository's branch does not have. */
async function countInside(
  app: App,
  record: WorkspaceRecord,
  branch: string,
  running: boolean,
): Promise<number | null> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return null
  const inside = readPrivateBranches(place.path).get(branch) ?? privateHead(app.home, record)?.commit ?? undefined
  const here = await app.git.findCommit(record.repo, `refs/heads/${branch}`)
  if (inside === undefined) return null
  if (inside === here) return 0
  if (here !== undefined && (await app.git.findCommit(record.repo, inside)) !== undefined)
    return app.git.countCommits(record.repo, here, inside)
  // inside, what the repository has is there too
  const without = here === undefined ? [] : ['--not', here]
  const args = ['rev-list', '--count', inside, ...without]
  const { stdout } = await askInside(app, record, running, args, { timeoutMs: LOOK_TIMEOUT_MS })
  // how many is as the inside tells it; that there is something is known from its files
  const counted = Number(stdout.trim())
  return Number.isSafeInteger(counted) ? Math.max(1, counted) : null
}

function unfinishedOf(app: App, record: WorkspaceRecord): readonly string[] {
  const place = privatePlace(app.home, record)
  if (place === undefined) return listGitOperations(localOf(record).worktree)
  const admin = findAdminDir(place.gitDir, place.worktree)?.path ?? ''
  return listGitOperationsIn(join(place.path, 'worktrees', basename(admin)))
}

/** Whatever is wrong with one look is told as "not known", and by the commands that are about it. */
async function orNull<T>(look: Promise<T>): Promise<T | null> {
  try {
    return await look
  } catch {
    return null
  }
}
