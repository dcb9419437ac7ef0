/** Stops, pauses and resumes workspaces. Stop keeps everything: worktree, ports, containers, volumes. */
import { requireCapability } from '../backends/backend.ts'
import type { HookName } from '../config/settings.ts'
import { NexusError } from '../core/errors.ts'
import type { Operation, WorkspaceRecord } from '../core/workspace.ts'
import type { App } from './app.ts'
import type { Actions } from './apply.ts'
import { awaitHealth } from './health.ts'
import { findSettings, heldSecrets, tryHook } from './hooks.ts'
import { observeOne, requireEngine, type Seen } from './observe.ts'
import { beginOperation, exclusively, settle, type Working, walk } from './operate.ts'
import { type Plan, planPause, planResume, planStop } from './steps.ts'
import { projectOf, type UpResult } from './up.ts'

interface Change {
  readonly kind: Operation['kind']
  readonly desired: WorkspaceRecord['desired']
  readonly plan: (seen: Seen) => Plan
  readonly actions: (record: WorkspaceRecord, seen: Seen) => Promise<Actions>
}

async function change(app: App, found: WorkspaceRecord, dryRun: boolean, what: Change): Promise<UpResult> {
  return exclusively(app, found.id, async () => {
    const record = (await app.records.load(found.id)) ?? found
    const seen = await observeOne(app, record)
    requireEngine(seen)
    const plan = what.plan(seen)
    const settled = plan.length === 0 && record.desired === what.desired && record.operation === null
    if (dryRun || settled) return { record, plan, changed: false, created: false }
    const working: Working = { record: { ...record, operation: beginOperation(what.kind) } }
    await walk(app, working, plan, await what.actions(record, seen), () => true)
    return { record: await settle(app, working.record, what.desired), plan, changed: plan.length > 0, created: false }
  })
}

/** Stops a workspace; one that is stopped already stays so. */
export async function stop(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  const project = projectOf(record)
  const settings = await findSettings(app, record.repo, project, dryRun ? [] : ['pre-stop', 'post-stop'])
  const command = (name: 'pre-stop' | 'post-stop') => settings?.hooks.get(name)?.run
  const hooks = { 'pre-stop': command('pre-stop'), 'post-stop': command('post-stop') }
  const bringBack = record.gitMode === 'private' ? record.branch : undefined
  return change(app, record, dryRun, {
    kind: 'stop',
    desired: 'stopped',
    plan: (seen) => planStop(seen.record.name, seen.observation?.state ?? 'stopped', { ...hooks, bringBack }),
    actions: async ({ backend: name }, seen) => {
      const backend = await app.backend(name)
      // they are gone when post-stop runs
      const secrets = Object.values(hooks).some(Boolean) ? await heldSecrets(app, record) : new Map()
      const tryIt = async (hook: HookName) =>
        settings === undefined ? undefined : tryHook(app, record, settings, hook, secrets)
      return {
        // nothing inside can be asked while it is paused or broken
        'pre-stop': { run: async () => (seen.state === 'running' ? tryIt('pre-stop') : undefined) },
        'bring-back': {
          run: async () => (await import('./bring-back.ts')).bringBackIfMoved(app, record, seen.state === 'running'),
        },
        stop: { run: () => backend.stop(record, seen.observation) },
        'post-stop': { run: () => tryIt('post-stop') },
      }
    },
  })
}

/** Freezes a running workspace in memory. */
export function pause(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  return change(app, record, dryRun, {
    kind: 'pause',
    desired: 'paused',
    plan: (seen) => {
      if (seen.observation?.state === 'paused') return []
      if (seen.observation?.state === 'running') return planPause(seen.record.name)
      throw notIn(seen, 'paused', 'running')
    },
    actions: async ({ backend: name }) => {
      const backend = await app.backend(name)
      requireCapability(backend, 'pause', 'pause')
      return { pause: { run: () => backend.pause(record) } }
    },
  })
}

/** Lets a paused workspace run on. */
export function resume(app: App, record: WorkspaceRecord, dryRun: boolean): Promise<UpResult> {
  return change(app, record, dryRun, {
    kind: 'resume',
    desired: 'running',
    plan: (seen) => {
      if (seen.observation?.state === 'running') return []
      if (seen.observation?.state === 'paused') return planResume(seen.record.name)
      throw notIn(seen, 'resumed', 'paused')
    },
    actions: async ({ backend: name }) => {
      const backend = await app.backend(name)
      return {
        resume: {
          run: async () => {
            await backend.resume(record)
            await awaitHealth(app, record, projectOf(record))
          },
        },
      }
    },
  })
}

function notIn(seen: Seen, verb: string, wanted: string): NexusError {
  const { record } = seen
  return new NexusError(
    'INVALID_ARGUMENT',
    `Workspace ${record.name} is ${seen.state}, and only a ${wanted} one can be ${verb}.`,
    {
      hint: `To start it, run \`nexus start ${record.name}\``,
      details: { state: seen.state },
    },
  )
}
