/**
 * Walks a plan: runs each step when the steps it needs are done, hands on what it adds, emits events, and decides nothing. When a step
 * fails, takes too long, or the user interrupts, running commands are ended, and what the plan did is undone in reverse order where a
 * step says how.
 */
import { Interrupted, NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import type { Interruption } from '../../core/interruption.ts'
import type { StepId } from '../../core/operations.ts'
import type { DockerPart, WorkspaceRecord } from '../../core/workspace.ts'
import type { Fire } from './failpoint.ts'
import type { Plan, Step } from './steps.ts'

/** Milliseconds at most that a step has to end once it was told to: its commands have 5 s of them before they are killed. */
const END_GRACE_MS = 8_000

/** What the steps of a plan hand from one to the next. A verb whose steps hand on more extends it. */
export interface Carried {
  readonly record: WorkspaceRecord
}

type Fields<T> = { readonly [Key in keyof T]?: T[Key] | undefined }

/** Single fields of a record, and of its docker part, which a record without that part does not take; one that is undefined goes. */
export type RecordFields = Fields<Omit<WorkspaceRecord, 'docker'>> & {
  readonly docker?: Fields<DockerPart> | undefined
}

/** What a step adds: of the record single fields, as another step may add to it at the same time. */
export type Added<C extends Carried> = Partial<Omit<C, 'record'>> & { readonly record?: RecordFields }

/** What a step may do with what is carried while it runs. */
export interface Progress<C extends Carried> {
  /** As it is now, with what steps beside this one have added. */
  carried(): C
  /** At once, so that it is there for the way back also when this step fails. */
  add(added: Added<C>): void
  /** The same, and it is in the record's file when this returns. */
  note(added: Added<C>): Promise<void>
  /** There is a record from now on, or none any more: then what is just being written to it is waited for. */
  setRecorded(isThere: boolean): Promise<void>
}

type Run<C extends Carried, Result> = (carried: C, progress: Progress<C>) => Promise<Result>

export interface Action<C extends Carried = Carried> {
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that adds nothing returns nothing
  readonly run: Run<C, Added<C> | void>
  /** Takes back what `run` did or began; must be fine with nothing to take back. */
  readonly undo?: Run<C, void>
}

export type Actions<C extends Carried = Carried> = Readonly<Partial<Record<StepId, Action<C>>>>

export interface ApplyContext<C extends Carried = Carried> {
  readonly emit: Emit
  readonly interruption: Interruption
  readonly progress: Progress<C>
  /** Notes progress where a later command can find it; never waited for. */
  readonly journal: (begun: readonly StepId[], done: readonly StepId[]) => void
  /** Milliseconds that a step may take. */
  readonly limitOf: (step: StepId) => number
  /** Makes steps fail on purpose. */
  readonly fire?: Fire | undefined
}

export function merge<C extends Carried>(carried: C, { record = {}, ...others }: Added<C>): C {
  const { docker, ...fields } = record
  const part = carried.record.docker === undefined ? undefined : withFields(carried.record.docker, docker ?? {})
  return { ...carried, ...others, record: withFields(carried.record, { ...fields, docker: part }) }
}

function withFields<T extends object>(before: T, fields: Fields<T>): T {
  return Object.fromEntries(Object.entries({ ...before, ...fields }).filter(([, value]) => value !== undefined)) as T
}

export function apply<C extends Carried>(plan: Plan, actions: Actions<C>, context: ApplyContext<C>): Promise<void> {
  return context.interruption.undoable(() => applySteps(plan, actions, context))
}

async function applySteps<C extends Carried>(plan: Plan, actions: Actions<C>, context: ApplyContext<C>): Promise<void> {
  const begun: Step[] = []
  const done: StepId[] = []
  const running = new Map<StepId, Promise<void>>()
  const ids = new Set(plan.map((step) => step.id))

  const note = () =>
    context.journal(
      begun.map(({ id }) => id),
      [...done],
    )
  const run = async (step: Step): Promise<void> => {
    await Promise.all(step.needs.filter((need) => ids.has(need)).map((need) => running.get(need)))
    context.interruption.signal.throwIfAborted()
    begun.push(step)
    note()
    await perform(step, actions, context)
    done.push(step.id)
    note()
  }
  for (const step of plan) {
    const promise = run(step)
    promise.catch(() => undefined) // told below, by the first failure
    running.set(step.id, promise)
  }

  const failure = await firstFailure([...running.values()], context.interruption)
  if (failure === undefined) return
  await Promise.allSettled(running.values())
  context.interruption.reset()
  await undoAll(begun.toReversed(), actions, context)
  throw failure
}

async function perform<C extends Carried>(step: Step, actions: Actions<C>, context: ApplyContext<C>): Promise<void> {
  const { emit } = context
  const action = actions[step.id]
  if (action === undefined) throw new Error(`no action for step ${step.id}`)
  const began = performance.now()
  emit({ type: 'step', phase: 'start', step: step.id, subject: step.subject, cause: step.cause })
  try {
    await withinLimit(run(step.id, action, context), step, context)
  } catch (error) {
    emit({ type: 'step', phase: 'failed', step: step.id, subject: step.subject })
    throw error
  }
  emit({ type: 'step', phase: 'done', step: step.id, subject: step.subject, ms: performance.now() - began })
}

async function run<C extends Carried>(
  id: StepId,
  action: Action<C>,
  { progress, fire }: ApplyContext<C>,
): Promise<void> {
  await fire?.(id, 'before')
  const added = await action.run(progress.carried(), progress)
  if (added !== undefined) progress.add(added)
  await fire?.(id, 'after')
}

/** A step that takes too long ends the plan; one that does not end even then is left behind. */
function withinLimit(
  work: Promise<void>,
  step: Step,
  { interruption, limitOf }: Pick<ApplyContext, 'interruption' | 'limitOf'>,
): Promise<void> {
  const limitMs = limitOf(step.id)
  const { signal } = interruption
  return new Promise((done, fail) => {
    let grace: NodeJS.Timeout | undefined
    const limit = setTimeout(() => interruption.abort(tookTooLong(step, limitMs)), limitMs)
    const giveUp = () => {
      clearTimeout(limit)
      grace = setTimeout(() => fail(signal.reason), Math.min(END_GRACE_MS, limitMs))
    }
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(done, fail).finally(() => {
      clearTimeout(limit)
      clearTimeout(grace)
      signal.removeEventListener('abort', giveUp)
    })
  })
}

function tookTooLong({ id, subject }: Step, limitMs: number): NexusError {
  return new NexusError('TIMEOUT', `The step ${id} (${subject}) did not end within ${limitMs / 1000} s.`, {
    hint: 'To see every command and its time, repeat with `-V`',
    details: { step: id, limitMs },
  })
}

/** The reason why the plan stops; the first one ends what still runs. */
async function firstFailure(steps: readonly Promise<void>[], interruption: Interruption): Promise<Error | undefined> {
  try {
    await Promise.all(steps)
    return undefined
  } catch (error) {
    const reason = interruption.signal.aborted ? interruption.signal.reason : error
    const failure = reason instanceof Error ? reason : new Error(String(reason))
    interruption.abort(failure)
    return failure
  }
}

/** What another step's work that could not be undone rests on stays, the record above all: the next command goes on from it. */
async function undoAll<C extends Carried>(
  steps: readonly Step[],
  actions: Actions<C>,
  { emit, progress }: ApplyContext<C>,
): Promise<void> {
  const kept = new Set<StepId>()
  for (const { id, subject } of steps) {
    const undo = actions[id]?.undo
    if (steps.some((step) => kept.has(step.id) && step.needs.includes(id))) kept.add(id)
    if (undo === undefined || kept.has(id)) continue
    try {
      await undo(progress.carried(), progress)
      emit({ type: 'step', phase: 'undone', step: id, subject })
    } catch (error) {
      if (error instanceof Interrupted) throw error
      kept.add(id)
      const said = error instanceof Error ? error.message : String(error)
      const hint = error instanceof NexusError ? error.hint : undefined
      emit({ type: 'warning', text: `${id} ${subject} could not be undone: ${said}`, hint })
    }
  }
}
