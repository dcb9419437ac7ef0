/**
 * What the steps of an `up` do: lease and exchange ports, make and unmake the worktree, have the backend provide the rest.
 */
import type { Resolution, StartOptions } from '../../backends/making.ts'
import type { Settings } from '../../config/load.ts'
import { NexusError } from '../../core/errors.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import type { PortRange, WantedPort } from '../../ports/blocks.ts'
import { describePortOwner } from '../../ports/owner.ts'
import { gateNetworks } from '../../stack/gate.ts'
import { ownNetworks } from '../../stack/model.ts'
import { keepsImage } from '../../stack/network.ts'
import { areOutdated } from '../../stack/secrets.ts'
import type { App } from '../app.ts'
import type { Seen } from '../observe.ts'
import type { Actions } from '../operation/apply.ts'
import { noteInputs, type Working } from '../operation/operate.ts'
import { keepOffsets, mapPorts, offsetsOf } from '../port-plan.ts'
import { awaitHealth } from '../project/health.ts'
import { runHook, secretRecords } from '../project/hooks.ts'
import { makeWorktreePlace } from '../worktree-place.ts'
import { withCanonical } from './canonical.ts'
import type { Draft } from './draft.ts'
import { giveToInside, makeTemplates, worktreeAction } from './worktree-files.ts'

/** How often Docker may refuse a port before the refusal is final. */
const PORT_ATTEMPTS = 5

/** `rebuild`: containers and image are made anew though they are there. */
export function createSteps(app: App, working: Working, draft: Draft, seen: Seen | undefined, rebuild = false) {
  const { backend, project } = draft
  let observed = seen?.observation
  let wanted = draft.wanted
  let resolution: Resolution | undefined
  const configure = async () => {
    const { settings } = await app.config(project)
    await backend.configure(working.record, settings.ssh.injection, resolution)
  }
  return {
    templates: {
      run: async () => {
        await makeTemplates(app, working.record, draft, { isNew: seen === undefined, early: false })
        // what the compose files say may hang on them
        if (resolution?.model === undefined) return
        const { resolveStack } = await import('../project/project-stack.ts')
        const resolved = await resolveStack(app, working.record, backend, project)
        resolution = resolved.resolution
        noteInputs(working, resolved.inputs)
      },
    },
    resolve: {
      run: async () => {
        // with what is known already, as the compose files may not be readable without
        await makeTemplates(app, working.record, draft, { isNew: seen === undefined, early: true })
        const { resolveStack } = await import('../project/project-stack.ts')
        const resolved = await resolveStack(app, withPorts(working.record, wanted), backend, project)
        ;({ wanted, resolution } = resolved)
        working.model = resolution.model
        working.record = { ...working.record, ...pickStack(resolved.record) }
        noteInputs(working, resolved.inputs)
      },
    },
    lease: {
      run: async () => {
        wanted = keepOffsets(wanted, working.record.ports)
        const range = await requirePortRange(app, draft)
        const [bases, subnets] = await Promise.all([
          app.leases().then((leases) => leases.acquire(leaseRequest(working.record, wanted, range))),
          app.subnets().then(async (leases) => leases.acquire(await subnetRequest(app, working, project))),
        ])
        const ports = await withCanonical(app, working.record, mapPorts(wanted, bases))
        working.record = { ...working.record, ports, subnets }
      },
    },
    worktree: worktreeAction(app, working, draft, seen !== undefined),
    stop: {
      run: async () => {
        await backend.stop(working.record, observed)
        // what is missing is missing still
        observed = { state: observed?.state === 'error' ? 'error' : 'stopped', reason: '' }
      },
    },
    provision: {
      run: async () => {
        // a workspace keeps its image until it is rebuilt
        const anew = rebuild && !keepsImage(working.record)
        const record = anew ? { ...working.record, image: null } : working.record
        const provision = await backend.provision(record, resolution?.under)
        working.record = { ...working.record, ...provision }
      },
    },
    configure: {
      run: async () => {
        working.record = withSecretNames(working.record, (await app.config(project)).settings)
        await makeWorktreePlace(app, working.record)
        // nobody is inside yet: what the configuration says now is what the user chose
        if (seen === undefined && working.record.stack === undefined && working.record.isolation === 'agent')
          await (await import('../project/wishes.ts')).admitWishes(app, working.record, { project, model: undefined })
        await configure()
      },
    },
    'pre-start': {
      run: async () => {
        const { settings } = await app.config(project)
        await runHook(app, working.record, settings, 'pre-start', working.secrets)
      },
    },
    start: {
      run: async () => {
        const { secrets = new Map() } = working
        const { settings } = await app.config(project)
        const { lookAtMounts } = await import('../project/mounts-look.ts')
        await lookAtMounts(app, working.record, backend, settings, resolution?.model)
        // while nobody is inside
        const runs = observed?.state === 'running' || observed?.state === 'paused'
        if (seen !== undefined && !runs) await giveToInside(app, working.record)
        const isNew = seen === undefined || draft.record.operation?.kind === 'create'
        const seeding = isNew && settings.seed !== undefined ? await import('../project/seeding.ts') : undefined
        const seed = await seeding?.findSeed(app, working, project)
        const compare = areOutdated(draft.record.secrets ?? [], secretRecords(settings))
        const options = { rebuild, compare, secrets, ...(seed?.present === true ? { seed: seed.plan } : {}) }
        await startWithPorts(app, working, { draft, wanted: () => wanted, configure, options }, observed)
        const settled =
          isNew || observed?.state !== 'stopped' ? undefined : await backend.settleHostKey?.(working.record)
        if (settled !== undefined) working.record = { ...working.record, hostKeyFingerprint: settled }
        if (observed?.state !== 'paused' || rebuild) await awaitHealth(app, working.record, project)
        if (seed?.present === false) await seeding?.prepareSeed(app, working.record, project, seed.plan)
      },
    },
  } satisfies Actions
}

/** Which secrets the workspace gets, by reference. */
function withSecretNames(record: WorkspaceRecord, settings: Settings): WorkspaceRecord {
  const secrets = secretRecords(settings)
  return secrets.length === 0 && record.secrets === undefined ? record : { ...record, secrets }
}

function pickStack({ stack }: WorkspaceRecord): Pick<WorkspaceRecord, 'stack'> {
  return stack === undefined ? {} : { stack }
}

/** The ports asked for, where the workspace has none yet. */
function withPorts(record: WorkspaceRecord, wanted: readonly WantedPort[]): WorkspaceRecord {
  return record.ports.length > 0 ? record : { ...record, ports: wanted.map((port) => ({ ...port, host: null })) }
}

interface Making {
  readonly draft: Draft
  readonly wanted: () => readonly WantedPort[]
  readonly configure: () => Promise<void>
  readonly options: StartOptions
}

/** Docker's refusal of a port leads to other ports, re-rendered files and another try. */
async function startWithPorts(
  app: App,
  working: Working,
  making: Making,
  seen: Observation | undefined,
): Promise<void> {
  const { backend } = making.draft
  let observed = seen
  for (let attempt = 1; ; attempt++) {
    try {
      return await backend.start(working.record, observed, making.options)
    } catch (error) {
      if (!(error instanceof NexusError) || attempt === PORT_ATTEMPTS) throw error
      if (error.code === 'PORT_CONFLICT') await giveOtherPorts(app, working, making, error)
      else if (error.details?.subnet === true) await giveOtherSubnets(app, working, making.draft)
      else throw error
      await making.configure()
      observed = undefined
    }
  }
}

async function giveOtherPorts(app: App, working: Working, making: Making, error: NexusError): Promise<void> {
  const { record } = working
  const refused = error.details?.port
  const owner = typeof refused === 'number' ? await describePortOwner(app.runner, refused) : undefined
  const taken = `port ${refused ?? ''} is taken${owner === undefined ? '' : ` by ${owner}`}`
  if (record.ports.some((port) => port.canonical === refused)) {
    app.emit({ type: 'warning', text: `${taken}; the leased port alone is published` })
    const ports = record.ports.map(({ canonical, ...port }) =>
      canonical === refused || canonical === undefined ? port : { ...port, canonical },
    )
    working.record = { ...record, ports }
    return
  }
  app.emit({ type: 'warning', text: `${taken}; other ports are leased and the container is made anew` })
  const range = await requirePortRange(app, making.draft)
  const bases = await (await app.leases()).exchange(leaseRequest(record, making.wanted(), range), taken)
  working.record = { ...record, ports: await withCanonical(app, record, mapPorts(making.wanted(), bases)) }
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

async function subnetRequest(app: App, { record, model }: Working, project: Draft['project']) {
  const { settings } = await app.config(project)
  const count = (model === undefined ? 1 : ownNetworks(model).length) + gateNetworks(record)
  return { workspace: record.id, name: record.name, repo: record.repo, range: settings.subnets.range, count }
}

function leaseRequest(record: WorkspaceRecord, wanted: readonly WantedPort[], range: PortRange) {
  return { workspace: record.id, name: record.name, repo: record.repo, range, offsets: offsetsOf(wanted) }
}

async function requirePortRange(app: App, { backend, project }: Draft) {
  const { settings } = await app.config(project)
  const range = backend.portRange?.(settings.ssh.portRange)
  if (range === undefined) throw new Error(`backend ${backend.name} has local ports and no range`)
  return range
}
