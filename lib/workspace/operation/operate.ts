/**
 * One operation on one workspace: the lock that serialises operations across processes, the record of the operation in
 * progress, and the walk of the plan. Whoever comes second waits a little and is then told who works, since when, on what.
 * Whoever finds an operation whose process is dead has it repaired first (`app.recover`).
 */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceId } from '../../core/names.ts'
import { KINDS, type OperationKind, STEP_LIMITS_MS, type StepId } from '../../core/operations.ts'
import { timestamp } from '../../core/time.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import { type Inputs, readInputs } from '../../project/inputs.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { withLock } from '../../system/lock.ts'
import { reopenFolder } from '../../system/modes.ts'
import { isAlive, nobody, ownIdentity } from '../../system/process.ts'
import { maySpend } from '../../system/reserve.ts'
import type { App } from '../app.ts'
import { describe } from '../observe.ts'
import { type Actions, type ApplyContext, apply } from './apply.ts'
import type { Fire } from './failpoint.ts'
import type { Plan } from './steps.ts'

/** How long a second operation waits for the first before it answers WORKSPACE_BUSY. */
const BUSY_WAIT_MS = 10_000
/** Its holder runs single git commands without a checkout. */
const REPOSITORY_WAIT_MS = 5 * 60_000

/** What a command is about to do with a workspace that an operation may have been cut off on. */
export interface Claim {
  /** Takes the place of what was cut off, where its plan covers that; else that is finished first. */
  readonly as?: OperationKind
  /** Changes nothing, so it repairs nothing. */
  readonly dryRun?: boolean
  /** How long it waits for another operation. */
  readonly waitMs?: number
}

/**
 * Runs `body` while no other process works on the workspace, with its record as it is now: repaired, and undefined when there is none
 * (any more).
 * @throws {NexusError} WORKSPACE_BUSY, naming the other process, its step and when it began
 */
export async function exclusively<T>(
  app: App,
  id: WorkspaceId,
  body: (record: WorkspaceRecord | undefined) => Promise<T>,
  claim: Claim = {},
): Promise<T> {
  if (claim.as !== undefined && KINDS[claim.as].freesRoom) maySpend(app.home.reserve)
  const onWait = () => app.emit({ type: 'notice', text: 'waiting for another operation on this workspace' })
  const repaired = async () => {
    const record = await app.records.load(id)
    if (record?.worktree != null) reopenFolder(record.worktree)
    if (record === undefined || record.operation === null || claim.dryRun === true) return body(record)
    return body(await app.recover(app, record, claim.as))
  }
  try {
    return await withLock(join(app.home.locks, id), repaired, {
      waitMs: claim.waitMs ?? BUSY_WAIT_MS,
      onWait,
      signal: app.interruption.signal,
    })
  } catch (error) {
    const lock = error instanceof NexusError && error.code === 'WORKSPACE_BUSY' ? error.details?.lock : undefined
    if (lock !== `${join(app.home.locks, id)}.lock`) throw error
    const record = await app.records.load(id)
    if (!record?.operation || !isAlive(record.operation)) throw error
    throw busy(record, record.operation)
  }
}

export function busy(record: WorkspaceRecord, operation: Operation): NexusError {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(operation.startedAt)) / 1000))
  const { name } = record
  const who = `another command (pid ${operation.pid}, step ${operation.step})`
  const text = `Workspace ${name} is busy for ${seconds} s: ${describe(record)} by ${who}.`
  return new NexusError('WORKSPACE_BUSY', text, {
    hint: `To see when it is done, run \`nexus status ${name}\``,
    details: { workspaceId: record.id, operation, seconds },
  })
}

/** Serialises what changes one repository's worktrees and branches, also between homes: the lock lies in its git dir. */
export function withRepository<T>(app: App, gitDir: string, body: () => Promise<T>): Promise<T> {
  return withLock(join(gitDir, 'nexus-worktrees'), body, {
    waitMs: REPOSITORY_WAIT_MS,
    signal: app.interruption.signal,
  })
}

/** A record that the steps of an operation read and change. */
export interface Working {
  record: WorkspaceRecord
  /** The project's compose files as this operation read them. */
  model?: ComposeModel | undefined
  /** The files behind it as they were then. */
  inputs?: Inputs
  /** Values of its secrets, for this operation alone. */
  readonly secrets?: ReadonlyMap<string, string>
  /** The notes that are still being written; a step that removes the record waits for them. */
  notes?: Promise<void>
}

/** Right after they were read: what is changed from now on is not what the workspace is made from. */
export function noteInputs(working: Working, files: readonly string[]): void {
  const { record, model } = working
  if (model !== undefined && record.worktree !== null)
    working.inputs = readInputs(record.worktree, record, model, files)
}

export function beginOperation(
  kind: OperationKind,
  options: readonly string[] = [],
  { done, begun }: Pick<Operation, 'done' | 'begun'> = { done: [] },
): Operation {
  const asked = options.length === 0 ? {} : { options }
  return {
    kind,
    ...asked,
    done,
    ...(begun === undefined ? {} : { begun }),
    step: '',
    startedAt: timestamp(),
    ...ownIdentity(),
  }
}

/**
 * Walks a plan and notes in the record which step runs; what follows is the caller's: `settle` or nothing. `saved` tells
 * whether there is a record to note it in. Notes are written one after the other and delay no step.
 */
export async function walk(
  app: App,
  working: Working,
  plan: Plan,
  actions: Actions,
  saved: () => boolean,
): Promise<void> {
  const { done: before = [], begun: earlier = [] } = working.record.operation ?? {}
  const note = async (begun: readonly string[], done: readonly string[]) => {
    const { operation } = working.record
    if (operation === null || !saved()) return
    const progress = { step: begun.at(-1) ?? '', begun: [...earlier, ...begun], done: [...before, ...done] }
    working.record = { ...working.record, operation: { ...operation, ...progress } }
    await app.records.journal(working.record)
  }
  const journal: ApplyContext['journal'] = (begun, done) => {
    working.notes = (working.notes ?? Promise.resolve()).then(() => note(begun, done))
    working.notes.catch(() => undefined) // told at the end, where it is awaited
  }
  const kind = working.record.operation?.kind
  if (kind === undefined) throw new Error('no operation has begun')
  try {
    await perform(app, kind, plan, actions, journal)
  } catch (error) {
    await working.notes?.catch(() => undefined) // the failure itself says more
    if (saved()) await closeFailed(app, working)
    throw error
  }
  await working.notes
}

/** Walks steps that nothing is noted of. */
export async function perform(
  app: App,
  kind: OperationKind,
  plan: Plan,
  actions: Actions,
  journal: ApplyContext['journal'] = () => {},
): Promise<void> {
  const { emit, interruption } = app
  const fire = await fireOf(app, kind)
  await apply(plan, actions, { emit, interruption, journal, limitOf: limitsOf(app.env), fire })
}

/** `NEXUS_STEP_LIMIT=<step>:<milliseconds>`, for tests, gives one step another limit. */
function limitsOf(env: NodeJS.ProcessEnv): (step: StepId) => number {
  const [step, ms] = env.NEXUS_STEP_LIMIT?.split(':') ?? []
  return (id) => (id === step ? Number(ms) : STEP_LIMITS_MS[id])
}

/** Failures on purpose around the steps of an operation; nothing is loaded when none was asked for. */
async function fireOf(app: App, kind: OperationKind): Promise<Fire | undefined> {
  const text = app.env.NEXUS_FAILPOINT
  if (text === undefined || text === '') return undefined
  return (await import('./failpoint.ts')).armFailpoint(text, kind, app)
}

/**
 * An operation that failed, and said so, is over: what is there is what the next command starts from. A create that could not be taken
 * back, and a delete that has begun to take away, stay noted, and are finished by the next command.
 */
async function closeFailed(app: App, { record }: Working): Promise<void> {
  const { operation } = record
  if (operation === null) return
  const outlives = KINDS[operation.kind].outlivesFailure
  const stays = outlives === 'always' || (outlives === 'once begun' && operation.done.length > 0)
  try {
    // of nobody, as the process may be a server that lives on
    await app.records.save({ ...record, operation: stays ? { ...operation, ...nobody() } : null })
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({ type: 'warning', text: error.message, hint: error.hint })
  }
}

/** Ends an operation: what is wanted from now on, and nothing in progress. What is not stopped was stopped by nobody. */
export async function settle(
  app: App,
  record: WorkspaceRecord,
  desired: WorkspaceRecord['desired'],
): Promise<WorkspaceRecord> {
  const { stopped, ...others } = record
  const settled = {
    ...others,
    ...(desired === 'stopped' && stopped !== undefined ? { stopped } : {}),
    desired,
    operation: null,
  }
  await app.records.save(settled)
  return settled
}
