/**
 * The records of this instance's workspaces: one JSON file each, in the workspace's own folder. A record holds what cannot
 * be observed (id, name, leases' owner, intent, the operation in progress); a record that cannot be read is set aside and
 * reported, and never takes the others with it.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { isWorkspaceId, type WorkspaceId } from '../core/names.ts'
import { type HomePaths, workspacePaths } from '../core/paths.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { forgetActivity } from '../record/last-use.ts'
import { migrateRecord } from '../record/migrate.ts'
import { isRecordOf, RECORD_SCHEMA } from '../record/reader.ts'
import {
  linkOnce,
  listFolder,
  readIfPresent,
  readJson,
  removeIfEmpty,
  removeTree,
  renameInto,
  writeFileAtomic,
  writeGenerated,
} from '../system/store.ts'
import { removeAbandoned } from '../system/temporary.ts'

export type Records = ReturnType<typeof createRecords>

export function createRecords(home: HomePaths, warn: (text: string) => void) {
  const fileOf = (id: WorkspaceId) => workspacePaths(home, id).record

  /** A damaged record is set aside; what an operation found when it began (see `journal`) takes its place. */
  async function load(id: WorkspaceId): Promise<WorkspaceRecord | undefined> {
    const file = fileOf(id)
    let damaged: string | undefined
    const setAside = (kept: string) => {
      damaged = kept
    }
    const read = (path: string, onDamage: (kept: string) => void) =>
      readJson<WorkspaceRecord>(path, RECORD_SCHEMA, onDamage, (data) => isRecordOf(data, id), migrateRecord)
    const record = await read(file, setAside)
    if (damaged === undefined) return record
    const before = await read(beforeOf(file), () => {})
    if (before !== undefined) await renameInto(beforeOf(file), file)
    const instead = before === undefined ? '' : '; what it was before the last operation is used'
    warn(`the record of ${id} was damaged; it was kept as ${damaged}${instead}`)
    return before
  }

  /** All records, oldest first. */
  async function list(): Promise<readonly WorkspaceRecord[]> {
    const ids = (await listFolder(home.workspaces)).filter(isWorkspaceId)
    const records = await Promise.all(ids.map(load))
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => (a.createdAt === b.createdAt ? a.id.localeCompare(b.id) : a.createdAt.localeCompare(b.createdAt)))
  }

  const textOf = (record: WorkspaceRecord) => `${JSON.stringify(record, null, 1)}\n`

  /** Survives a power cut when it returns. */
  async function save(record: WorkspaceRecord): Promise<void> {
    await writeFileAtomic(fileOf(record.id), textOf(record))
    if (record.operation === null) await removeTree(beforeOf(fileOf(record.id)))
  }

  /**
   * Survives the end of this process; cheap enough for every step of an operation. A power cut may tear what is not synced, so the
   * last record that was stays beside it, until the next `save`.
   */
  async function journal(record: WorkspaceRecord): Promise<void> {
    linkOnce(fileOf(record.id), beforeOf(fileOf(record.id)))
    await writeGenerated(fileOf(record.id), textOf(record))
  }

  /** The record itself goes last: while there is anything of a workspace, there is what tells of it. */
  async function remove(id: WorkspaceId): Promise<void> {
    const { dir, record } = workspacePaths(home, id)
    forgetActivity(home, id)
    const others = (await listFolder(dir)).filter((name) => join(dir, name) !== record)
    await Promise.all(others.map((name) => removeTree(join(dir, name))))
    await removeTree(dir)
  }

  /** Folders that a process left that was killed before it wrote the record. Under the lock that new records are written under. */
  async function removeEmpty(): Promise<void> {
    const ids = (await listFolder(home.workspaces)).filter(isWorkspaceId)
    const unwritten = ids.filter((id) => !existsSync(fileOf(id)))
    for (const id of unwritten) {
      removeAbandoned(workspacePaths(home, id).dir)
      await removeIfEmpty(workspacePaths(home, id).dir)
    }
  }

  return { load, list, save, journal, remove, removeEmpty }
}

function beforeOf(file: string): string {
  return `${file}.before`
}

const INSTANCE = /^[0-9a-f]{16}$/

/**
 * The random id of this home, made at first use. Everything on the engine carries it, so that one that is lost or damaged is taken from
 * what was generated with it.
 * @throws {NexusError} CONFIG_INVALID where that is not possible: with another id, nothing would know its workspaces any more
 */
export async function loadInstance(home: HomePaths): Promise<string> {
  const read = async () => (await readIfPresent(home.instance))?.trim()
  const present = await read()
  if (present !== undefined && INSTANCE.test(present)) return present
  const { withLock } = await import('../system/lock.ts')
  return withLock(home.instance, async () => {
    const now = await read()
    if (now !== undefined && INSTANCE.test(now)) return now
    const instance = await findInstance(home, now)
    await writeFileAtomic(home.instance, `${instance}\n`)
    return instance
  })
}

async function findInstance(home: HomePaths, damaged: string | undefined): Promise<string> {
  const ids = (await listFolder(home.workspaces)).filter(isWorkspaceId)
  for (const id of ids) {
    const text = await readIfPresent(workspacePaths(home, id).composeFile)
    const said = /dev\.nexus\.instance["']?:\s*["']?([0-9a-f]{16})\b/.exec(text ?? '')?.[1]
    if (said !== undefined) return said
  }
  if (damaged === undefined || ids.length === 0) return randomBytes(8).toString('hex')
  throw new NexusError('CONFIG_INVALID', `${home.instance} is damaged, and no workspace tells what it was.`, {
    hint: `To find it, run \`docker ps -a --format '{{.Label "dev.nexus.instance"}}'\`, and write it into that file`,
  })
}
