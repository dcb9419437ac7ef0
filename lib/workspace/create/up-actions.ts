/**
 * What the steps of an `up` do: lease and exchange ports, make and unmake the worktree, have the backend provide the rest.
 */
import type { Resolution } from '../../backends/making.ts'
import type { Settings } from '../../config/load.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { hasSameImage, keepsImage } from '../../stack/network.ts'
import { areOutdated } from '../../stack/secrets.ts'
import type { App } from '../app.ts'
import type { Seen } from '../observe.ts'
import type { Actions } from '../operation/apply.ts'
import { noteInputs, type Working } from '../operation/operate.ts'
import { keepOffsets, mapPorts } from '../port-plan.ts'
import { awaitHealth } from '../project/health.ts'
import { runHook, secretRecords } from '../project/hooks.ts'
import { makeWorktreePlace } from '../worktree-place.ts'
import { withCanonical } from './canonical.ts'
import type { Draft } from './draft.ts'
import { leaseRequest, requirePortRange, startWithPorts, subnetRequest } from './start-ports.ts'
import { giveToInside, makeTemplates, worktreeAction } from './worktree-files.ts'

/** `rebuild`: containers and image are made anew though they are there. */
export function createSteps(app: App, working: Working, draft: Draft, seen: Seen | undefined, rebuild = false) {
  const { backend, project } = draft
  let observed = seen?.observation
  let wanted = draft.wanted
  let resolution: Resolution | undefined
  const configure = async () => {
    const { settings } = await app.config(project)
    await backend.lifecycle.configure(working.record, settings.ssh.injection, resolution)
  }
  /** After ports moved: of the project's files counts what the containers were made from, where this start has not looked at them. */
  const configureAgain = async () => {
    if (resolution === undefined && (working.record.stack?.files.length ?? 0) > 0) {
      const model = await backend.stack?.startedModel(working.record)
      if (model === undefined) await resolve()
      else resolution = { model, warnings: [], under: undefined }
    }
    await makeTemplates(app, working.record, draft, { isNew: false, early: false })
    await configure()
  }
  const resolve = async () => {
    const { resolveStack } = await import('../project/project-stack.ts')
    const resolved = await resolveStack(app, withPorts(working.record, wanted), backend, project)
    ;({ wanted, resolution } = resolved)
    working.model = resolution.model
    working.record = { ...working.record, ...pickStack(resolved.record) }
    noteInputs(working, resolved.inputs)
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
        await resolve()
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
        await backend.lifecycle.stop(working.record, observed)
        // what is missing is missing still
        observed = { state: observed?.state === 'error' ? 'error' : 'stopped', reason: '' }
      },
    },
    provision: {
      run: async () => {
        // a workspace keeps its image until it is rebuilt, or its container is made of something else
        const isOther = !hasSameImage(draft.record.stack, working.record.stack)
        const anew = (rebuild || isOther) && !keepsImage(working.record)
        const record = anew ? { ...working.record, image: null } : working.record
        const provision = await backend.lifecycle.provision(record, resolution?.under)
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
        const model = await lookAtMounts(app, working.record, backend, settings, resolution?.model)
        // while nobody is inside
        const runs = observed?.state === 'running' || observed?.state === 'paused'
        if (seen !== undefined && !runs) await giveToInside(app, working.record)
        const isNew = seen === undefined || draft.record.operation?.kind === 'create'
        const seeding = isNew && settings.seed !== undefined ? await import('../project/seeding.ts') : undefined
        const seed = await seeding?.findSeed(app, working, project)
        const compare = areOutdated(draft.record.secrets ?? [], secretRecords(settings))
        const options = { rebuild, compare, secrets, ...(seed?.present === true ? { seed: seed.plan } : {}) }
        const making = { draft, wanted: () => wanted, configure: configureAgain, options, isNew: seen === undefined }
        const startNow = () => startWithPorts(app, working, making, observed)
        if (model === undefined) await startNow()
        else {
          const { startAlone } = await import('../project/sharing.ts')
          await startAlone(app, { record: working.record, backend, settings, model }, startNow)
        }
        const settled =
          isNew || observed?.state !== 'stopped' ? undefined : await backend.ssh?.settleHostKey(working.record)
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
