/**
 * Subnet leases: which workspace owns which blocks of 64 addresses, in one JSON file under its lock. Docker's own pools
 * hold about thirty networks; our blocks of one range make a thousand. An address cannot be probed like a port, so the
 * routes of this machine are the only probe and Docker's refusal has the last word. Leased before the networks are
 * made, kept through stop and start, never given to two workspaces of a home, nor taken where a route of this machine
 * leads already.
 */
import { createHash } from 'node:crypto'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceId } from '../core/names.ts'
import { timestamp } from '../core/time.ts'
import { createLeaseFile, type LeaseFile, type LeaseSources, rest, stillResting } from '../ports/lease-file.ts'
import { type Cidr, formatCidr, overlap, parseCidr, sizeOf } from './cidr.ts'
import { type Route, readRoutes } from './routes.ts'

/** Room for 61 containers: 64 addresses less network, gateway and broadcast. */
export const BLOCK_PREFIX = 26

export interface SubnetLease {
  /** Such as `10.213.4.64/26`. */
  readonly cidr: string
  readonly workspace: WorkspaceId
  readonly name: string
  readonly repo: string
  /** RFC 3339 UTC. */
  readonly since: string
}

interface Refused {
  readonly cidr: string
}

export interface SubnetRequest {
  readonly workspace: WorkspaceId
  readonly name: string
  readonly repo: string
  /** `settings.subnets.range`. */
  readonly range: string
  /** Networks that the workspace has. */
  readonly count: number
}

export interface SubnetSources extends LeaseSources<SubnetLease> {
  /** Default: the routes of this machine. */
  readonly routes?: () => Promise<readonly Route[]>
}

export type Subnets = ReturnType<typeof createSubnets>

export function createSubnets({ routes = readRoutes, ...sources }: SubnetSources) {
  const clash = (one: SubnetLease, other: SubnetLease) => one.cidr === other.cidr
  const { load, update, list, release, restore } = createLeaseFile<SubnetLease, Refused>(sources, clash)

  /**
   * Leases the blocks that a workspace still lacks and returns all that it has, in order; those that it has stay,
   * wherever the range has moved to meanwhile.
   * @throws {NexusError} CONFIG_INVALID for a range that is none; RESOURCE_EXHAUSTED when it is full
   */
  async function acquire(request: SubnetRequest): Promise<readonly string[]> {
    const range = parseRange(request.range)
    const held = blocksOf(await load(), request.workspace)
    return held.length >= request.count ? held : take(request, range, undefined)
  }

  /**
   * Gives a workspace other blocks because Docker refused one of its own without saying which; all rest for ten
   * minutes. Without others, they are kept.
   * @throws {NexusError} as `acquire`
   */
  async function exchange(request: SubnetRequest, reason: string): Promise<readonly string[]> {
    return take(request, parseRange(request.range), reason)
  }

  async function take(request: SubnetRequest, range: Cidr, refused: string | undefined): Promise<readonly string[]> {
    const present = await routes()
    let blocks: readonly string[] = []
    await update((now) => {
      const held = blocksOf(now, request.workspace)
      const kept = refused === undefined ? held : []
      const more = choose(request, range, request.count - kept.length, now, present)
      blocks = [...kept, ...more]
      if (refused === undefined && more.length === 0) return undefined
      const others = now.leases.filter(({ workspace }) => refused === undefined || workspace !== request.workspace)
      const resting = refused === undefined ? [] : held.map((cidr) => ({ cidr, ...rest(refused) }))
      return {
        ...now,
        leases: [...others, ...more.map((cidr) => leaseOf(request, cidr))],
        quarantine: [...stillResting(now), ...resting],
      }
    })
    return blocks
  }

  return { list, acquire, exchange, release, restore }
}

/**
 * `10.213.0.0/16` as a block.
 * @throws {NexusError} CONFIG_INVALID
 */
export function parseRange(text: string): Cidr {
  const range = parseCidr(text)
  const problem = problemOf(text, range)
  if (range !== undefined && problem === undefined) return range
  const near = range !== undefined && range.prefix >= 8 && range.prefix <= 24 ? formatCidr(range) : undefined
  const better = near === undefined || problemOf(near, range) !== undefined ? '10.213.0.0/16' : near
  throw new NexusError('CONFIG_INVALID', `subnets.range ${JSON.stringify(text)} cannot be used: ${problem}.`, {
    hint: `To set another, run \`nexus config set subnets.range ${better}\``,
    details: { key: 'subnets.range', value: text },
  })
}

function problemOf(text: string, range: Cidr | undefined): string | undefined {
  if (range === undefined) return 'it is no block of IPv4 addresses'
  if (range.prefix < 8 || range.prefix > 24) return 'its size must be between /8 and /24'
  const net = Math.floor(range.first / 2 ** 24)
  if (net === 0 || net === 127 || net >= 224) return 'no network can have these addresses'
  return text === formatCidr(range) ? undefined : 'its first address is not where such a block begins'
}

/** Blocks of a range in the order in which a workspace tries them: from a start given by a hash, around the end. */
export function* candidateBlocks(repo: string, name: string, range: Cidr): Generator<Cidr> {
  const size = sizeOf(BLOCK_PREFIX)
  const count = sizeOf(range.prefix) / size
  const hash = createHash('sha256').update(`${repo}\0${name}`).digest().readUInt32BE(0)
  for (let i = 0; i < count; i++) yield { first: range.first + ((hash + i) % count) * size, prefix: BLOCK_PREFIX }
}

function choose(
  { repo, name }: SubnetRequest,
  range: Cidr,
  wanted: number,
  file: LeaseFile<SubnetLease, Refused>,
  routes: readonly Route[],
): readonly string[] {
  const taken = new Set([...file.leases, ...stillResting(file)].map(({ cidr }) => cidr))
  const inTheWay = routes.filter((route) => overlap(route, range))
  const chosen: string[] = []
  if (wanted <= 0) return chosen
  for (const block of candidateBlocks(repo, name, range)) {
    const cidr = formatCidr(block)
    if (taken.has(cidr) || inTheWay.some((route) => overlap(route, block))) continue
    chosen.push(cidr)
    if (chosen.length === wanted) return chosen
  }
  return refuseForLackOfSubnets(range, wanted, inTheWay)
}

function refuseForLackOfSubnets(range: Cidr, wanted: number, inTheWay: readonly Route[]): never {
  const blocks = wanted === 1 ? 'No free subnet is' : `No ${wanted} free subnets are`
  // a route that covers the range, such as a VPN's 10.0.0.0/8, leaves nothing however many workspaces are deleted
  const cover = inTheWay.find((route) => route.prefix <= range.prefix)
  const why = cover === undefined ? '' : `: ${cover.interface} has a route to all of it, ${formatCidr(cover)}`
  throw new NexusError('RESOURCE_EXHAUSTED', `${blocks} left in ${formatCidr(range)}${why}.`, {
    hint:
      cover === undefined
        ? 'To free one, delete a workspace that is done: `nexus list --all`, then `nexus delete <name>`'
        : 'To lease from addresses that are free here, run `nexus config set subnets.range <block>`',
    details: { range: formatCidr(range), routes: inTheWay.map((route) => formatCidr(route)) },
  })
}

function blocksOf(file: LeaseFile<SubnetLease, Refused>, workspace: WorkspaceId): readonly string[] {
  return file.leases.filter((lease) => lease.workspace === workspace).map((lease) => lease.cidr)
}

function leaseOf({ workspace, name, repo }: SubnetRequest, cidr: string): SubnetLease {
  return { cidr, workspace, name, repo, since: timestamp() }
}
