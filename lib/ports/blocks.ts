/**
 * Which blocks of ten ports there are and in which order a workspace tries them. Pure.
 *
 * A block is named by its base, whose offset 0 is the ssh port. The first choice comes from a hash of repository and
 * name, so that the same workspace gets the same ports again when it can; then the next free block; then the fallback
 * range.
 */
import { createHash } from 'node:crypto'
import { NexusError } from '../core/errors.ts'
import type { Protocol } from '../core/modes.ts'

export const BLOCK_SIZE = 10

export interface PortRange {
  readonly start: number
  /** The last port of the range. */
  readonly end: number
}

/** Never leased: kept for the system (the contract's table). */
export const RESERVED_RANGE: PortRange = { start: 32_768, end: 32_799 }
/** Used when the backend's own range is full. */
export const FALLBACK_RANGE: PortRange = { start: 40_000, end: 65_535 }

/** A port that a workspace wants published, before it has a lease. */
export interface WantedPort {
  readonly name: string
  readonly container: number
  readonly protocol: Protocol
  readonly canonical?: number
  /** The compose service that listens on it; absent for the workspace's own container. */
  readonly service?: string
  /** Its place in the workspace's blocks, where it has one already: it keeps it, whatever else comes and goes. */
  readonly offset?: number
}

/** Offsets with a meaning; every other name gets 4 and up, in the order given. */
const NAMED_OFFSETS: Readonly<Record<string, number>> = { ssh: 0, web: 1, api: 2, database: 3, db: 3 }
const FIRST_FREE_OFFSET = 4

/**
 * Offset in the workspace's blocks for each wanted port; 10 and up lie in the second block, and so on. One that has its
 * offset keeps it. `database` and `db` together: the first named gets offset 3.
 */
export function assignOffsets(wanted: readonly WantedPort[]): ReadonlyMap<string, number> {
  const taken = new Set(wanted.map(({ offset }) => offset).filter((offset) => offset !== undefined))
  let next = FIRST_FREE_OFFSET
  const place = (name: string): number => {
    const named = NAMED_OFFSETS[name]
    if (named !== undefined && !taken.has(named)) return named
    while (taken.has(next)) next++
    return next
  }
  const offsets = new Map<string, number>()
  for (const { name, offset } of wanted) {
    const chosen = offset ?? place(name)
    offsets.set(name, chosen)
    taken.add(chosen)
  }
  return offsets
}

/** How many blocks hold these offsets. */
export function blocksNeeded(offsets: Iterable<number>): number {
  return Math.floor(Math.max(0, ...offsets) / BLOCK_SIZE) + 1
}

/** The port at an offset of a workspace's blocks. */
export function portAt(bases: readonly number[], offset: number): number {
  const base = bases[Math.floor(offset / BLOCK_SIZE)]
  if (base === undefined) throw new Error(`no block for offset ${offset}`)
  return base + (offset % BLOCK_SIZE)
}

/** Bases of the blocks of a range, lowest first, without those that touch the reserved range. */
export function listBases(range: PortRange): readonly number[] {
  const bases: number[] = []
  for (let base = range.start; base + BLOCK_SIZE - 1 <= range.end; base += BLOCK_SIZE) {
    const reserved = base <= RESERVED_RANGE.end && base + BLOCK_SIZE > RESERVED_RANGE.start
    if (!reserved) bases.push(base)
  }
  return bases
}

/** All bases in the order in which the workspace `name` of `repo` tries them: its own range, then the fallback. */
export function candidateBases(repo: string, name: string, range: PortRange): readonly number[] {
  const own = listBases(range)
  const inOwn = new Set(own)
  const fallback = listBases(FALLBACK_RANGE).filter((base) => !overlaps(base, range) && !inOwn.has(base))
  return [...rotate(own, repo, name), ...rotate(fallback, repo, name)]
}

function overlaps(base: number, range: PortRange): boolean {
  return base <= range.end && base + BLOCK_SIZE > range.start
}

function rotate(bases: readonly number[], repo: string, name: string): readonly number[] {
  if (bases.length === 0) return bases
  const hash = createHash('sha256').update(`${repo}\0${name}`).digest().readUInt32BE(0)
  const first = hash % bases.length
  return [...bases.slice(first), ...bases.slice(0, first)]
}

/** @throws {NexusError} RESOURCE_EXHAUSTED, always: no block is left */
export function refuseForLackOfPorts(range: PortRange, wanted: number): never {
  const blocks = wanted === 1 ? 'No free block' : `No ${wanted} free blocks`
  throw new NexusError(
    'RESOURCE_EXHAUSTED',
    `${blocks} of ten ports is left in ${range.start}-${range.end} or in ${FALLBACK_RANGE.start}-${FALLBACK_RANGE.end}.`,
    { hint: 'To free one, delete a workspace that is done: `nexus list --all`, then `nexus delete <name>`' },
  )
}
