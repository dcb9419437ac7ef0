/**
 * Creates, starts and restarts workspaces: one plan from what there is to what is wanted. A create that fails or is
 * interrupted is undone; one whose process was killed is finished, or undone, by the next command (`recover.ts`).
 */
import type { Backend } from '../../backends/backend.ts'
import type { Settings } from '../../config/load.ts'
import { NexusError } from '../../core/errors.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import { readInputs } from '../../project/inputs.ts'
import { noteUse } from '../../record/use.ts'
import { areOutdated } from '../../stack/secrets.ts'
import type { App } from '../app.ts'
import { requirePlaces } from '../drift.ts'
import { noteRunningParts } from '../git/git-snapshot.ts'
import { isHalfMade } from '../git/worktree-owner.ts'
import { judge, observeOne, requireEngine, type Seen } from '../observe.ts'
import type { Actions } from '../operation/apply.ts'
import { beginOperation, exclusively, settle, type Working, walk } from '../operation/operate.ts'
import { listUnfinished, repairNeighbours, requireThere } from '../operation/repaired.ts'
import { type Plan, planUp, type UpFacts } from '../operation/steps.ts'
import { SSH_PORT } from '../port-plan.ts'
import { projectOf, readChoice } from '../project/choice.ts'
import { admitHooks, planHooks, runStartHooks, secretRecords, secretsFor } from '../project/hooks.ts'
import { makeWorktreePlace, removeEmptyFolders } from '../worktree-place.ts'
import { type BranchChoice, lostBranch } from './branch.ts'
import { requireRoom, takePlace, withinBudget } from './budget.ts'
import { type CreateRequest, type Draft, draftWorkspace } from './draft.ts'
import { claimName } from './naming.ts'
import { createSteps } from './up-actions.ts'

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
  const { settings } = await app.config(draft.project)
  const plan = planUp({
    name: record.name,
    branch: record.branch,
    branchCause: branch.cause,
    worktree: record.worktree,
    isNew: true,
    worktreePresent: false,
    portsLeased: false,
    state: 'absent',
    start: request.start,
    capabilities: backend.capabilities,
    stack: describeStack(record),
    privateGit: record.gitMode === 'private',
    ...configuredSteps(record, settings),
  })
  const after = request.start ? planHooks(settings, true) : []
  if (request.start) await requireRoom(app, record, settings.limits)
  if (request.dryRun) return { record, plan: [...plan, ...after], changed: false, created: false }
  await admitHooks(app, record, settings)
  request.onId?.(record.id)
  const secrets = await secretsFor(app, settings)
  return exclusively(app, record.id, async () => {
    // noted from the first, so that whoever finishes a create that was cut off runs them too
    const owed = app.noHooks === true || planHooks(settings, true).length > 0 ? { pendingHooks: true } : {}
    const working: Working = { record: { ...record, ...owed }, secrets }
    let saved = false
    const steps = createSteps(app, working, draft, undefined)
    const actions: Actions = {
      ...steps,
      record: {
        run: async () => {
          const save = () => reserve(app, working)
          await (request.start ? withinBudget(app, record, settings.limits, save) : save())
          saved = true
        },
        undo: async () => {
          saved = false
          await working.notes?.catch(() => undefined) // a note that could not be written is no reason to keep the record
          await unreserve(app, working.record)
        },
      },
      lease: { ...steps.lease, undo: () => releaseAll(app, record.id) },
      // before its first start it has parts as well: what a backend keeps beside the record
      configure: { ...steps.configure, undo: () => backend.remove(working.record) },
    }
    await walk(app, working, plan, actions, () => saved)
    const settled = await settle(app, withInputs(working), request.start ? 'running' : 'stopped')
    const done = request.start ? await runStartHooks(app, 'create', settled, draft.project) : settled
    if (request.start) await (await import('./hooks-look.ts')).tellMissingPrograms(app, done)
    return { record: done, plan: [...plan, ...after], changed: true, created: true }
  })
}

export interface StartOptions {
  readonly dryRun: boolean
  readonly start: boolean
  /** False: a stopped workspace is looked at, and not taken for as Nexus left it. */
  readonly asLeft?: boolean
}

/** Starts a workspace that exists: resumes, starts or rebuilds its parts, whatever is missing. */
export async function start(app: App, found: WorkspaceRecord, options: StartOptions): Promise<UpResult> {
  return used(app, requireThere(await startIfThere(app, found, options), found), options.dryRun)
}

/** Whoever asks for a workspace by a verb is about to use it. */
function used(app: App, result: UpResult, dryRun: boolean): UpResult {
  if (!dryRun) noteUse(app.home, result.record.id)
  return result
}

/** Undefined when it was removed since it was found, or by the repair of a delete that was cut off. */
async function startIfThere(app: App, found: WorkspaceRecord, options: StartOptions): Promise<UpResult | undefined> {
  const body = async (record: WorkspaceRecord | undefined) =>
    record === undefined ? undefined : startThere(app, record, options)
  return exclusively(app, found.id, body, { as: 'start', dryRun: options.dryRun })
}

/** Under the workspace's lock; looks closer where its parts are not as Nexus left them. */
export async function startThere(app: App, record: WorkspaceRecord, options: StartOptions): Promise<UpResult> {
  try {
    return await startLocked(app, record, options)
  } catch (error) {
    if (!(error instanceof NexusError) || error.details?.partsGone !== true) throw error
    return startLocked(app, (await app.records.load(record.id)) ?? record, { ...options, asLeft: false })
  }
}

/** The same, once; a create that was cut off goes on as such. */
export async function startLocked(app: App, record: WorkspaceRecord, options: StartOptions): Promise<UpResult> {
  requirePlaces(app, record)
  const project = await projectOf(app, record)
  const backend = await app.backend(record.backend)
  const [seen] = await Promise.all([look(app, record, options), backend.check()])
  const redo = !seen.worktreePresent || (record.worktree !== null && isHalfMade(record))
  const { settings } = await app.config(project)
  const steps = planStart(record, seen, backend, redo, options, settings)
  const starts = steps.some(({ id }) => id === 'start') || record.pendingHooks === true
  const plan = [...steps, ...(starts && options.start ? planHooks(settings, record.pendingHooks === true) : [])]
  const fills = steps.some(({ id }) => id === 'start')
  if (fills) await requireRoom(app, record, settings.limits)
  if (options.dryRun || (plan.length === 0 && record.operation === null && record.desired === 'running')) {
    return { record, plan, changed: false, created: false }
  }
  await admitHooks(app, record, settings)
  await admitChoice(app, record, project)
  const operation = operationOf(record, options)
  const working: Working = { secrets: await secretsFor(app, settings), record: { ...record, operation } }
  const wanted = record.ports.map(({ host: _, ...port }) => port)
  const branch = await ownBranch(app, record, redo)
  const draft: Draft = { record, branch, wanted: wanted.length > 0 ? wanted : [SSH_PORT], backend, project }
  if (fills) await takePlace(app, working.record, settings.limits)
  await walk(app, working, steps, createSteps(app, working, draft, seen), () => true)
  const made = working.model === undefined ? working.record : withInputs(working)
  const settled = await settle(app, made, options.start ? 'running' : record.desired)
  const done = starts && options.start ? await runStartHooks(app, operation.kind, settled, project) : settled
  return { record: done, plan, changed: plan.length > 0, created: false }
}

/** Without a note of what the user chose, the configuration is what an agent's workspace says. */
async function admitChoice(app: App, record: WorkspaceRecord, project: Draft['project']): Promise<void> {
  if (record.isolation !== 'agent' || (await readChoice(app, record)) !== undefined) return
  const unread = record.stack !== undefined
  await (await import('../project/wishes.ts')).admitWishes(app, record, { project, model: undefined, unread })
}

function operationOf({ operation }: WorkspaceRecord, options: StartOptions): Operation {
  return operation?.kind === 'create'
    ? beginOperation('create', [], operation)
    : beginOperation('start', options.start ? [] : ['no-start'])
}

/**
 * One look, or none for a workspace that Nexus itself stopped: Docker starts it, or says at once that it cannot.
 * @throws {NexusError} BACKEND_UNAVAILABLE
 */
async function look(app: App, record: WorkspaceRecord, options: StartOptions): Promise<Seen> {
  const plain = record.stack === undefined && options.asLeft !== false
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
  const gone = redo && base !== null && !(await app.git.findCommit(record.repo, `refs/heads/${branch}`))
  if (gone && !(await app.git.findCommit(record.repo, base))) throw lostBranch(record)
  const choice = { branch, create: gone, commit: base ?? '', ours, cause: 'its own' }
  // the log of a branch that is gone tells no more whose it was
  return gone ? { ...choice, taken: 'its first commit' } : choice
}

function planStart(
  record: WorkspaceRecord,
  seen: Seen,
  backend: Backend,
  redo: boolean,
  options: StartOptions,
  settings: Settings,
): Plan {
  return planUp({
    name: record.name,
    branch: record.branch,
    branchCause: seen.worktreePresent ? 'its making was interrupted' : 'its folder is gone',
    worktree: record.worktree,
    isNew: false,
    worktreePresent: !redo,
    portsLeased: record.ports.some((port) => port.host !== null),
    state: plannedState(seen),
    start: options.start,
    capabilities: backend.capabilities,
    stack: describeStack(record),
    ...configuredSteps(record, settings),
    distrusted: record.isolation === 'agent',
    portsMoved: record.portsMoved === true,
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
  return operation?.kind === 'create' && !operation.done.includes('start')
}

function configuredSteps(record: WorkspaceRecord, settings: Settings) {
  return {
    templates: record.worktree === null ? [] : settings.worktree.templates,
    preStart: settings.hooks.get('pre-start')?.run,
    seeded: settings.seed !== undefined,
  }
}

/** What of the project's runs, in the words of its files. */
export function describeStack({ stack }: WorkspaceRecord): string | undefined {
  if (stack === undefined) return undefined
  const { base, files } = stack
  if (files.length > 0) return files.join(' + ')
  return base.kind === 'dockerfile' ? base.file : base.kind === 'image' ? base.image : undefined
}

/** Notes what the workspace was made from. */
export function withInputs({ record, model, inputs }: Working): WorkspaceRecord {
  if (record.worktree === null) return record
  return { ...record, inputs: inputs ?? readInputs(record.worktree, record, model) }
}

async function reserve(app: App, working: Working): Promise<void> {
  working.record = await claimName(app, working.record)
  await noteRunningParts(app, working.record)
  await makeWorktreePlace(app, working.record)
}

/** Gives back what a workspace has leased. */
export async function releaseAll(app: App, id: WorkspaceRecord['id']): Promise<void> {
  const [ports, subnets] = await Promise.all([app.leases(), app.subnets()])
  await Promise.all([ports.release(id), subnets.release(id)])
}

async function unreserve(app: App, record: WorkspaceRecord): Promise<void> {
  await app.records.remove(record.id)
  if (record.worktree !== null) await removeEmptyFolders(record.worktree)
}
