/**
 * Creates, starts and restarts workspaces: one plan from what there is to what is wanted. A create that fails or is
 * interrupted is undone; one whose process was killed is finished, or undone, by the next command (`recover.ts`).
 */

import type { Backend } from '../../backends/backend.ts'
import { facetsOf } from '../../backends/facets.ts'
import type { Settings } from '../../config/load.ts'
import { NexusError } from '../../core/errors.ts'
import { KINDS, kindOf } from '../../core/operations.ts'
import { worktreeOf } from '../../core/record-parts.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import { readInputs } from '../../project/inputs.ts'
import type { SecretValues } from '../../project/secrets.ts'
import { noteUse } from '../../record/last-use.ts'
import { areOutdated } from '../../stack/secrets.ts'
import type { App } from '../app.ts'
import { requirePlaces } from '../drift.ts'
import { lastCommit } from '../git/last-commit.ts'
import { isHalfMade } from '../git/worktree-owner.ts'
import { judge, observeOne, requireEngine, type Seen } from '../observe.ts'
import { exclusively } from '../operation/operate.ts'
import { listUnfinished, repairNeighbours, requireThere } from '../operation/repaired.ts'
import { type Plan, planUp, type UpFacts } from '../operation/steps.ts'
import { beginOperation, walk } from '../operation/walk.ts'
import { SSH_PORT } from '../port-plan.ts'
import { admitHooks, hookActions, owedAfter, planHooks, secretRecords, secretsFor } from '../stack/hooks.ts'
import { type Chosen, projectOf, readChoice, readChosen } from '../trust/choice.ts'
import { type BranchChoice, lostBranch } from './branch.ts'
import { requireRoom, takePlace } from './budget.ts'
import { createActions } from './create-actions.ts'
import { type CreateRequest, type Draft, draftWorkspace } from './draft.ts'
import { upActions } from './up-actions.ts'
import type { Scene, Takes, UpCarried } from './up-context.ts'

export interface UpResult {
  /** The workspace as it is now; in a dry run as it would be. */
  readonly record: WorkspaceRecord
  readonly plan: Plan
  /** False when there was nothing to do. */
  readonly changed: boolean
  readonly created: boolean
}

export interface UpRequest extends CreateRequest {
  /** `up`: an existing workspace is started; `create`: it is an error. */
  readonly existing: WorkspaceRecord | undefined
  /** Told the id of a new workspace before anything of it is made. */
  readonly onId?: (id: WorkspaceRecord['id']) => void
}

/** Creates the workspace when there is none (any more), then starts it. */
export async function bringUp(app: App, request: UpRequest): Promise<UpResult> {
  const { dryRun } = request
  const options = { dryRun, start: request.start }
  const started = request.existing && (await startIfThere(app, request.existing, options))
  if (started !== undefined) return used(app, started, dryRun)
  // looked for while git is asked what the create needs
  const neighbours = dryRun ? Promise.resolve([]) : listUnfinished(app, request.repo.root)
  neighbours.catch(() => undefined) // told below, or by the create itself
  const result = await create(app, request)
  await repairNeighbours(app, await neighbours)
  // one that is made and not started is not used yet
  return used(app, result, dryRun || !request.start)
}

async function create(app: App, request: UpRequest): Promise<UpResult> {
  const draft = await draftWorkspace(app, request)
  const { record, branch, backend } = draft
  const { settings } = draft.chosen
  const making = planUp({
    name: record.name,
    branch: record.branch,
    branchCause: branch.cause,
    worktree: worktreeOf(record),
    isNew: true,
    worktreePresent: false,
    portsLeased: false,
    state: 'absent',
    start: request.start,
    capabilities: facetsOf(backend),
    stack: describeStack(record),
    privateGit: record.gitMode === 'private',
    ...configuredSteps(record, settings),
  })
  const plan = [...making, ...(request.start ? planHooks(settings, true) : [])]
  if (request.start) await requireRoom(app, record, settings.limits)
  if (request.dryRun) return { record, plan, changed: false, created: false }
  await admitHooks(app, record, settings)
  request.onId?.(record.id)
  const secrets = await secretsFor(app, settings)
  return exclusively(app, record.id, async () => {
    // noted from the first, so that whoever finishes a create that was cut off runs them too
    const owed = app.noHooks === true || planHooks(settings, true).length > 0 ? { pendingHooks: true } : {}
    const scene: Scene = { app, draft, seen: undefined, isRebuild: false }
    const given = { record: { ...record, ...owed }, observed: undefined, wanted: draft.wanted, secrets }
    const done = await walk<UpCarried>(app, given, {
      plan,
      actions: { ...createActions(scene, request.start), ...hookActions(app, settings, plan) },
      isRecorded: false,
      settled: (carried) => ({
        record: { ...withInputs(carried), ...(request.start ? owedAfter(app, carried.record, plan) : {}) },
        desired: request.start ? 'running' : 'stopped',
      }),
    })
    if (request.start) await (await import('./hooks-look.ts')).tellMissingPrograms(app, done.record)
    return { record: done.record, plan, changed: true, created: true }
  })
}

export interface StartRequest {
  readonly dryRun: boolean
  readonly start: boolean
  /** False: a stopped workspace is looked at, and not taken for as Nexus left it. */
  readonly asLeft?: boolean
  /** Where they are known already. */
  readonly secrets?: SecretValues | undefined
}

/** Starts a workspace that exists: resumes, starts or rebuilds its parts, whatever is missing. */
export async function start(app: App, found: WorkspaceRecord, options: StartRequest): Promise<UpResult> {
  return used(app, requireThere(await startIfThere(app, found, options), found), options.dryRun)
}

/** Whoever asks for a workspace by a verb is about to use it. */
function used(app: App, result: UpResult, dryRun: boolean): UpResult {
  if (!dryRun) noteUse(app.home, result.record.id)
  return result
}

/** Undefined when it was removed since it was found, or by the repair of a delete that was cut off. */
async function startIfThere(app: App, found: WorkspaceRecord, options: StartRequest): Promise<UpResult | undefined> {
  const body = async (record: WorkspaceRecord | undefined) =>
    record === undefined ? undefined : startThere(app, record, options)
  return exclusively(app, found.id, body, { as: 'start', dryRun: options.dryRun })
}

/** Under the workspace's lock; looks closer where its parts are not as Nexus left them. */
export async function startThere(app: App, record: WorkspaceRecord, options: StartRequest): Promise<UpResult> {
  try {
    return await startLocked(app, record, options)
  } catch (error) {
    if (!(error instanceof NexusError) || error.details?.partsGone !== true) throw error
    return startLocked(app, (await app.records.load(record.id)) ?? record, { ...options, asLeft: false })
  }
}

/** The same, once; a create that was cut off goes on as such. */
export async function startLocked(app: App, record: WorkspaceRecord, options: StartRequest): Promise<UpResult> {
  requirePlaces(app, record)
  const chosen = await readChosen(app, await projectOf(app, record))
  const backend = await app.backend(record.backend)
  const [seen] = await Promise.all([look(app, record, options), backend.check()])
  const redo = !seen.worktreePresent || (record.local !== null && isHalfMade(record))
  const { settings } = chosen
  const steps = planStart(record, seen, backend, redo, options, settings)
  const fills = steps.some(({ id }) => id === 'start')
  const starts = options.start && (fills || record.pendingHooks === true)
  const plan = [...steps, ...(starts ? planHooks(settings, record.pendingHooks === true) : [])]
  if (fills) await requireRoom(app, record, settings.limits)
  if (options.dryRun || (plan.length === 0 && record.operation === null && record.desired === 'running')) {
    return { record, plan, changed: false, created: false }
  }
  const secrets = await admitStart(app, record, chosen, options.secrets)
  const begun = { ...record, operation: operationOf(record, options) }
  const ports = record.ports.map(({ host: _, ...port }) => port)
  const wanted = ports.length > 0 ? ports : [SSH_PORT]
  const draft: Draft = { record, branch: await ownBranch(app, record, redo), wanted, backend, chosen }
  const scene: Scene = { app, draft, seen, isRebuild: false }
  if (fills) await takePlace(app, begun, settings.limits)
  const given = { record: begun, observed: seen.observation, wanted, secrets }
  const done = await walk<UpCarried>(app, given, {
    plan,
    actions: { ...upActions(scene), ...hookActions(app, settings, plan) },
    settled: (carried) => {
      const made = carried.model === undefined ? carried.record : withInputs(carried)
      const owed = starts ? owedAfter(app, made, plan) : {}
      return { record: { ...made, ...owed }, desired: options.start ? 'running' : record.desired }
    },
  })
  return { record: done.record, plan, changed: plan.length > 0, created: false }
}

/**
 * What a start refuses, for whoever stops what runs before it.
 * @returns the secrets, which are asked for once
 */
export async function requireStartable(app: App, record: WorkspaceRecord): Promise<SecretValues> {
  requirePlaces(app, record)
  const chosen = await readChosen(app, await projectOf(app, record))
  const { settings } = chosen
  const backend = await app.backend(record.backend)
  await Promise.all([backend.check(), requireRoom(app, record, settings.limits)])
  const secrets = await admitStart(app, record, chosen)
  const readsFiles = record.docker?.stack !== undefined && areOutdated(record.secrets ?? [], secretRecords(settings))
  if (readsFiles) await (await import('../stack/project-stack.ts')).resolveStack(app, record, backend, chosen, true)
  return secrets
}

async function admitStart(app: App, record: WorkspaceRecord, chosen: Chosen, known?: SecretValues) {
  await admitHooks(app, record, chosen.settings)
  await admitChoice(app, record, chosen)
  return known ?? secretsFor(app, chosen.settings)
}

/** Without a note of what the user chose, the configuration is what an agent's workspace says. */
async function admitChoice(app: App, record: WorkspaceRecord, chosen: Chosen): Promise<void> {
  if (record.isolation !== 'agent' || (await readChoice(app, record)) !== undefined) return
  const unread = record.docker?.stack !== undefined
  await (await import('../trust/wishes.ts')).admitWishes(app, record, { chosen, model: undefined, unread })
}

function operationOf({ operation }: WorkspaceRecord, options: StartRequest): Operation {
  return operation !== null && KINDS[operation.kind].makes
    ? beginOperation('create', [], operation)
    : beginOperation('start', options.start ? [] : ['no-start'])
}

/**
 * One look, or none for a workspace that Nexus itself stopped: Docker starts it, or says at once that it cannot.
 * @throws {NexusError} BACKEND_UNAVAILABLE
 */
async function look(app: App, record: WorkspaceRecord, options: StartRequest): Promise<Seen> {
  const plain = record.docker?.stack === undefined && options.asLeft !== false
  if (plain && record.desired === 'stopped' && record.operation === null && options.start && !options.dryRun) {
    return judge(app, record, { state: 'stopped', reason: '' })
  }
  const seen = await observeOne(app, record)
  requireEngine(seen)
  return seen
}

/** A create that was killed early may not even have made the branch. */
async function ownBranch(app: App, record: WorkspaceRecord, redo: boolean): Promise<BranchChoice> {
  const { branch, base, branchCreated: ours } = record
  const gone = redo && !(await app.git.findCommit(record.repo, `refs/heads/${branch}`))
  if (!gone) return { branch, create: false, commit: base ?? '', ours, cause: 'its own' }
  const isNew = kindOf(record.operation)?.makes === true
  const commit = isNew ? await app.git.findCommit(record.repo, base ?? '') : await lastCommit(app, record)
  if (commit === undefined) throw lostBranch(record)
  // the log of a branch that is gone tells no more whose it was
  return { branch, create: true, commit, ours, cause: 'its own', taken: 'its last commit' }
}

function planStart(
  record: WorkspaceRecord,
  seen: Seen,
  backend: Backend,
  redo: boolean,
  options: StartRequest,
  settings: Settings,
): Plan {
  return planUp({
    name: record.name,
    branch: record.branch,
    branchCause: seen.worktreePresent ? 'its making was interrupted' : 'its folder is gone',
    worktree: worktreeOf(record),
    isNew: false,
    worktreePresent: !redo,
    portsLeased: record.ports.some((port) => port.host !== null),
    state: plannedState(seen),
    start: options.start,
    capabilities: facetsOf(backend),
    stack: describeStack(record),
    ...configuredSteps(record, settings),
    distrusted: record.isolation === 'agent',
    portsMoved: record.docker?.portsMoved === true,
    secretsOutdated: areOutdated(record.secrets ?? [], secretRecords(settings)),
    unseeded: options.start && settings.seed !== undefined && neverStarted(record),
  })
}

/** As plans know it. */
export function plannedState({ observation }: Seen): UpFacts['state'] {
  const state = observation?.state ?? 'absent'
  return state === 'unknown' ? 'error' : state
}

/** Its create was cut off, and not after the last step. */
function neverStarted({ operation }: WorkspaceRecord): boolean {
  return kindOf(operation)?.makes === true && !operation?.done.includes('start')
}

function configuredSteps(record: WorkspaceRecord, settings: Settings) {
  return {
    templates: record.local === null ? [] : settings.worktree.templates,
    preStart: settings.hooks.get('pre-start')?.run,
    seeded: settings.seed !== undefined,
  }
}

/** What of the project's runs, in the words of its files. */
export function describeStack({ docker }: WorkspaceRecord): string | undefined {
  if (docker?.stack === undefined) return undefined
  const { base, files } = docker.stack
  if (files.length > 0) return files.join(' + ')
  return base.kind === 'dockerfile' ? base.file : base.kind === 'image' ? base.image : undefined
}

/** Notes what the workspace was made from. */
export function withInputs({ record, model, inputs }: Takes<'record' | 'model' | 'inputs'>): WorkspaceRecord {
  if (record.local === null) return record
  return { ...record, inputs: inputs ?? readInputs(record.local.worktree, record, model) }
}
