/**
 * What would be lost with a workspace that has a git dir of its own: changes, stashes, unfinished work, and commits that cannot
 * come back; what comes back is not lost. All of it is found on this machine, by the files of the worktree and of that git dir.
 * Only what is staged is as the inside tells it.
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { countPrivateStashes } from '../../tools/private-refs.ts'
import { findAdminDir, listUnfinishedIn, type Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { privatePlace, repositoryOf } from '../current-branch.ts'
import { observeOne } from '../observe.ts'
import { bringBack, tell } from './bring-back.ts'
import { ownTreeOf } from './own-tree.ts'

/** Against what is checked out inside, as far as it has come back. */
export async function listPrivateChanges(app: App, record: WorkspaceRecord, repository: Repository, timeoutMs: number) {
  return app.inertGit.listChanges(repository, timeoutMs, await ownTreeOf(app, record))
}

export async function privateLosses(app: App, record: WorkspaceRecord, bring: boolean): Promise<readonly string[]> {
  const place = privatePlace(app.home, record)
  const repository = repositoryOf(record)
  if (place === undefined || repository === undefined || !existsSync(join(place.path, 'HEAD'))) return []
  // what comes back first is what the files are compared with
  const commits = bring ? await commitsThatStay(app, record) : []
  const own = await ownTreeOf(app, record)
  const [changes, submodules, staged] = await Promise.all([
    app.inertGit.listChanges(repository, undefined, own),
    app.inertGit.listUnpushedSubmodules(repository, own),
    own === undefined ? [] : app.inertGit.listStaged(repository, own),
  ])
  const admin = findAdminDir(place.gitDir, place.worktree)?.path ?? ''
  const stashes = countPrivateStashes(place.path)
  const known = new Set(changes.map((change) => change.slice(3)))
  return [
    ...changes,
    ...staged
      .filter((change) => !known.has(change.slice(3)))
      .map((change) => `${change} (staged, as the inside tells it)`),
    ...listUnfinishedIn(join(place.path, 'worktrees', basename(admin))).map((word) => `an unfinished ${word}`),
    ...submodules.map((path) => `commits of submodule ${path} that are not pushed`),
    ...commits,
    ...(stashes === 0 ? [] : [stashes === 1 ? 'a stash' : `${stashes} stashes`]),
  ]
}

async function commitsThatStay(app: App, record: WorkspaceRecord): Promise<readonly string[]> {
  const running = (await observeOne(app, record)).state === 'running'
  try {
    tell(app, record, await bringBack(app, record, running))
    return []
  } catch (error) {
    if (error instanceof NexusError && error.code === 'DIVERGED') return [`commits inside: ${error.message}`]
    throw error
  }
}
