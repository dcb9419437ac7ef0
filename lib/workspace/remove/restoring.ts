/**
 * A restore from the trash that began and did not end: its worktree may have all files, and the trash still has the id and the volumes.
 * Until it is finished nobody else takes the worktree or the name, and nothing of the entry is dropped.
 */
import { existsSync } from 'node:fs'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import type { TrashEntry } from './trash.ts'

export interface Restoring {
  readonly worktree: string
  readonly name: string
  readonly repo: string
  readonly text: string
  /** Finishes it. */
  readonly command: string
}

/** With the record it is done, but for the entry. */
export function isUnderWay(records: readonly WorkspaceRecord[], { restoring }: TrashEntry): boolean {
  return restoring !== undefined && records.every(({ worktree }) => worktree !== restoring.worktree)
}

/** Costs one look where there is no trash. */
export async function listRestoring(app: App): Promise<readonly Restoring[]> {
  if (!existsSync(app.home.trash)) return []
  const { listTrash, nameInTrash } = await import('./trash.ts')
  const [entries, records] = await Promise.all([listTrash(app), app.records.list()])
  const found = entries.flatMap((entry) =>
    entry.restoring !== undefined && isUnderWay(records, entry) ? [{ entry, ...entry.restoring }] : [],
  )
  return Promise.all(
    found.map(async ({ entry, worktree, name }) => {
      const as = name === entry.record.name ? '' : ` --as ${shellWord(name)}`
      const command = `nexus trash restore ${await nameInTrash(app, entry)}${as}`
      return { worktree, name, repo: entry.record.repo, text: `the restore of ${name} was interrupted`, command }
    }),
  )
}

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS for the worktree, or the name in the repository, of a restore that is not finished */
export async function refuseRestoring(app: App, wanted: { worktree: string | null; repo: string; name: string }) {
  const same = (await listRestoring(app)).find(
    ({ worktree, repo, name }) => worktree === wanted.worktree || (repo === wanted.repo && name === wanted.name),
  )
  if (same === undefined) return
  throw new NexusError('WORKSPACE_ALREADY_EXISTS', `The restore of ${same.name} was interrupted.`, {
    hint: `To finish it, run \`${same.command}\``,
    details: { worktree: same.worktree },
  })
}
