/**
 * What would be lost with a workspace that has a git dir of its own, asked of git where that is: changes, stashes, unfinished
 * work, and commits that cannot come back. What comes back is not lost.
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { parseStatus } from '../../tools/git-failures.ts'
import { listStrays, submodulePaths } from '../../tools/git-inert.ts'
import { countPrivateStashes } from '../../tools/private-refs.ts'
import { findAdminDir, listUnfinishedIn } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { privatePlace } from '../current-branch.ts'
import { observeOne } from '../observe.ts'
import { bringBack, tell } from './bring-back.ts'
import { lookWithGit } from './git-look.ts'

const LOOK_TIMEOUT_MS = 60_000
const STATUS = ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=none']
const UNPUSHED = 'test "$(git rev-list --count HEAD --not --remotes)" = 0 || echo "$displaypath"'

export function listPrivateChanges(app: App, record: WorkspaceRecord, running: boolean, timeoutMs: number) {
  const worktree = record.worktree ?? ''
  return lookWithGit(app, record, running, async (git) => {
    const changes = parseStatus(await git(STATUS, { timeoutMs }))
    if (!existsSync(join(worktree, '.gitmodules'))) return changes
    const paths = submodulePaths((await git(['ls-files', '--stage', '-z'], { timeoutMs })).stdout)
    return [...changes, ...paths.flatMap((path) => listStrays(worktree, path))]
  })
}

export async function privateLosses(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<readonly string[]> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(join(place.path, 'HEAD'))) return []
  const running = (await observeOne(app, record)).state === 'running'
  const [changes, submodules, commits] = await Promise.all([
    listPrivateChanges(app, record, running, LOOK_TIMEOUT_MS),
    existsSync(join(place.worktree, '.gitmodules')) ? unpushedSubmodules(app, record, running) : [],
    dryRun ? [] : commitsThatStay(app, record, running),
  ])
  const admin = findAdminDir(place.gitDir, place.worktree)?.path ?? ''
  const stashes = countPrivateStashes(place.path)
  return [
    ...changes,
    ...listUnfinishedIn(join(place.path, 'worktrees', basename(admin))).map((word) => `an unfinished ${word}`),
    ...submodules.map((path) => `commits of submodule ${path} that are not pushed`),
    ...commits,
    ...(stashes === 0 ? [] : [stashes === 1 ? 'a stash' : `${stashes} stashes`]),
  ]
}

async function unpushedSubmodules(app: App, record: WorkspaceRecord, running: boolean): Promise<readonly string[]> {
  const args = ['submodule', 'foreach', '--quiet', '--recursive', UNPUSHED]
  const { stdout } = await lookWithGit(app, record, running, (git) => git(args))
  return stdout.split('\n').filter((line) => line !== '')
}

async function commitsThatStay(app: App, record: WorkspaceRecord, running: boolean): Promise<readonly string[]> {
  try {
    tell(app, record, await bringBack(app, record, running))
    return []
  } catch (error) {
    if (error instanceof NexusError && error.code === 'DIVERGED') return [`commits inside: ${error.message}`]
    throw error
  }
}
