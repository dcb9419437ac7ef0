/**
 * What would be lost with a workspace: changes, commits of submodules and of a detached HEAD, and in a git dir of its own
 * stashes and commits that did not come back. Nothing of the tree is run on this machine to find out.
 */
import { existsSync } from 'node:fs'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { parseStatus } from '../tools/git-failures.ts'
import { countPrivateStashes } from '../tools/private-refs.ts'
import { readBranch } from '../tools/repository.ts'
import type { App } from './app.ts'
import { privatePlace, repositoryOf } from './current-branch.ts'
import { lookWithGit } from './git-look.ts'
import { observeOne } from './observe.ts'

const LOOK_TIMEOUT_MS = 60_000
const STATUS = ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=none']
const UNPUSHED = 'test "$(git rev-list --count HEAD --not --remotes)" = 0 || echo "$displaypath"'

/** Changed and untracked paths, as `git status --porcelain` names them. */
export async function listChanges(
  app: App,
  record: WorkspaceRecord,
  running: boolean,
  timeoutMs = LOOK_TIMEOUT_MS,
): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined) return []
  if (record.gitMode !== 'private') return app.inertGit.listChanges(repository, timeoutMs)
  return lookWithGit(app, record, running, async (git) => parseStatus((await git(STATUS, { timeoutMs })).stdout))
}

/** In a dry run nothing comes back from a git dir of the workspace's own. */
export async function listLosses(
  app: App,
  record: WorkspaceRecord,
  { dryRun }: { readonly dryRun: boolean },
): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined || !existsSync(`${repository.worktree}/.git`)) return []
  return record.gitMode === 'private' ? lossesOfOwnGit(app, record, dryRun) : lossesOfShared(app, record)
}

async function lossesOfShared(app: App, record: WorkspaceRecord): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined) return []
  const { inertGit } = app
  const [changes, submodules, detached] = await Promise.all([
    inertGit.listChanges(repository),
    inertGit.listUnpushedSubmodules(repository),
    readBranch(repository.worktree) === null ? inertGit.countUniqueCommits(repository, 'HEAD') : 0,
  ])
  return [
    ...changes,
    ...submodules.map(unpushed),
    ...(detached === 0 ? [] : [`${detached} commits on a detached HEAD`]),
  ]
}

/** Brings back first: what came back is not lost. */
async function lossesOfOwnGit(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<readonly string[]> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(`${place.path}/HEAD`)) return []
  const running = (await observeOne(app, record)).state === 'running'
  const [changes, submodules, commits] = await Promise.all([
    listChanges(app, record, running),
    existsSync(`${place.worktree}/.gitmodules`) ? unpushedSubmodules(app, record, running) : [],
    dryRun ? [] : commitsThatStay(app, record, running),
  ])
  const stashes = countPrivateStashes(place.path)
  return [
    ...changes,
    ...submodules.map(unpushed),
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
  const { bringBack, tell } = await import('./bring-back.ts')
  try {
    tell(app, record, await bringBack(app, record, running))
    return []
  } catch (error) {
    if (error instanceof NexusError && error.code === 'DIVERGED') return [`commits inside: ${error.message}`]
    throw error
  }
}

function unpushed(path: string): string {
  return `commits of submodule ${path} that are not pushed`
}
