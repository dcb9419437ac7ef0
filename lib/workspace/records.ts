/**
 * The records of this instance's workspaces: one JSON file each, in the workspace's own folder. A record holds what cannot
 * be observed (id, name, leases' owner, intent, the operation in progress); a record that cannot be read is set aside and
 * reported, and never takes the others with it.
 */
import { randomBytes } from 'node:crypto'
import { isWorkspaceId, type WorkspaceId } from '../core/names.ts'
import { type HomePaths, workspacePaths } from '../core/paths.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { listFolder, readIfPresent, readJson, removeTree, writeFileAtomic, writeGenerated } from '../system/store.ts'

const SCHEMA = 1

export type Records = ReturnType<typeof createRecords>

export function createRecords(home: HomePaths, warn: (text: string) => void) {
  async function load(id: WorkspaceId): Promise<WorkspaceRecord | undefined> {
    return readJson<WorkspaceRecord>(workspacePaths(home, id).record, SCHEMA, (kept) => {
      warn(`the record of ${id} was damaged; it was kept as ${kept}`)
    })
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
    await writeFileAtomic(workspacePaths(home, record.id).record, textOf(record))
  }

  /** Survives the end of this process; cheap enough for every step of an operation. */
  async function journal(record: WorkspaceRecord): Promise<void> {
    await writeGenerated(workspacePaths(home, record.id).record, textOf(record))
  }

  async function remove(id: WorkspaceId): Promise<void> {
    await removeTree(workspacePaths(home, id).dir)
  }

  return { load, list, save, journal, remove }
}

/** The random id of this home, made at first use. */
export async function loadInstance(home: HomePaths): Promise<string> {
  const present = await readIfPresent(home.instance)
  if (present !== undefined) return present.trim()
  const { withLock } = await import('../system/lock.ts')
  return withLock(home.instance, async () => {
    const made = await readIfPresent(home.instance)
    if (made !== undefined) return made.trim()
    const instance = randomBytes(8).toString('hex')
    await writeFileAtomic(home.instance, `${instance}\n`)
    return instance
  })
}
