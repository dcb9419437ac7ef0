/**
 * Port leases: which workspace owns which blocks of ten, in one JSON file under its lock. A lease is taken before
 * anything that uses it, kept through stop and start, and never given to two workspaces. Ports are probed before the
 * file's lock is taken.
 */
import type { WorkspaceId } from '../core/names.ts'
import { timestamp } from '../core/time.ts'
import { arePortsFree } from '../system/net.ts'
import { isAlive, type ProcessIdentity } from '../system/process.ts'
import { BLOCK_SIZE, blocksNeeded, candidateBases, type PortRange, portAt, refuseForLackOfPorts } from './blocks.ts'
import { createLeaseFile, type LeaseFile, type LeaseSources, rest, stillResting } from './lease-file.ts'

export interface Lease {
  readonly base: number
  readonly workspace: WorkspaceId
  readonly name: string
  readonly repo: string
  /** RFC 3339 UTC. */
  readonly since: string
  /** The process that holds the lease itself (`nexus forward`). The lease ends with the process, also after a kill. */
  readonly holder?: ProcessIdentity
}

type PortFile = LeaseFile<Lease, { readonly base: number }>

export interface LeaseRequest {
  readonly workspace: WorkspaceId
  readonly name: string
  readonly repo: string
  readonly range: PortRange
  /** Offsets that will be published; together they say how many blocks are needed. */
  readonly offsets: readonly number[]
  readonly holder?: ProcessIdentity
}

export type Leases = ReturnType<typeof createLeases>

export function createLeases(sources: LeaseSources<Lease>) {
  // blocks of ranges that begin elsewhere may lie across each other
  const clash = (one: Lease, other: Lease) => Math.abs(one.base - other.base) < BLOCK_SIZE
  const { load, update, list, release, restore } = createLeaseFile<Lease, { readonly base: number }>(sources, clash)

  /**
   * Leases the blocks that a workspace still lacks and returns all its bases in order.
   * @throws {NexusError} RESOURCE_EXHAUSTED when every block is leased or busy
   */
  async function acquire(request: LeaseRequest): Promise<readonly number[]> {
    const held = basesOf(await load(), request.workspace)
    if (held.length >= blocksNeeded(request.offsets)) return held
    return take(request, (bases) => bases, undefined)
  }

  /**
   * Gives a workspace other blocks because Docker refused its own; the refused ones rest for ten minutes. Without
   * others, the old ones are kept.
   * @throws {NexusError} RESOURCE_EXHAUSTED
   */
  function exchange(request: LeaseRequest, reason: string): Promise<readonly number[]> {
    return take(request, () => [], reason)
  }

  /** Chooses without the lock, then writes under it. When another process was quicker, it chooses again. */
  async function take(
    request: LeaseRequest,
    keep: (held: readonly number[]) => readonly number[],
    refused: string | undefined,
  ): Promise<readonly number[]> {
    const busy = new Set<number>()
    for (;;) {
      const current = await load()
      const held = basesOf(current, request.workspace)
      const kept = keep(held)
      const more = await choose(request, kept, blocksNeeded(request.offsets), unavailable(current, busy), busy)
      const written = await update((now) => {
        if (basesOf(now, request.workspace).join() !== held.join()) return undefined
        const taken = unavailable(now, busy)
        if (more.some((base) => overlapsAny(base, taken))) return undefined
        const others = now.leases.filter(
          (lease) => isHeld(lease) && (lease.workspace !== request.workspace || kept.includes(lease.base)),
        )
        return {
          ...now,
          leases: [...others, ...more.map((base) => leaseOf(request, base))],
          quarantine:
            refused === undefined
              ? now.quarantine
              : [...stillResting(now), ...held.map((base) => ({ base, ...rest(refused) }))],
        }
      })
      if (written) return [...kept, ...more]
    }
  }

  return { list, acquire, exchange, release, restore }
}

/** False for a lease whose process has ended. */
export function isHeld({ holder }: Lease): boolean {
  return holder === undefined || isAlive(holder)
}

function basesOf(file: PortFile, workspace: WorkspaceId): readonly number[] {
  return file.leases.filter((lease) => lease.workspace === workspace).map((lease) => lease.base)
}

/** Leased, quarantined or seen busy. */
function unavailable(file: PortFile, busy: ReadonlySet<number>): ReadonlySet<number> {
  return new Set([...file.leases.filter(isHeld), ...stillResting(file)].map((entry) => entry.base).concat(...busy))
}

/** Blocks of ranges that begin elsewhere may lie across each other. */
function overlapsAny(base: number, taken: ReadonlySet<number>): boolean {
  if (taken.has(base)) return true
  for (const other of taken) if (Math.abs(other - base) < BLOCK_SIZE) return true
  return false
}

/** The first blocks, in the workspace's own order, that are not taken and whose needed ports are free. */
async function choose(
  request: LeaseRequest,
  held: readonly number[],
  blocks: number,
  taken: ReadonlySet<number>,
  busy: Set<number>,
): Promise<readonly number[]> {
  const more: number[] = []
  for (const base of candidateBases(request.repo, request.name, request.range)) {
    if (overlapsAny(base, taken)) continue
    const bases = [...held, ...more, base]
    const needed = request.offsets.filter((offset) => Math.floor(offset / BLOCK_SIZE) === bases.length - 1)
    if (await arePortsFree(needed.map((offset) => portAt(bases, offset)))) more.push(base)
    else busy.add(base)
    if (held.length + more.length === blocks) return more
  }
  return refuseForLackOfPorts(request.range, blocks)
}

function leaseOf(request: LeaseRequest, base: number): Lease {
  const { workspace, name, repo, holder } = request
  return { base, workspace, name, repo, since: timestamp(), ...(holder === undefined ? {} : { holder }) }
}
