/**
 * What a workspace with a git dir of its own holds beside its files: stashes, unfinished work, and commits that cannot come back; what
 * comes back is not lost. All of it is found on this machine, by the files of the worktree and of that git dir. Only what is staged and
 * marked is as the inside tells it.
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { OwnTree } from '../../tools/git-inert.ts'
import { countPrivateStashes, foldersIn, readWorktreeCommits } from '../../tools/private-refs.ts'
import { findAdminDir, listGitOperationsIn, type Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { type PrivatePlace, privatePlace } from '../current-branch.ts'
import { observeOne } from '../observe.ts'
import { bringBack, tell } from './bring-back.ts'
import { findMoved } from './moved.ts'
import { ownTreeOf } from './own-tree.ts'
import { refsOf } from './private-git.ts'

/** What is known of a workspace with a git dir of its own. */
export interface Inside {
  /** Undefined while nothing has begun there. */
  readonly own: OwnTree | undefined
  readonly gitDir: string
  /** Commits that cannot come back, in words. */
  readonly commits: readonly string[]
  readonly unfinished: readonly string[]
  readonly stashes: number
}

/** Against what is checked out inside, as far as it has come back. */
export async function listPrivateChanges(app: App, record: WorkspaceRecord, repository: Repository, timeoutMs: number) {
  return app.inertGit.listChanges(repository, timeoutMs, await ownTreeOf(app, record))
}

/** Null where the git dir was never made, so that nobody has worked with it. */
export async function lookInside(app: App, record: WorkspaceRecord, bring: boolean): Promise<Inside | null> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(join(place.path, 'HEAD'))) return null
  const stay = async () => ((await findMoved(app, record)) === undefined ? [] : ['commits inside that are not here'])
  const commits = await (bring ? commitsThatStay(app, record) : stay())
  const admin = basename(findAdminDir(place.gitDir, place.worktree)?.path ?? '')
  const begun = (name: string) => listGitOperationsIn(join(place.path, 'worktrees', name))
  const others = foldersIn(place.path, 'worktrees').filter((name) => name !== admin)
  return {
    own: await ownTreeOf(app, record),
    gitDir: place.path,
    commits: [...commits, ...(await commitsOfWorktrees(app, record, place, admin))],
    unfinished: [...begun(admin), ...others.flatMap((name) => begun(name).map((word) => `${word} in ${linked(name)}`))],
    stashes: countPrivateStashes(place.path),
  }
}

const linked = (name: string) => `the linked worktree ${name}`

/** What worktrees have beside branches is looked for by id: a detached HEAD of the workspace's own has come back. */
async function commitsOfWorktrees(app: App, record: WorkspaceRecord, place: PrivatePlace, admin: string) {
  const held = readWorktreeCommits(place.path)
  const repository = { root: place.repo, gitDir: place.gitDir, worktree: place.repo }
  const ids = [...new Set(held.map(({ id }) => id))]
  const lost = new Set(await app.inertGit.listUnreached(repository, ids, refsOf(record)))
  return held
    .filter(({ id }) => lost.has(id))
    .map(({ worktree, where }) => `commits ${where}${worktree === admin ? '' : ` of ${linked(worktree)}`}`)
}

async function commitsThatStay(app: App, record: WorkspaceRecord): Promise<readonly string[]> {
  const running = (await observeOne(app, record)).state === 'running'
  try {
    const back = await bringBack(app, record, running)
    tell(app, record, back)
    return back.failed.map(({ what, why }) => `${what}, which cannot come back: ${why}`)
  } catch (error) {
    if (error instanceof NexusError && error.code === 'DIVERGED') return [`commits inside: ${error.message}`]
    throw error
  }
}
