/** What the steps of a delete do, each by itself. */
import { existsSync } from 'node:fs'
import type { Backend } from '../../backends/backend.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type App, releaseAll } from '../app.ts'
import { removeFolder } from '../foreign-files.ts'
import { unmarkWorktree } from '../git/marker.ts'
import { observeOne } from '../observe.ts'
import type { Actions, Added, Carried, Progress } from '../operation/apply.ts'
import { withRepository } from '../operation/operate.ts'
import { admitNamed, findSettings, runHook, tryHook } from '../stack/hooks.ts'
import { removeEmptyFolders } from '../worktree-place.ts'
import type { Keeping } from './kept-data.ts'
import type { TrashEntry } from './trash.ts'

/** As it was decided; no step changes it. */
export interface Doomed {
  readonly app: App
  readonly backend: Backend
  readonly keeping: Keeping | undefined
  /** Where its branch goes, the commit that it may be on. */
  readonly branchCommit: string | undefined
  /** Also what came from inside and is found nowhere else. */
  readonly forgetAll: boolean
  readonly preDelete: PreDelete | undefined
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
    remove: { run: ({ record }) => backend.lifecycle.remove(record, volumesIn(keeping)) },
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

async function deleteBranch({ app, branchCommit }: Doomed, record: WorkspaceRecord): Promise<void> {
  if (branchCommit === undefined) return
  await inRepository(app, record, () => app.git.deleteBranch(record.repo, record.branch, branchCommit))
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
