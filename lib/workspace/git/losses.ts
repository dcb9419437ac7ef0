/**
 * What a delete would lose: uncommitted and untracked files, unfinished work, commits that no branch has. What git ignores does
 * not count: it is made again, or was copied here; with `--force` it goes to the trash with the rest.
 */
import { NexusError } from '../../core/errors.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { isLinked, listUnfinished, readBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'
import { isEmpty } from '../drift.ts'
import { isHalfMade } from './worktree-owner.ts'

const LOOK_TIMEOUT_MS = 60_000

/** Changed and untracked paths, as `git status --porcelain` names them. Nothing of the tree is run on this machine. */
export async function listChanges(
  app: App,
  record: WorkspaceRecord,
  timeoutMs = LOOK_TIMEOUT_MS,
): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined) return []
  if (record.gitMode !== 'private') return app.inertGit.listChanges(repository, timeoutMs)
  return (await import('./private-losses.ts')).listPrivateChanges(app, record, repository, timeoutMs)
}

/**
 * A line for each thing. With `bring`, commits come back first from a git dir of the workspace's own.
 * @throws {NexusError} GIT_ERROR and the like where git cannot look
 */
export async function listLosses(app: App, record: WorkspaceRecord, bring: boolean): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined || isUntouched(record, repository.worktree)) return []
  const { gitDir, worktree } = repository
  if (!isLinked(gitDir, worktree)) return [`everything in ${worktree}: it is no worktree of ${gitDir} any more`]
  if (record.gitMode === 'private') return (await import('./private-losses.ts')).privateLosses(app, record, bring)
  const { inertGit } = app
  const [changes, submodules, detached] = await Promise.all([
    inertGit.listChanges(repository),
    inertGit.listUnpushedSubmodules(repository),
    readBranch(worktree) === null ? inertGit.countUniqueCommits(repository, 'HEAD') : 0,
  ])
  return [
    ...changes,
    ...listUnfinished(worktree).map((word) => `an unfinished ${word}`),
    ...submodules.map((path) => `commits of submodule ${path} that are not pushed`),
    ...(detached === 0 ? [] : [`${detached} commits on a detached HEAD`]),
  ]
}

/** Its folder is gone or empty, or was never finished and holds nothing of the user's. */
export function isUntouched(record: WorkspaceRecord, worktree: string): boolean {
  return isHalfMade(record) || isEmpty(worktree)
}

/** @throws {NexusError} WORKSPACE_DIRTY with what would be lost */
export async function refuseLoss(app: App, record: WorkspaceRecord): Promise<void> {
  const lost = await listLosses(app, record, true)
  if (lost.length === 0) return
  const more = lost.length > 20 ? `\n... and ${lost.length - 20} more` : ''
  throw new NexusError(
    'WORKSPACE_DIRTY',
    `Workspace ${record.name} holds ${lost.length === 1 ? 'a change' : `${lost.length} changes`} that would be lost.`,
    {
      hint: `To delete it and keep them in the trash for a while, run \`nexus delete ${record.name} --force\``,
      details: { lost: lost.slice(0, 1000) },
      output: `${lost.slice(0, 20).map(printable).join('\n')}${more}`,
    },
  )
}
