/**
 * Starts a workspace's containers and moves its ports, or subnets, when somebody else has taken them. A move is one thing: the lease, then
 * the record, marked until containers are made for it, then the generated files, then the containers. What ends it half-way leaves the
 * mark, and the next start goes on from there.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Backend } from '../../backends/backend.ts'
import type { StartOptions } from '../../backends/making.ts'
import type { Settings } from '../../config/load.ts'
import { NexusError } from '../../core/errors.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import { gateNetworks } from '../../network/gate.ts'
import type { PortRange, WantedPort } from '../../ports/blocks.ts'
import { describePortOwner } from '../../ports/owner.ts'
import { type ComposeModel, ownNetworks } from '../../stack/model.ts'
import { isPortFree } from '../../system/net.ts'
import { observeOne } from '../observe.ts'
import type { Progress } from '../operation/apply.ts'
import { mapPorts, offsetsOf } from '../port-plan.ts'
import { withCanonical } from './canonical-ports.ts'
import { readStack } from './read-stack.ts'
import type { Scene, UpCarried } from './up-context.ts'
import { makeTemplates } from './worktree-files.ts'

/** How often Docker may refuse a port before the refusal is final. */
const PORT_ATTEMPTS = 5
/** The engine may hold the ports of a container for a moment after it has stopped. */
const SETTLE_MS = 250

export async function startWithPorts(
  scene: Scene,
  progress: Progress<UpCarried>,
  options: StartOptions,
): Promise<void> {
  const { backend } = scene.draft
  const { observed: seen } = progress.carried()
  if (seen?.state === 'paused') return backend.lifecycle.start(progress.carried().record, seen, options)
  // the ports of a new one were looked at a moment ago, when they were leased
  if (scene.seen !== undefined) await moveAhead(scene, progress, seen)
  const isMoved = progress.carried().record.docker?.portsMoved === true
  if (isMoved) await configureAgain(scene, progress)
  let observed = isMoved ? undefined : seen
  for (let attempt = 1; ; attempt++) {
    try {
      await backend.lifecycle.start(progress.carried().record, observed, options)
      progress.add({ record: { docker: { portsMoved: undefined } } })
      return
    } catch (error) {
      if (!(error instanceof NexusError) || attempt === PORT_ATTEMPTS) throw error
      if (error.code === 'PORT_CONFLICT') await giveOtherPorts(scene, progress, error.details?.port)
      else if (error.details?.subnet === true) await giveOtherSubnets(scene, progress)
      else throw error
      await configureAgain(scene, progress)
      observed = undefined
    }
  }
}

/**
 * All that is generated from the record, the override of the project's files too. Of these counts what the containers were made from,
 * where this start has not looked at them.
 */
async function configureAgain(scene: Scene, progress: Progress<UpCarried>): Promise<void> {
  const { app, draft } = scene
  const { backend, chosen } = draft
  const { record, resolution } = progress.carried()
  if (resolution === undefined && (record.docker?.stack?.files.length ?? 0) > 0) {
    const model = await backend.stack?.startedModel(record)
    if (model === undefined) progress.add(await readStack(scene, progress.carried()))
    else progress.add({ resolution: { model, warnings: [], under: undefined } })
  }
  const now = progress.carried()
  await makeTemplates(app, now.record, draft, { isNew: false, early: false })
  await backend.lifecycle.configure(now.record, chosen.settings.ssh.injection, now.resolution)
}

/** Before anything starts, as Docker would have started some services by the time it refuses the port of another. */
async function moveAhead(scene: Scene, progress: Progress<UpCarried>, seen: Observation | undefined): Promise<void> {
  if (seen !== undefined && seen.state !== 'stopped') return
  const { record } = progress.carried()
  if ((await takenPorts(record)).length === 0) return
  // somebody may have started it by hand: then the ports are its own
  const { observation } = await observeOne(scene.app, record)
  if (observation !== undefined && observation.state !== 'stopped') return
  await pause(SETTLE_MS)
  const taken = await takenPorts(record)
  const leased = taken.find((port) => record.ports.some(({ host }) => host === port))
  if (leased !== undefined) await giveOtherPorts(scene, progress, leased)
  for (const port of taken) {
    if (progress.carried().record.ports.some(({ canonical }) => canonical === port))
      await giveOtherPorts(scene, progress, port)
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

async function giveOtherPorts(scene: Scene, progress: Progress<UpCarried>, refused: unknown): Promise<void> {
  const { app, draft } = scene
  const { record, wanted } = progress.carried()
  const owner = typeof refused === 'number' ? await describePortOwner(app.runner, refused) : undefined
  const which = typeof refused === 'number' ? `port ${refused}` : 'one of its ports'
  const taken = `${which} is taken${owner === undefined ? '' : ` by ${owner}`}`
  if (record.ports.some((port) => port.canonical === refused)) {
    app.emit({ type: 'warning', text: `${taken}; the leased port alone is published` })
    const ports = record.ports.map(({ canonical, ...port }) =>
      canonical === refused || canonical === undefined ? port : { ...port, canonical },
    )
    return noteMove(progress, ports)
  }
  app.emit({ type: 'warning', text: `${taken}; other ports are leased and the container is made anew` })
  const range = requirePortRange(draft.backend, draft.chosen.settings)
  const bases = await (await app.leases()).exchange(leaseRequest(record, wanted, range), taken)
  return noteMove(progress, await withCanonical(app, record, mapPorts(wanted, bases), draft.chosen.own))
}

/** At once, so that record and lease agree whatever happens next. */
function noteMove(progress: Progress<UpCarried>, ports: WorkspaceRecord['ports']): Promise<void> {
  return progress.note({ record: { ports, docker: { portsMoved: true } } })
}

/** A network of somebody else's lies across ours. */
async function giveOtherSubnets({ app, draft }: Scene, progress: Progress<UpCarried>): Promise<void> {
  const { record, model } = progress.carried()
  app.emit({
    type: 'warning',
    text: `a subnet of ${(record.subnets ?? []).join(', ')} is taken by another network; others are leased`,
  })
  const request = subnetRequest(record, model, draft.chosen.settings)
  const subnets = await (await app.subnets()).exchange(request, 'Docker refused it')
  progress.add({ record: { subnets } })
}

export function subnetRequest(record: WorkspaceRecord, model: ComposeModel | undefined, { subnets }: Settings) {
  const count = (model === undefined ? 1 : ownNetworks(model).length) + gateNetworks(record)
  return { workspace: record.id, name: record.name, repo: record.repo, range: subnets.range, count }
}

export function leaseRequest(record: WorkspaceRecord, wanted: readonly WantedPort[], range: PortRange) {
  return { workspace: record.id, name: record.name, repo: record.repo, range, offsets: offsetsOf(wanted) }
}

export function requirePortRange(backend: Backend, { ssh }: Settings): PortRange {
  const range = backend.endpoints.leased?.(ssh.portRange)
  if (range === undefined) throw new Error(`backend ${backend.name} has local ports and no range`)
  return range
}
