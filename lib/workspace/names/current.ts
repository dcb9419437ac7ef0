/**
 * The workspace that a folder of this machine belongs to: the one whose worktree it lies in, the innermost where one lies in
 * another. Records and paths alone are looked at, so that neither a submodule nor a repository inside leads astray.
 */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent } from '../../system/store.ts'
import { findRepository, linkOf, MARKER } from '../../tools/repository.ts'
import type { App } from '../app.ts'

/** The word that stands for it wherever a workspace is named; no workspace can be called so. */
export const CURRENT = 'current'

/** @throws {NexusError} WORKSPACE_NOT_FOUND when the folder is in no worktree of a workspace */
export async function requireCurrent(app: App, folder = app.cwd): Promise<WorkspaceRecord> {
  if (folder === app.cwd) requireCurrentFolder(app)
  const found = await findCurrent(app, folder)
  if (found !== undefined) return found
  throw new NexusError('WORKSPACE_NOT_FOUND', `The folder ${folder} belongs to no workspace.`, {
    hint: 'To see the workspaces and their folders, run `nexus list --all`',
    details: { folder },
  })
}

/** @throws {NexusError} REPOSITORY_NOT_FOUND where it was removed under the shell */
export function requireCurrentFolder({ cwd }: Pick<App, 'cwd'>): void {
  if (existsSync(cwd)) return
  const repo = findRepository(cwd)
  throw new NexusError('REPOSITORY_NOT_FOUND', `The current folder ${cwd} is not there any more.`, {
    hint: `To go to one that is, run \`cd${repo === undefined ? '' : ` ${shellWord(repo.root)}`}\``,
  })
}

export async function findCurrent(app: App, start = app.cwd): Promise<WorkspaceRecord | undefined> {
  const folder = realPath(start)
  const records = await app.records.list()
  const around = records
    .map((record) => ({ record, worktree: record.local === null ? undefined : realPath(record.local.worktree) }))
    .filter(({ worktree }) => worktree !== undefined && `${folder}/`.startsWith(`${worktree}/`))
    .sort((a, b) => (b.worktree ?? '').length - (a.worktree ?? '').length)
  return around[0]?.record ?? (await findMoved(folder, records))
}

/** A worktree that was moved by hand still has its id in git's own folder for it. */
async function findMoved(folder: string, records: readonly WorkspaceRecord[]): Promise<WorkspaceRecord | undefined> {
  for (let dir = folder; ; dir = dirname(dir)) {
    const admin = linkOf(dir)
    const id = admin === undefined ? undefined : (await readIfPresent(join(admin, MARKER)))?.trim()
    const record = id === undefined ? undefined : records.find((one) => one.id === id)
    // whoever is inside can write the mark: it counts for the repository that it lies in
    if (record?.local != null && admin?.startsWith(`${record.local.gitDir}/`)) return record
    if (dir === dirname(dir)) return undefined
  }
}

function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}
