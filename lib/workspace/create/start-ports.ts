/**
 * Starts a workspace's containers and moves its ports, or subnets, when somebody else has taken them. A move is one thing: the lease, then
 * the record, marked until containers are made for it, then the generated files, then the containers. What ends it half-way leaves the
 * mark, and the next start goes on from there.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { StartOptions } from '../../backends/making.ts'
import { NexusError } from '../../core/errors.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import type { PortRange, WantedPort } from '../../ports/blocks.ts'
import { describePortOwner } from '../../ports/owner.ts'
import { gateNetworks } from '../../stack/gate.ts'
import { ownNetworks } from '../../stack/model.ts'
import { isPortFree } from '../../system/net.ts'
import type { App } from '../app.ts'
import { observeOne } from '../observe.ts'
import type { Working } from '../operation/operate.ts'
import { mapPorts, offsetsOf } from '../port-plan.ts'
import { withCanonical } from './canonical.ts'
import type { Draft } from './draft.ts'

/** How often Docker may refuse a port before the refusal is final. */
const PORT_ATTEMPTS = 5
/** The engine may hold the ports of a container for a moment after it has stopped. */
const SETTLE_MS = 250

export interface Making {
  readonly draft: Draft
  readonly wanted: () => readonly WantedPort[]
  /** Writes all that is generated from the record, the override of the project's files too. */
  readonly configure: () => Promise<void>
  readonly options: StartOptions
  /** Its ports were looked at a moment ago, when they were leased. */
  readonly isNew: boolean
}

export async function startWithPorts(
  app: App,
  working: Working,
  making: Making,
  seen: Observation | undefined,
): Promise<void> {
  const { backend } = making.draft
  if (seen?.state === 'paused') return backend.lifecycle.start(working.record, seen, making.options)
  if (!making.isNew) await moveAhead(app, working, making, seen)
  let observed = working.record.portsMoved === true ? undefined : seen
  if (working.record.portsMoved === true) await making.configure()
  for (let attempt = 1; ; attempt++) {
    try {
      await backend.lifecycle.start(working.record, observed, making.options)
      const { portsMoved: _, ...settled } = working.record
      working.record = settled
      return
    } catch (error) {
      if (!(error instanceof NexusError) || attempt === PORT_ATTEMPTS) throw error
      if (error.code === 'PORT_CONFLICT') await giveOtherPorts(app, working, making, error.details?.port)
      else if (error.details?.subnet === true) await giveOtherSubnets(app, working, making.draft)
      else throw error
      await making.configure()
      observed = undefined
    }
  }
}

/** Before anything starts, as Docker would have started some services by the time it refuses the port of another. */
async function moveAhead(app: App, working: Working, making: Making, seen: Observation | undefined): Promise<void> {
  if (seen !== undefined && seen.state !== 'stopped') return
  if ((await takenPorts(working.record)).length === 0) return
  // somebody may have started it by hand: then the ports are its own
  const { observation } = await observeOne(app, working.record)
  if (observation !== undefined && observation.state !== 'stopped') return
  await pause(SETTLE_MS)
  const taken = await takenPorts(working.record)
  const leased = taken.find((port) => working.record.ports.some(({ host }) => host === port))
  if (leased !== undefined) await giveOtherPorts(app, working, making, leased)
  for (const port of taken) {
    if (working.record.ports.some(({ canonical }) => canonical === port))
      await giveOtherPorts(app, working, making, port)
  }
}

/** Of the ports that are published, those that another program has. */
async function takenPorts({ ports }: WorkspaceRecord): Promise<readonly number[]> {
  const published = ports
    .filter(({ protocol }) => protocol === 'tcp')
    .flatMap(({ host, canonical }) => [host, canonical ?? null])
    .filter((port) => port !== null)
  const free = await Promise.all(published.map(isPortFree))
  return published.filter((_, i) => free[i] === false)
}

async function giveOtherPorts(app: App, working: Working, making: Making, refused: unknown): Promise<void> {
  const { record } = working
  const owner = typeof refused === 'number' ? await describePortOwner(app.runner, refused) : undefined
  const which = typeof refused === 'number' ? `port ${refused}` : 'one of its ports'
  const taken = `${which} is taken${owner === undefined ? '' : ` by ${owner}`}`
  if (record.ports.some((port) => port.canonical === refused)) {
    app.emit({ type: 'warning', text: `${taken}; the leased port alone is published` })
    const ports = record.ports.map(({ canonical, ...port }) =>
      canonical === refused || canonical === undefined ? port : { ...port, canonical },
    )
    return note(app, working, ports)
  }
  app.emit({ type: 'warning', text: `${taken}; other ports are leased and the container is made anew` })
  const range = await requirePortRange(app, making.draft)
  const bases = await (await app.leases()).exchange(leaseRequest(record, making.wanted(), range), taken)
  return note(app, working, await withCanonical(app, record, mapPorts(making.wanted(), bases)))
}

/** At once, so that record and lease agree whatever happens next. */
async function note(app: App, working: Working, ports: WorkspaceRecord['ports']): Promise<void> {
  working.record = { ...working.record, ports, portsMoved: true }
  await working.notes
  await app.records.journal(working.record)
}

/** A network of somebody else's lies across ours. */
async function giveOtherSubnets(app: App, working: Working, { project }: Draft): Promise<void> {
  const { record } = working
  app.emit({
    type: 'warning',
    text: `a subnet of ${(record.subnets ?? []).join(', ')} is taken by another network; others are leased`,
  })
  const subnets = await (await app.subnets()).exchange(await subnetRequest(app, working, project), 'Docker refused it')
  working.record = { ...record, subnets }
}

export async function subnetRequest(app: App, { record, model }: Working, project: Draft['project']) {
  const { settings } = await app.config(project)
  const count = (model === undefined ? 1 : ownNetworks(model).length) + gateNetworks(record)
  return { workspace: record.id, name: record.name, repo: record.repo, range: settings.subnets.range, count }
}

export function leaseRequest(record: WorkspaceRecord, wanted: readonly WantedPort[], range: PortRange) {
  return { workspace: record.id, name: record.name, repo: record.repo, range, offsets: offsetsOf(wanted) }
}

export async function requirePortRange(app: App, { backend, project }: Draft) {
  const { settings } = await app.config(project)
  const range = backend.endpoints.leased?.(settings.ssh.portRange)
  if (range === undefined) throw new Error(`backend ${backend.name} has local ports and no range`)
  return range
}
