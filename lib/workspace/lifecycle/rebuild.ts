/**
 * Makes a workspace anew from what its worktree says now: configuration, compose files, Dockerfiles. Worktree, volumes, ports
 * and keys stay; containers and images are made again.
 */

import type { Backend } from '../../backends/backend.ts'
import { facetsOf } from '../../backends/facets.ts'
import type { Settings } from '../../config/load.ts'
import { composeProject } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { hasFixedImages, keepsImage, withFixedBase } from '../../network/network.ts'
import { leftCopies } from '../../stack/outside-data.ts'
import type { App } from '../app.ts'
import { requirePlaces } from '../drift.ts'
import { observeOne, requireEngine } from '../observe.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { planRebuild } from '../operation/steps.ts'
import { beginOperation, walk } from '../operation/walk.ts'
import { ownPorts } from '../port-plan.ts'
import { loadInstance } from '../records.ts'
import { admitHooks, hookActions, owedAfter, planHooks, secretsFor } from '../stack/hooks.ts'
import { detectIn, stackOf, withReadyPorts } from '../stack/stack-choice.ts'
import { type Chosen, projectInFiles, readChosen } from '../trust/choice.ts'
import { limitsOf } from '../trust/isolation.ts'
import { takePlace } from './budget.ts'
import { cachesOf, readyOfSettings } from './draft.ts'
import { describeStack, plannedState, type UpResult, withInputs } from './up.ts'
import { upActions } from './up-actions.ts'
import type { Scene, UpCarried } from './up-context.ts'

export async function rebuild(app: App, found: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  const body = (record: WorkspaceRecord | undefined) => rebuildLocked(app, requireThere(record, found), dryRun)
  return exclusively(app, found.id, body, { as: 'rebuild', dryRun })
}

/** Under the workspace's lock. */
export async function rebuildLocked(app: App, present: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  requirePlaces(app, present)
  const chosen = await readChosen(app, await projectInFiles(present))
  const backend = await app.backend(present.backend)
  const { settings } = chosen
  const [seen] = await Promise.all([
    observeOne(app, present),
    backend.check(present.docker && { ...present.docker, ...present }),
  ])
  requireEngine(seen)
  const instance = await loadInstance(app.home)
  const record = asConfigured(present, settings, instance)
  const { templates } = settings.worktree
  const facts = {
    name: record.name,
    capabilities: facetsOf(backend),
    stack: describeStack(record),
    templates,
    state: plannedState(seen),
    distrusted: record.isolation === 'agent',
  }
  const hooks = planHooks(settings, record.pendingHooks === true)
  const plan = [...planRebuild(facts), ...hooks]
  await tellLeft(app, present, record, backend)
  if (dryRun) return { record: present, plan, changed: false, created: false }
  await admitHooks(app, record, settings)
  const begun = { ...record, operation: beginOperation('rebuild') }
  const branch = { branch: record.branch, create: false, commit: '', ours: false, cause: 'its own' }
  const ready = readyOfSettings(settings, instance, present.repo, record.docker?.ready?.password)
  const wanted = await withReadyPorts(ownPorts(settings.ports, record.ports), { ...record, docker: ready })
  if (hasFixedImages(begun)) await backend.stack?.requireImages(begun, undefined)
  if (record.isolation === 'agent') await lookFirst(app, begun, backend, chosen)
  const secrets = await secretsFor(app, settings)
  const scene: Scene = { app, draft: { record, branch, wanted, backend, chosen }, seen, isRebuild: true }
  await takePlace(app, begun, settings.limits)
  const given = { record: begun, observed: seen.observation, wanted, secrets }
  const done = await walk<UpCarried>(app, given, {
    plan,
    actions: { ...upActions(scene), ...hookActions(app, settings, plan) },
    settled: (carried) => ({
      record: { ...withInputs(carried), ...owedAfter(app, carried.record, plan) },
      desired: 'running',
    }),
  })
  return { record: done.record, plan, changed: true, created: false }
}

/** The data seem lost to who does not know of the copy. */
async function tellLeft(app: App, before: WorkspaceRecord, after: WorkspaceRecord, backend: Backend): Promise<void> {
  if (after.docker?.stack === undefined || before.docker?.stack?.external !== 'private') return
  const model = await backend.stack?.startedModel(before)
  for (const { key, from } of model === undefined ? [] : leftCopies(before, after, model)) {
    const copy = `${composeProject(before)}_${key}`
    app.emit({
      type: 'warning',
      text: `${before.name} leaves its copy of ${from}, which stays as ${copy}: what it writes now goes to ${from} itself`,
      hint: `To go back to the copy, run \`nexus config set compose.external private && nexus rebuild ${before.name}\``,
    })
  }
}

/**
 * Before whoever is inside is stopped, so that files that cannot be used, or need approval, stop nobody; it is looked again when
 * nobody is inside, as what they say may be otherwise by then.
 */
async function lookFirst(app: App, record: WorkspaceRecord, backend: Backend, chosen: Chosen): Promise<void> {
  if (record.docker?.stack === undefined)
    return (await import('../trust/wishes.ts')).admitWishes(app, record, { chosen, model: undefined })
  await (await import('../stack/project-stack.ts')).resolveStack(app, record, backend, chosen, true)
}

/** What the configuration says of the workspace's own container and of what runs beside it. */
function asConfigured(record: WorkspaceRecord, settings: Settings, instance: string): WorkspaceRecord {
  const { local, docker } = record
  const limited = { ...record, ...limitsOf(record.isolation, settings, record) }
  if (docker === undefined) return limited
  const { stack: last, ready, caches: _, ...rest } = docker
  const found = local === null ? undefined : stackOf(detectIn(local.worktree, record.repo, settings), settings)
  const part = {
    ...rest,
    ...(found === undefined ? {} : { stack: hasFixedImages(record) ? withFixedBase(found, last) : found }),
    ...readyOfSettings(settings, instance, record.repo, ready?.password),
    ...cachesOf(settings, instance, record),
    // an older image that it has to keep has no place for them
    editors: rest.editors || !keepsImage(record),
  }
  return { ...limited, docker: part }
}
