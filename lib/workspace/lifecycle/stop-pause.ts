/** Stops, pauses and resumes workspaces. Stop keeps everything: worktree, ports, containers, volumes. */
import { requireFacet } from '../../backends/facets.ts'
import type { HookName } from '../../config/settings.ts'
import { NexusError } from '../../core/errors.ts'
import { timestamp } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { noteUse } from '../../record/last-use.ts'
import type { App } from '../app.ts'
import { requirePlaces } from '../drift.ts'
import { observeOne, requireEngine, type Seen } from '../observe.ts'
import type { Actions } from '../operation/apply.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { type Plan, planPause, planResume, planStop } from '../operation/steps.ts'
import { beginOperation, walk } from '../operation/walk.ts'
import { findSettings, heldSecrets, tryHook } from '../stack/hooks.ts'
import { requireStartable, startThere, type UpResult } from './up.ts'

type StoppedBy = NonNullable<WorkspaceRecord['stopped']>['by']

/** A change of state: what is wanted, and what it takes from what was seen. */
interface Change {
  readonly desired: WorkspaceRecord['desired']
  readonly plan: (seen: Seen) => Plan
  readonly actions: (seen: Seen) => Promise<Actions>
}

export type ChangeKind = keyof typeof CHANGES

const CHANGES = { stop: stopping, pause: pausing, resume: resuming } as const

/** Stops a workspace; one that is stopped already stays so. Who wants it decides who may start it again (`wake.ts`). */
export const stop = (app: App, found: WorkspaceRecord, dryRun: boolean, by: StoppedBy = 'user') =>
  change(app, found, 'stop', dryRun, by)
/** Freezes a running workspace in memory. */
export const pause = (app: App, found: WorkspaceRecord, dryRun: boolean) => change(app, found, 'pause', dryRun)
/** Lets a paused workspace run on. */
export async function resume(app: App, found: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  const result = await change(app, found, 'resume', dryRun)
  if (!dryRun) noteUse(app.home, result.record.id)
  return result
}

/** Stops it and starts it again, as one for whoever waits; what could not be started again is not stopped. */
export async function restart(app: App, found: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  requirePlaces(app, found)
  const body = async (record: WorkspaceRecord | undefined) => {
    const there = requireThere(record, found)
    const secrets = dryRun ? undefined : await requireStartable(app, there)
    const stopped = await changeLocked(app, there, 'stop', dryRun)
    const started = await startThere(app, stopped.record, { start: true, dryRun, secrets })
    return { ...started, plan: [...stopped.plan, ...started.plan], changed: true }
  }
  const result = await exclusively(app, found.id, body, { as: 'stop', dryRun })
  if (!dryRun) noteUse(app.home, found.id)
  return result
}

function change(
  app: App,
  found: WorkspaceRecord,
  kind: ChangeKind,
  dryRun: boolean,
  by?: StoppedBy,
): Promise<UpResult> {
  const body = (record: WorkspaceRecord | undefined) => changeLocked(app, requireThere(record, found), kind, dryRun, by)
  return exclusively(app, found.id, body, { as: kind, dryRun })
}

/** Under the workspace's lock. */
export async function changeLocked(
  app: App,
  record: WorkspaceRecord,
  kind: ChangeKind,
  dryRun: boolean,
  by: StoppedBy = 'user',
): Promise<UpResult> {
  const what = await CHANGES[kind](app, record, dryRun)
  const seen = await observeOne(app, record)
  requireEngine(seen)
  const plan = what.plan(seen)
  const stops = what.desired === 'stopped'
  // what was stopped for being idle, and is now stopped by somebody, is theirs
  const noted = !stops || record.stopped?.by === by
  const settled = plan.length === 0 && record.desired === what.desired && record.operation === null && noted
  if (dryRun || settled) return { record, plan, changed: false, created: false }
  const begun = { ...record, operation: beginOperation(kind) }
  const stopped = stops ? { stopped: { at: timestamp(), by } } : {}
  const done = await walk(
    app,
    { record: begun },
    {
      plan,
      actions: await what.actions(seen),
      settled: (carried) => ({ record: { ...carried.record, ...stopped }, desired: what.desired }),
    },
  )
  return { record: done.record, plan, changed: plan.length > 0, created: false }
}

async function stopping(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<Change> {
  const settings = await findSettings(app, record, dryRun ? [] : ['pre-stop', 'post-stop'])
  const command = (name: 'pre-stop' | 'post-stop') => settings?.hooks.get(name)?.run
  const hooks = { 'pre-stop': command('pre-stop'), 'post-stop': command('post-stop') }
  const bringBack = record.gitMode === 'private' ? record.branch : undefined
  return {
    desired: 'stopped',
    plan: (seen) => planStop(record.name, seen.observation?.state ?? 'stopped', { ...hooks, bringBack }),
    actions: async (seen) => {
      const backend = await app.backend(record.backend)
      // they are gone when post-stop runs
      const secrets = Object.values(hooks).some(Boolean) ? await heldSecrets(app, record) : new Map()
      const tryIt = async (hook: HookName) =>
        settings === undefined ? undefined : tryHook(app, record, settings, hook, secrets)
      return {
        // nothing inside can be asked while it is paused or broken
        'pre-stop': { run: async () => (seen.state === 'running' ? tryIt('pre-stop') : undefined) },
        'bring-back': {
          run: async () =>
            (await import('../git/bring-back.ts')).bringBackIfMoved(app, record, seen.state === 'running'),
        },
        stop: { run: () => backend.lifecycle.stop(record, seen.observation) },
        'post-stop': { run: () => tryIt('post-stop') },
      }
    },
  }
}

async function pausing(app: App, record: WorkspaceRecord): Promise<Change> {
  return {
    desired: 'paused',
    plan: (seen) => {
      if (seen.observation?.state === 'paused') return []
      if (seen.observation?.state === 'running') return planPause(record.name)
      throw notIn(seen, 'paused', 'running')
    },
    actions: async () => {
      const backend = await app.backend(record.backend)
      const { pause } = await requireFacet(app, backend, 'pause', 'pause')
      return { pause: { run: () => pause(record) } }
    },
  }
}

async function resuming(app: App, record: WorkspaceRecord): Promise<Change> {
  return {
    desired: 'running',
    plan: (seen) => {
      if (seen.observation?.state === 'running') return []
      if (seen.observation?.state === 'paused') return planResume(record.name)
      throw notIn(seen, 'resumed', 'paused')
    },
    actions: async () => {
      const backend = await app.backend(record.backend)
      // no health check is waited for: the engine calls what was paused unhealthy until its next one, half a minute perhaps
      const { resume } = await requireFacet(app, backend, 'pause', 'pause')
      return { resume: { run: () => resume(record) } }
    },
  }
}

function notIn(seen: Seen, verb: string, wanted: string): NexusError {
  const { record } = seen
  return new NexusError(
    'WORKSPACE_NOT_RUNNING',
    `Workspace ${record.name} is ${seen.state}, and only a ${wanted} one can be ${verb}.`,
    {
      hint: `To start it, run \`nexus start ${record.name}\``,
      details: { state: seen.state },
    },
  )
}
