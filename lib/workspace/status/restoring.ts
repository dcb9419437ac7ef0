/**
 * The notes of the trash as far as every verb looks at them, and restores that began and did not end: their worktree may have all files,
 * and the trash still has the id and the volumes. Until one is finished nobody else takes the worktree or the name, and nothing of its
 * entry is dropped.
 */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { migrateRecord } from '../../record/migrate.ts'
import { isRecord } from '../../record/reader.ts'
import { listFolder, readJson } from '../../system/store.ts'
import { findHere } from '../../tools/repository.ts'
import type { App } from '../app.ts'

export interface TrashNote {
  readonly schema: 2
  readonly key: string
  readonly record: WorkspaceRecord
  /** A restore that began: where to. */
  readonly restoring?: { readonly worktree: string; readonly name: string }
}

export interface Restoring {
  readonly worktree: string
  readonly name: string
  readonly repo: string
  readonly text: string
  /** Finishes it. */
  readonly command: string
}

export const noteOf = (app: App, { key }: Pick<TrashNote, 'key'>) => join(app.home.trash, key, 'entry.json')

/** All notes that can be read, in no order. */
export async function readNotes<T extends TrashNote>(app: App): Promise<readonly T[]> {
  const keys = await listFolder(app.home.trash)
  const warn = (kept: string) => app.emit({ type: 'warning', text: `a note in the trash was damaged: see ${kept}` })
  const read = (key: string) =>
    readJson<T>(noteOf(app, { key }), 2, warn, ({ record }) => isRecord(record), migrateNote)
  const notes = await Promise.all(keys.map(read))
  return notes.filter((note) => note !== undefined)
}

/** Of schema 1, which had a record of schema 1. */
function migrateNote<T extends TrashNote>(note: T): T {
  return { ...note, schema: 2, record: migrateRecord(note.record) }
}

/** What leads to an entry from here: the name of its workspace, or its key where that is there more than once or of elsewhere. */
export function leadTo(app: App, notes: readonly TrashNote[], { key, record }: TrashNote): string {
  const named = notes.filter((note) => note.record.name === record.name)
  return named.length === 1 && findHere(app.cwd)?.root === record.repo ? record.name : key
}

/** With the record it is done, but for the entry. */
export function isUnderWay(records: readonly WorkspaceRecord[], { restoring }: TrashNote): boolean {
  return restoring !== undefined && records.every(({ local }) => local?.worktree !== restoring.worktree)
}

/** Costs one look where there is no trash. */
export async function listRestoring(app: App): Promise<readonly Restoring[]> {
  const notes = await readNotes(app)
  if (notes.every(({ restoring }) => restoring === undefined)) return []
  const records = await app.records.list()
  return notes.flatMap((note) => {
    const { restoring, record } = note
    if (restoring === undefined || !isUnderWay(records, note)) return []
    const as = restoring.name === record.name ? '' : ` --as ${shellWord(restoring.name)}`
    const command = `nexus trash restore ${leadTo(app, notes, note)}${as}`
    return [{ ...restoring, repo: record.repo, text: `the restore of ${restoring.name} was interrupted`, command }]
  })
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
