/**
 * Merges a workspace's branch into what the main worktree is on, as `git merge` by hand would, with the user's own
 * configuration. Conflicts are found before a file is touched, and whatever fails later is taken back.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { removeTree } from '../../system/store.ts'
import { listUnfinishedIn, readHeadBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { observeOne } from '../observe.ts'
import { withRepository } from '../operation/operate.ts'
import { listChanges } from './losses.ts'
import { lookAtPrograms } from './merge-programs.ts'

export interface MergeRequest {
  readonly squash: boolean
  /** The branch that the main worktree must be on; undefined for any. */
  readonly into: string | undefined
  readonly dryRun: boolean
}

export interface Merged {
  readonly into: string
  readonly branch: string
  /** How many commits came in; in a dry run would. */
  readonly commits: number
  /** What the branch is at now. */
  readonly commit: string
}

/**
 * @throws {NexusError} SYNC_CONFLICT with the files; WORKSPACE_DIRTY for changes in the main worktree; nothing is changed then
 */
export async function mergeWorkspace(app: App, record: WorkspaceRecord, request: MergeRequest): Promise<Merged> {
  const { repo, branch, gitDir } = record
  if (gitDir === null) {
    throw new NexusError('UNSUPPORTED', `Workspace ${record.name} has no branch on this machine.`, {
      hint: `To see where it runs, run \`nexus status ${record.name}\``,
    })
  }
  const into = requireInto(record, gitDir, request.into)
  const running = (await observeOne(app, record)).state === 'running'
  if (record.gitMode === 'private' && !request.dryRun) {
    const { bringBack, tell } = await import('./bring-back.ts')
    tell(app, record, await bringBack(app, record, running))
  }
  await tellUncommitted(app, record, running)
  return withRepository(app, gitDir, async () => {
    await requireClean(app, record, gitDir)
    const commits = await app.git.countCommits(repo, 'HEAD', `refs/heads/${branch}`)
    if (commits > 0) refuseConflicts(record, into, await app.git.listConflicts(repo, 'HEAD', `refs/heads/${branch}`))
    if (commits > 0 && !request.dryRun) await merge(app, record, into, request.squash)
    return { into, branch, commits, commit: (await app.git.findCommit(repo, 'HEAD')) ?? '' }
  })
}

function requireInto({ name, repo, branch }: WorkspaceRecord, gitDir: string, wanted: string | undefined): string {
  const now = readHeadBranch(gitDir)
  if (now !== null && now !== branch && (wanted === undefined || wanted === now)) return now
  const is = now === null ? 'no branch' : `branch ${now}`
  throw new NexusError(
    'INVALID_ARGUMENT',
    `The main worktree ${repo} is on ${is}, so ${name} cannot be merged there.`,
    {
      hint: `To change that, run \`git -C ${repo} switch ${wanted ?? 'main'}\``,
      details: { branch: now },
    },
  )
}

async function requireClean(app: App, { repo }: WorkspaceRecord, gitDir: string): Promise<void> {
  const [unfinished] = listUnfinishedIn(gitDir)
  const changes = await app.inertGit.listChanges({ root: repo, gitDir, worktree: repo })
  const tracked = changes.filter((change) => !change.startsWith('??'))
  if (unfinished === undefined && tracked.length === 0) return
  const what = unfinished === undefined ? 'changes that are not committed' : `an unfinished ${unfinished}`
  throw new NexusError('WORKSPACE_DIRTY', `The main worktree ${repo} holds ${what}.`, {
    hint: `To see it, run \`git -C ${repo} status\``,
    details: { changes: tracked.slice(0, 1000), unfinished: unfinished ?? null },
    output: tracked.slice(0, 20).join('\n'),
  })
}

async function tellUncommitted(app: App, record: WorkspaceRecord, running: boolean): Promise<void> {
  const changes = await listChanges(app, record, running)
  if (changes.length === 0) return
  const what = changes.length === 1 ? 'a change' : `${changes.length} changes`
  app.emit({ type: 'warning', text: `${what} in ${record.name} that is not committed takes no part` })
}

function refuseConflicts(record: WorkspaceRecord, into: string, files: readonly string[]): void {
  if (files.length > 0) throw conflict(record, into, files)
}

function conflict({ name, branch }: WorkspaceRecord, into: string, files: readonly string[]): NexusError {
  const count = files.length === 1 ? 'a file' : `${files.length} files`
  return new NexusError(
    'SYNC_CONFLICT',
    `Branch ${branch} and ${into} changed ${count} in different ways; nothing was merged.`,
    {
      hint: `To settle it in the workspace, run \`nexus exec ${name} -- git merge ${into}\``,
      details: { files, branch, into },
      output: files.slice(0, 20).join('\n'),
    },
  )
}

async function merge(app: App, record: WorkspaceRecord, into: string, squash: boolean): Promise<void> {
  const { repo, branch } = record
  const onLine = (line: string) => app.emit({ type: 'progress', text: line })
  const whose = await lookAtPrograms(app, record)
  const added = (await app.git.listAdded(repo, branch)).filter((path) => !existsSync(join(repo, path)))
  try {
    await app.interruption.undoable(() => app.git.merge(repo, branch, { squash, whose, onLine }))
  } catch (error) {
    const files = await app.git.listUnmerged(repo)
    app.interruption.reset()
    await app.git.undoMerge(repo)
    // files that git wrote and then did not take in
    for (const path of added) await removeTree(join(repo, path))
    throw files.length > 0 ? conflict(record, into, files) : error
  }
}
