/**
 * A JSON file of leases under its lock: versioned, replaced in one step, generation by generation. Ports and subnets
 * each have one. The lock is held only for read, check and write.
 *
 * A damaged file is set aside and built again from the workspaces' records.
 */
import type { WorkspaceId } from '../core/names.ts'
import { timestamp } from '../core/time.ts'
import { withLock } from '../system/lock.ts'
import { readIfPresent, readJson, writeJson } from '../system/store.ts'

/** What Docker refused; tried again only after `until`. */
interface Resting {
  /** RFC 3339 UTC. */
  readonly until: string
  readonly reason: string
}

export interface LeaseFile<Held, Refused> {
  readonly schema: 1
  readonly generation: number
  readonly leases: readonly Held[]
  readonly quarantine: readonly (Refused & Resting)[]
}

export interface LeaseSources<Held> {
  readonly file: string
  /** The leases that the workspaces' records imply, for a file that was damaged. */
  readonly rebuild: () => Promise<readonly Held[]>
  readonly warn: (text: string) => void
}

const QUARANTINE_MS = 10 * 60_000

/** @param clash whether two leases cannot be there at the same time */
export function createLeaseFile<Held extends { readonly workspace: WorkspaceId }, Refused>(
  { file, rebuild, warn }: LeaseSources<Held>,
  clash: (one: Held, other: Held) => boolean,
) {
  type Content = LeaseFile<Held, Refused>
  const empty: Content = { schema: 1, generation: 0, leases: [], quarantine: [] }

  /** Under the lock: a damaged file is set aside, built again and written before anyone goes on. */
  async function loadLocked(): Promise<Content> {
    let damaged: string | undefined
    const setAside = (kept: string) => {
      damaged = kept
    }
    const found = await readJson<Content>(file, 1, setAside, isWhole)
    if (damaged === undefined) return found ?? empty
    warn(`${file} was damaged; it was kept as ${damaged} and built again from the workspaces' records`)
    const rebuilt = { ...empty, leases: await rebuild() }
    await writeJson(file, rebuilt)
    return rebuilt
  }

  /** Without the lock: what the file says now, for a look or a first choice. */
  async function load(): Promise<Content> {
    const text = await readIfPresent(file)
    if (text === undefined) return empty
    return parseWhole<Content>(text) ?? (await withLock(file, loadLocked))
  }

  /** Writes the result of `change`, which may be called again; undefined writes nothing. True when it was written. */
  const update = (change: (current: Content) => Content | undefined): Promise<boolean> =>
    withLock(file, async ({ requireHeld }) => {
      const current = await loadLocked()
      const next = change(current)
      if (next === undefined) return false
      await writeJson(file, { ...next, generation: current.generation + 1 }, requireHeld)
      return true
    })

  async function list(): Promise<readonly Held[]> {
    return (await load()).leases
  }

  async function release(workspace: WorkspaceId): Promise<void> {
    await update((now) => {
      const leases = now.leases.filter((lease) => lease.workspace !== workspace)
      return leases.length === now.leases.length ? undefined : { ...now, leases }
    })
  }

  /** Leases blocks that their workspaces use already; a block with another holder stays with it. */
  async function restore(lost: readonly Held[]): Promise<void> {
    await update((now) => {
      const free = lost.filter((lease) => !now.leases.some((held) => clash(lease, held)))
      return free.length === 0 ? undefined : { ...now, leases: [...now.leases, ...free] }
    })
  }

  return { load, update, list, release, restore }
}

/** Entries that are still in quarantine. */
export function stillResting<Refused>(file: LeaseFile<unknown, Refused>): readonly (Refused & Resting)[] {
  return file.quarantine.filter((entry) => Date.parse(entry.until) > Date.now())
}

/** Ten minutes from now. */
export function rest(reason: string): Resting {
  return { until: timestamp(new Date(Date.now() + QUARANTINE_MS)), reason }
}

function isWhole(data: LeaseFile<unknown, unknown>): boolean {
  return data.schema === 1 && Array.isArray(data.leases) && Array.isArray(data.quarantine)
}

/** Undefined for a text that must be set aside or refused under the lock. */
function parseWhole<Content extends LeaseFile<unknown, unknown>>(text: string): Content | undefined {
  try {
    const data = JSON.parse(text) as Content
    return isWhole(data) ? data : undefined
  } catch {
    return undefined
  }
}
