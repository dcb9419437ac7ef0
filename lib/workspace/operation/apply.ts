/**
 * Walks a plan: runs each step when the steps it needs are done, emits events, and decides nothing. When a step fails, takes too long, or
 * the user interrupts, running commands are ended, and what the plan did is undone in reverse order where a step says how.
 */
import { Interrupted, NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import type { Interruption } from '../../core/interruption.ts'
import type { StepId } from '../../core/operations.ts'
import type { Fire } from './failpoint.ts'
import type { Plan, Step } from './steps.ts'

/** Milliseconds at most that a step has to end once it was told to: its commands have 5 s of them before they are killed. */
const END_GRACE_MS = 8_000

export interface Action {
  readonly run: () => Promise<void>
  /** Takes back what `run` did or began; must be fine with nothing to take back. */
  readonly undo?: () => Promise<void>
}

export type Actions = Readonly<Partial<Record<StepId, Action>>>

export interface ApplyContext {
  readonly emit: Emit
  readonly interruption: Interruption
  /** Notes progress where a later command can find it; never waited for. */
  readonly journal: (begun: readonly StepId[], done: readonly StepId[]) => void
  /** Milliseconds that a step may take. */
  readonly limitOf: (step: StepId) => number
  /** Makes steps fail on purpose. */
  readonly fire?: Fire | undefined
}

export function apply(plan: Plan, actions: Actions, context: ApplyContext): Promise<void> {
  return context.interruption.undoable(() => applySteps(plan, actions, context))
}

async function applySteps(plan: Plan, actions: Actions, context: ApplyContext): Promise<void> {
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

async function perform(step: Step, actions: Actions, context: ApplyContext): Promise<void> {
  const { emit, fire } = context
  const action = actions[step.id]
  if (action === undefined) throw new Error(`no action for step ${step.id}`)
  const began = performance.now()
  emit({ type: 'step', phase: 'start', step: step.id, subject: step.subject, cause: step.cause })
  try {
    await withinLimit(fire === undefined ? action.run() : runFiring(step.id, action, fire), step, context)
  } catch (error) {
    emit({ type: 'step', phase: 'failed', step: step.id, subject: step.subject })
    throw error
  }
  emit({ type: 'step', phase: 'done', step: step.id, subject: step.subject, ms: performance.now() - began })
}

async function runFiring(id: StepId, action: Action, fire: Fire): Promise<void> {
  await fire(id, 'before')
  await action.run()
  await fire(id, 'after')
}

/** A step that takes too long ends the plan; one that does not end even then is left behind. */
function withinLimit(work: Promise<void>, step: Step, { interruption, limitOf }: ApplyContext): Promise<void> {
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
async function undoAll(steps: readonly Step[], actions: Actions, { emit }: ApplyContext): Promise<void> {
  const kept = new Set<StepId>()
  for (const { id, subject } of steps) {
    const undo = actions[id]?.undo
    if (steps.some((step) => kept.has(step.id) && step.needs.includes(id))) kept.add(id)
    if (undo === undefined || kept.has(id)) continue
    try {
      await undo()
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
