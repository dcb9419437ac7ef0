/** What the steps of a create, a start and a rebuild do, each by itself: what it takes and what it yields stands in its head. */

import type { Settings } from '../../config/load.ts'
import { withDocker } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { hasSameImage, keepsImage } from '../../network/network.ts'
import type { Actions } from '../operation/apply.ts'
import { keepOffsets, mapPorts } from '../port-plan.ts'
import { runHook, secretRecords } from '../stack/hooks.ts'
import { makeWorktreePlace } from '../worktree-place.ts'
import { withCanonical } from './canonical-ports.ts'
import { inputsOf, type Resolved, readStack } from './read-stack.ts'
import { leaseRequest, requirePortRange, subnetRequest } from './start-ports.ts'
import { runStart } from './start-step.ts'
import type { Scene, Takes, UpCarried, Yields } from './up-context.ts'
import { makeTemplates, makeWorktree, unmakeWorktree } from './worktree-files.ts'

export function upActions(scene: Scene) {
  const { app, draft } = scene
  return {
    worktree: {
      run: (carried, progress) => makeWorktree(scene, carried, progress),
      undo: (carried) => unmakeWorktree(scene, carried),
    },
    stop: { run: (carried) => stop(scene, carried) },
    resolve: { run: (carried) => resolve(scene, carried) },
    lease: { run: (carried) => lease(scene, carried) },
    templates: { run: (carried) => templates(scene, carried) },
    provision: { run: (carried) => provision(scene, carried) },
    configure: { run: (carried) => configure(scene, carried) },
    'pre-start': {
      run: ({ record, secrets }) => runHook(app, record, draft.chosen.settings, 'pre-start', secrets),
    },
    start: { run: (_, progress) => runStart(scene, progress) },
  } satisfies Actions<UpCarried>
}

async function stop({ draft }: Scene, { record, observed }: Takes<'record' | 'observed'>): Promise<Yields<'observed'>> {
  await draft.backend.lifecycle.stop(record, observed)
  // what is missing is missing still
  return { observed: { state: observed?.state === 'error' ? 'error' : 'stopped', reason: '' } }
}

async function resolve(scene: Scene, { record, wanted }: Takes<'record' | 'wanted'>): Promise<Resolved> {
  const { app, draft, seen } = scene
  // with what is known already, as the compose files may not be readable without
  await makeTemplates(app, record, draft, { isNew: seen === undefined, early: true })
  return readStack(scene, { record, wanted })
}

async function templates(
  { app, draft, seen }: Scene,
  { record, resolution, model }: Takes<'record' | 'resolution' | 'model'>,
): Promise<Yields<'resolution' | 'inputs'>> {
  await makeTemplates(app, record, draft, { isNew: seen === undefined, early: false })
  // what the compose files say may hang on them
  if (resolution?.model === undefined) return {}
  const { resolveStack } = await import('../stack/project-stack.ts')
  const found = await resolveStack(app, record, draft.backend, draft.chosen)
  return { resolution: found.resolution, ...inputsOf(record, model, found.inputs) }
}

async function lease(
  { app, draft }: Scene,
  { record, model, ...given }: Takes<'record' | 'model' | 'wanted'>,
): Promise<Yields<'wanted', 'ports' | 'subnets'>> {
  const { backend, chosen } = draft
  const wanted = keepOffsets(given.wanted, record.ports)
  const range = requirePortRange(backend, chosen.settings)
  const [bases, subnets] = await Promise.all([
    app.leases().then((leases) => leases.acquire(leaseRequest(record, wanted, range))),
    app.subnets().then((leases) => leases.acquire(subnetRequest(record, model, chosen.settings))),
  ])
  const ports = await withCanonical(app, record, mapPorts(wanted, bases), chosen.own)
  return { wanted, record: { ports, subnets } }
}

async function provision(
  { draft, isRebuild }: Scene,
  { record, resolution }: Takes<'record' | 'resolution'>,
): Promise<Yields<never, 'docker' | 'hostKeyFingerprint'>> {
  // a workspace keeps its image until it is rebuilt, or its container is made of something else
  const isOther = !hasSameImage(draft.record.docker?.stack, record.docker?.stack)
  const isAnew = (isRebuild || isOther) && !keepsImage(record)
  const given = isAnew ? withDocker(record, { image: null }) : record
  return { record: await draft.backend.lifecycle.provision(given, resolution?.under) }
}

async function configure(
  { app, draft, seen }: Scene,
  { resolution, ...given }: Takes<'record' | 'resolution'>,
): Promise<Yields<never, 'secrets'>> {
  const { backend, chosen } = draft
  const record = withSecretNames(given.record, chosen.settings)
  await makeWorktreePlace(app, record, chosen.settings)
  // nobody is inside yet: what the configuration says now is what the user chose
  if (seen === undefined && record.docker?.stack === undefined && record.isolation === 'agent')
    await (await import('../trust/wishes.ts')).admitWishes(app, record, { chosen, model: undefined })
  await backend.lifecycle.configure(record, chosen.settings.ssh.injection, resolution)
  return { record: { secrets: record.secrets } }
}

/** Which secrets the workspace gets, by reference. */
function withSecretNames(record: WorkspaceRecord, settings: Settings): WorkspaceRecord {
  const secrets = secretRecords(settings)
  return secrets.length === 0 && record.secrets === undefined ? record : { ...record, secrets }
}
