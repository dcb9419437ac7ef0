/**
 * Which container ports a workspace publishes and, once blocks are leased, on which ports of this machine. Pure.
 */
import { NexusError } from '../core/errors.ts'
import type { Protocol } from '../core/modes.ts'
import type { PortMapping, WorkspaceRecord } from '../core/workspace.ts'
import type { SubnetLease } from '../network/subnets.ts'
import { assignOffsets, BLOCK_SIZE, portAt, type WantedPort } from '../ports/blocks.ts'
import type { Lease } from '../ports/leases.ts'

export const SSH_PORT: WantedPort = { name: 'ssh', container: 22, protocol: 'tcp' }

/** A port asked for on the command line or in a list: a container port, perhaps with a name. */
export interface PortRequest {
  readonly name: string | undefined
  readonly container: number
}

/**
 * `3000`, `web=3000` or `web:3000`.
 * @throws {NexusError} INVALID_ARGUMENT
 */
export function parsePortRequest(text: string): PortRequest {
  const match = /^(?:([a-z0-9]+(?:-[a-z0-9]+)*)[=:])?(\d{1,5})$/.exec(text)
  const container = Number(match?.[2] ?? 0)
  if (match === null || container < 1 || container > 65_535 || match[1] === 'ssh') {
    throw new NexusError('INVALID_ARGUMENT', `--port ${JSON.stringify(text)} is not a container port.`, {
      hint: 'To publish port 3000 as "web", use `--port web=3000`',
    })
  }
  return { name: match[1], container }
}

/** ssh, then the configured ports, then what was asked for besides; an unnamed first port is the web port. */
export function wantedPorts(
  configured: readonly WantedPort[],
  requested: readonly PortRequest[],
): readonly WantedPort[] {
  const wanted = new Map<string, WantedPort>([
    [SSH_PORT.name, SSH_PORT],
    ...configured.map((port) => [port.name, port] as const),
  ])
  for (const { name, container } of requested) {
    if (name === undefined && [...wanted.values()].some((port) => port.container === container)) continue
    const chosen = name ?? (wanted.has('web') ? `port-${container}` : 'web')
    wanted.set(chosen, { ...wanted.get(chosen), name: chosen, container, protocol: 'tcp' })
  }
  return [...wanted.values()]
}

/** The ports of the workspace's own container: the configuration's, then those that it has, such as by `--port`. */
export function ownPorts(
  configured: ReadonlyMap<string, { readonly container: number; readonly host?: number; readonly protocol: Protocol }>,
  present: readonly PortMapping[],
): readonly WantedPort[] {
  const first = [...configured].map(([name, { host, ...port }]) => ({
    name,
    ...port,
    ...(host === undefined ? {} : { canonical: host }),
  }))
  const own = present.filter((port) => port.service === undefined).map(({ host: _, ...port }) => port)
  const wanted = new Map<string, WantedPort>([[SSH_PORT.name, SSH_PORT]])
  for (const port of [...first, ...own]) if (!wanted.has(port.name)) wanted.set(port.name, port)
  return [...wanted.values()]
}

export function offsetsOf(wanted: readonly WantedPort[]): readonly number[] {
  return [...assignOffsets(wanted).values()]
}

/** The wanted ports at their places in the leased blocks. */
export function mapPorts(wanted: readonly WantedPort[], bases: readonly number[]): readonly PortMapping[] {
  const offsets = assignOffsets(wanted)
  return wanted.map((port) => {
    const offset = offsets.get(port.name) ?? 0
    return { ...port, offset, host: portAt(bases, offset) }
  })
}

/** The wanted ports with the places that the workspace's ports of these names have already. */
export function keepOffsets(wanted: readonly WantedPort[], present: readonly PortMapping[]): readonly WantedPort[] {
  const places = assignOffsets(present)
  return wanted.map((port) => {
    const offset = places.get(port.name)
    return offset === undefined ? port : { ...port, offset }
  })
}

/** Without local ports nothing is leased: the container ports alone. */
export function unmappedPorts(wanted: readonly WantedPort[]): readonly PortMapping[] {
  return wanted
    .filter((port) => port.name !== SSH_PORT.name)
    .map(({ canonical: _, ...port }) => ({ ...port, host: null }))
}

/** The leases that a record implies: what `ports.json` is built from when it was damaged. */
export function leasesOf(record: WorkspaceRecord): readonly Lease[] {
  const offsets = assignOffsets(record.ports)
  const bases = new Set(
    record.ports.flatMap(({ name, host }) => (host === null ? [] : [host - ((offsets.get(name) ?? 0) % BLOCK_SIZE)])),
  )
  const { id, name, repo, createdAt } = record
  return [...bases].map((base) => ({ base, workspace: id, name, repo, since: createdAt }))
}

/** The same for `subnets.json`. */
export function subnetLeasesOf({ id, name, repo, createdAt, subnets = [] }: WorkspaceRecord): readonly SubnetLease[] {
  return subnets.map((cidr) => ({ cidr, workspace: id, name, repo, since: createdAt }))
}
