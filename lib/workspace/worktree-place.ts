/**
 * Where worktrees lie, and that other users of this machine cannot enter there: `.worktree` in the repository, or the repository's
 * folder in `worktree_dir`. Nexus makes both with mode 0700. The worktree below has ordinary modes, since containers mount it
 * itself, and services in them run as all kinds of users.
 */
import { existsSync, lstatSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Settings } from '../config/load.ts'
import { NexusError } from '../core/errors.ts'
import { repoLabel } from '../core/names.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { closeFolder } from '../system/modes.ts'
import { makeFolder, removeIfEmpty } from '../system/store.ts'
import type { App } from './app.ts'

const FOLDER = '.worktree'

/** The folder for the worktrees of a repository. */
export function worktreesFolder(settings: Placing, repo: string): string {
  const { worktreeDir } = settings
  return worktreeDir === undefined ? join(repo, FOLDER) : join(worktreeDir, repoLabel(basename(repo)))
}

/** Folders of a repository that are Nexus's to close. One that holds the repository itself is the user's. */
export function closedFolders(settings: Placing, repo: string): readonly string[] {
  const folders = [join(repo, FOLDER), worktreesFolder(settings, repo)]
  return [...new Set(folders)].filter((folder) => !`${repo}/`.startsWith(`${folder}/`))
}

type Placing = Pick<Settings, 'worktreeDir'>
type Placed = Pick<WorkspaceRecord, 'repo' | 'local'>

/**
 * Makes the folder of a workspace's worktree, in one that is closed to others.
 * @throws {NexusError} CONFIG_INVALID as `closeWorktrees`
 */
export async function makeWorktreePlace(app: App, record: Placed, settings: Placing): Promise<void> {
  await closeWorktrees(app, record, settings)
  if (record.local !== null) await makeFolder(record.local.worktree, 0o755)
}

/**
 * Closes the folder that a worktree lies in, also one that an older Nexus left open. A folder of the user's own, as after
 * `nexus adopt`, stays as it is.
 * @throws {NexusError} CONFIG_INVALID where the repository's own files have a link in place of `.worktree`
 */
export async function closeWorktrees(app: App, { repo, local }: Placed, settings: Placing): Promise<void> {
  const folder = dirname(local?.worktree ?? '')
  if (!closedFolders(settings, repo).includes(folder)) return
  await refuseCommittedLink(app, repo, folder)
  await closeFolder(folder, existsSync(repo) ? statSync(repo) : undefined)
}

/** The worktree's folder and the one that holds all worktrees, when nothing is in them. */
export async function removeEmptyFolders(worktree: string): Promise<void> {
  for (const folder of [worktree, dirname(worktree)]) await removeIfEmpty(folder)
}

/** A link that the user put there is the user's business; one that comes with a clone would choose who may read the worktrees. */
async function refuseCommittedLink(app: App, repo: string, folder: string): Promise<void> {
  if (folder !== join(repo, FOLDER) || lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return
  const target = await app.git.findFile(repo, 'HEAD', FOLDER)
  if (target === undefined) return
  throw new NexusError(
    'CONFIG_INVALID',
    `${folder} is a link to ${target} that the repository's own files bring along.`,
    {
      hint: 'Worktrees would lie where others may enter. To have them elsewhere, run `nexus config set worktree_dir <folder>`',
      details: { path: folder, target },
    },
  )
}
