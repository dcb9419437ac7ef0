/** What the steps of a delete do, each by itself. */
import { existsSync } from 'node:fs'
import type { Backend } from '../../backends/backend.ts'
import { workspacePaths } from '../../core/paths.ts'
import { shellWord } from '../../core/shell.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Ignored } from '../../project/ignored-work.ts'
import { findAdminDir } from '../../tools/repository.ts'
import { type App, releaseAll } from '../app.ts'
import { removeFolder } from '../foreign-files.ts'
import { dirty, findLosses } from '../git/losses.ts'
import { unmarkWorktree } from '../git/marker.ts'
import { observeOne } from '../observe.ts'
import type { Actions, Added, Carried, Progress } from '../operation/apply.ts'
import { withRepository } from '../operation/operate.ts'
import { admitNamed, findSettings, runHook, tryHook } from '../stack/hooks.ts'
import { removeEmptyFolders } from '../worktree-place.ts'
import type { Keeping } from './kept-data.ts'
import type { TrashEntry } from './trash.ts'

/** A file's time may be that much before the clock's. */
const CLOCK_GRAIN_MS = 100
const FIND_TIMEOUT_MS = 60_000

/** As it was decided; no step changes it. */
export interface Doomed {
  readonly app: App
  readonly backend: Backend
  readonly keeping: Keeping | undefined
  /** Where its branch goes. */
  readonly branch: DoomedBranch | undefined
  /** What was seen of ignored files; undefined where nobody looked. */
  readonly ignored: Ignored | undefined
  /** When that look began, in milliseconds since 1970. */
  readonly seenAt: number
  /** Something may write into its files until it is stopped. */
  readonly isInUse: boolean
  /** False: what would be kept is lost at once. */
  readonly hasTrash: boolean
  /** Also what came from inside and is found nowhere else. */
  readonly forgetAll: boolean
  readonly preDelete: PreDelete | undefined
}

export interface DoomedBranch {
  /** It goes only while it is there. */
  readonly commit: string
  readonly cause: string
  /** Its commits are found elsewhere: it goes only while that is so. */
  readonly isHeld: boolean
}

export interface DeleteCarried extends Carried {
  /** What the trash has of it. */
  readonly trash: TrashEntry | null
}

interface PreDelete {
  readonly command: string
  readonly run: () => Promise<void>
}

export function deleteActions(doomed: Doomed): Actions<DeleteCarried> {
  const { app, backend, keeping, preDelete } = doomed
  return {
    ...(preDelete === undefined ? {} : { 'pre-delete': { run: preDelete.run } }),
    remove: {
      run: async ({ record }) => {
        await backend.lifecycle.remove(record, volumesIn(keeping))
        return keepLateFiles(doomed, record)
      },
    },
    trash: { run: (carried) => keep(doomed, carried) },
    'worktree-remove': { run: ({ record }) => removeWorktree(app, record) },
    'branch-delete': { run: ({ record }) => deleteBranch(doomed, record) },
    release: { run: ({ record }) => releaseAll(app, record.id) },
    forget: { run: (carried, progress) => forget(doomed, carried, progress) },
  }
}

export function volumesIn(keeping: Keeping | undefined): readonly string[] {
  return keeping?.data.flatMap(({ volume }) => volume ?? []) ?? []
}

/**
 * The hook before a delete; only where it can run.
 * @throws {NexusError} HOOK_FAILED and APPROVAL_REQUIRED without `force`
 */
export async function findPreDelete(
  app: App,
  record: WorkspaceRecord,
  { force, dryRun }: { readonly force: boolean; readonly dryRun: boolean },
): Promise<PreDelete | undefined> {
  const settings = await findSettings(app, record, force && !dryRun ? ['pre-delete'] : [])
  const hook = settings?.hooks.get('pre-delete')
  if (settings === undefined || hook === undefined) return undefined
  const run = async () => {
    if (!force) await admitNamed(app, record, settings, ['pre-delete'])
    if (hook.on === 'container' && (await observeOne(app, record)).state !== 'running') {
      app.emit({ type: 'warning', text: 'the hook pre-delete was left out: the workspace does not run' })
    } else if (force) await tryHook(app, record, settings, 'pre-delete')
    else await runHook(app, record, settings, 'pre-delete')
  }
  return { command: hook.run, run }
}

async function keep({ app, keeping }: Doomed, { record }: DeleteCarried): Promise<Added<DeleteCarried>> {
  if (keeping === undefined) return {}
  return { trash: await (await import('./trash.ts')).putInTrash(app, record, keeping) }
}

/**
 * What a hook or a service wrote after the look at the files, in its last moment perhaps, goes to the trash with all of them.
 * @throws {NexusError} WORKSPACE_DIRTY where there is no trash, before a file is touched
 */
async function keepLateFiles(
  { app, keeping, ignored, seenAt, isInUse, hasTrash }: Doomed,
  record: WorkspaceRecord,
): Promise<Added<DeleteCarried>> {
  if (!isInUse || keeping?.files === true || record.local === null || record.local.adopted) return {}
  if (!(await isWritten(app, record, seenAt))) return {}
  const now = await findLosses(app, record, false)
  const before = new Set(ignored?.work.map(({ path }) => path))
  const made = ignored === undefined ? [] : now.ignored.work.map(({ path }) => path).filter((path) => !before.has(path))
  const lost = [...now.refused, ...made]
  if (lost.length === 0) return {}
  if (!hasTrash) throw dirty(record, lost)
  const kept = { data: [], dropped: [], branchCommit: undefined, ...keeping, files: true, lost }
  const trash = await (await import('./trash.ts')).putInTrash(app, record, kept)
  const more = lost.length > 5 ? ` and ${lost.length - 5} more` : ''
  const text = `in the trash, as it was written while ${record.name} was being deleted: ${lost.slice(0, 5).map(printable).join(', ')}${more}`
  app.emit({ type: 'warning', text, hint: `To have it back, run \`nexus trash restore ${record.name}\`` })
  return { trash }
}

/** By the times of the file system, so that the whole look is only made again where it can find something. */
async function isWritten({ runner, home }: App, { id, local }: WorkspaceRecord, since: number): Promise<boolean> {
  if (local === null) return false
  const { gitDir, worktree } = local
  const folders = [worktree, findAdminDir(gitDir, worktree)?.path, workspacePaths(home, id).privateGit]
  const there = folders.filter((path) => path !== undefined).filter((path) => existsSync(path))
  const newer = ['-newerct', `@${(since - CLOCK_GRAIN_MS) / 1000}`, '-print', '-quit']
  // of a folder that may not be read, code 1: then the look says what is there
  const { stdout, code } = await runner.run(['find', ...there, ...newer], {
    okCodes: 'any',
    timeoutMs: FIND_TIMEOUT_MS,
  })
  return stdout !== '' || code !== 0
}

async function removeWorktree(app: App, record: WorkspaceRecord): Promise<void> {
  const { local, repo } = record
  if (local === null) return
  const { worktree } = local
  const remove = (path: string) => removeFolder(app, record, path)
  await inRepository(app, record, () => app.git.removeWorktree(repo, worktree, remove))
  // also where its repository is gone
  if (existsSync(worktree)) await remove(worktree)
  await removeEmptyFolders(worktree)
}

/** It stays where it moved since the look, and where another delete took away what else had its commits. */
async function deleteBranch({ app, branch }: Doomed, record: WorkspaceRecord): Promise<void> {
  if (branch === undefined) return
  await inRepository(app, record, async () => {
    const now = await findBranch(app, record)
    if (now === undefined) return
    if (now.commit !== branch.commit || (branch.isHeld && now.uniqueCommits > 0)) {
      const text = `branch ${record.branch} stays: it got commits, or the last that are anywhere, since the delete began`
      app.emit({
        type: 'warning',
        text,
        hint: `To remove it, run \`git -C ${shellWord(record.repo)} branch -D ${shellWord(record.branch)}\``,
      })
      return
    }
    await app.git.deleteBranch(record.repo, record.branch, branch.commit)
  })
}

/** The workspace's branch, and how many of its commits are found nowhere else. */
export async function findBranch(app: App, { local, repo, branch }: WorkspaceRecord) {
  if (local === null || !existsSync(local.gitDir)) return undefined
  const ownRef = `refs/heads/${branch}`
  const ref = (await app.git.listRefs(repo, [ownRef])).find(({ name }) => name === ownRef)
  if (ref === undefined) return undefined
  const repository = { root: repo, gitDir: local.gitDir, worktree: repo }
  return { ...ref, uniqueCommits: await app.inertGit.countUniqueCommits(repository, ref.commit, ownRef) }
}

async function inRepository(app: App, { local }: WorkspaceRecord, body: () => Promise<void>): Promise<void> {
  if (local !== null && existsSync(local.gitDir)) await withRepository(app, local.gitDir, body)
}

async function forget(
  { app, forgetAll }: Doomed,
  { record, trash }: DeleteCarried,
  progress: Progress<DeleteCarried>,
): Promise<void> {
  await progress.setRecorded(false)
  if (record.gitMode === 'private') {
    const isKept = trash?.ownGit !== undefined
    await (await import('../git/private-git.ts')).forgetPrivateGit(app, record, { all: forgetAll, isKept })
  }
  await unmarkWorktree(record)
  await app.records.remove(record.id)
}
