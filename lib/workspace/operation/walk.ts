/**
 * Walks the whole plan of an operation, from the hooks before it to those after it, and keeps the record of it: which step runs, and at
 * the end what is wanted from now on. This is the one way in which steps are run.
 */
import { NexusError } from '../../core/errors.ts'
import {
  KINDS,
  type OperationKind,
  STEP_LIMITS_MS,
  STEPS_AFTER,
  STEPS_BEFORE,
  type StepId,
} from '../../core/operations.ts'
import { timestamp } from '../../core/time.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import { nobody, ownIdentity } from '../../system/process.ts'
import type { App } from '../app.ts'
import { type Actions, type Added, type ApplyContext, apply, type Carried, merge, type Progress } from './apply.ts'
import type { Fire } from './failpoint.ts'
import type { Plan } from './steps.ts'

export interface Course<C extends Carried> {
  readonly plan: Plan
  readonly actions: Actions<C>
  /** False: a step of the plan makes the record, and until then nothing is noted. */
  readonly isRecorded?: boolean
  /** What the record says once the operation has ended; absent where no record is left. */
  readonly settled?: (carried: C) => { readonly record: WorkspaceRecord; readonly desired: WorkspaceRecord['desired'] }
}

/** @returns what the steps carried, with the record as it is then */
export async function walk<C extends Carried>(app: App, given: C, course: Course<C>): Promise<C> {
  const { plan, actions, settled } = course
  const kind = given.record.operation?.kind
  if (kind === undefined) throw new Error('no operation has begun')
  const journal = openJournal(app, given, course.isRecorded !== false)
  const { emit, interruption } = app
  const tools = { emit, interruption, progress: journal, limitOf: limitsOf(app.env), fire: await fireOf(app, kind) }
  const nowhere = () => {}

  const before = plan.filter(({ id }) => STEPS_BEFORE.includes(id))
  if (before.length > 0) await apply(before, actions, { ...tools, journal: nowhere })
  if (KINDS[kind].notedFirst) await app.records.save(given.record)

  const within = plan.filter(({ id }) => ![...STEPS_BEFORE, ...STEPS_AFTER].includes(id))
  try {
    await apply(within, actions, { ...tools, journal: journal.noteSteps })
  } catch (error) {
    await journal.written().catch(() => undefined) // the failure itself says more
    if (journal.isRecorded()) await closeFailed(app, journal.carried().record)
    throw error
  }
  await journal.written()
  if (settled === undefined) return journal.carried()

  const { record, desired } = settled(journal.carried())
  journal.replace(await settle(app, record, desired))
  const after = plan.filter(({ id }) => STEPS_AFTER.includes(id))
  if (after.length > 0) await apply(after, actions, { ...tools, journal: nowhere })
  return journal.carried()
}

/**
 * What is carried, and the file that its record is noted in while the operation runs. Notes of steps are written one after the other and
 * delay no step.
 */
function openJournal<C extends Carried>(app: App, given: C, isThere: boolean) {
  const { done: doneBefore = [], begun: begunBefore = [] } = given.record.operation ?? {}
  let carried = given
  let recorded = isThere
  let writing: Promise<void> = Promise.resolve()

  const write = async ({ record }: C) => {
    // once the operation has ended, the record is whole at any moment
    if (record.operation === null) await app.records.save(record)
    else await app.records.journal(record)
  }
  const add = (added: Added<C>) => {
    carried = merge(carried, added)
  }
  const writeSteps = async (begun: readonly string[], done: readonly string[]) => {
    const { operation } = carried.record
    if (operation === null || !recorded) return
    const steps = { step: begun.at(-1) ?? '', begun: [...begunBefore, ...begun], done: [...doneBefore, ...done] }
    carried = { ...carried, record: { ...carried.record, operation: { ...operation, ...steps } } }
    await write(carried)
  }
  const noteSteps: ApplyContext['journal'] = (begun, done) => {
    writing = writing.then(() => writeSteps(begun, done))
    writing.catch(() => undefined) // told at the end, where it is awaited
  }
  const progress: Progress<C> = {
    carried: () => carried,
    add,
    note: async (added) => {
      add(added)
      writing = writing.then(() => write(carried))
      await writing
    },
    setRecorded: async (is) => {
      recorded = is
      // whatever could not be noted in a record is no reason to keep it
      if (!is) await writing.catch(() => undefined)
    },
  }
  return {
    ...progress,
    noteSteps,
    written: () => writing,
    isRecorded: () => recorded,
    replace: (record: WorkspaceRecord) => {
      carried = { ...carried, record }
    },
  }
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
 * An operation that failed, and said so, is over: what is there is what the next command starts from. One that outlives its failure
 * (a create that could not be taken back, a delete that has begun) stays noted, and the next command finishes it.
 */
async function closeFailed(app: App, record: WorkspaceRecord): Promise<void> {
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
