/**
 * Walks a plan: runs each step when the steps it needs are done, emits events, and decides nothing. When a step fails or
 * the user interrupts, running commands are ended, and what the plan did is undone in reverse order where a step says how.
 */
import { Interrupted, NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import type { Plan, Step, StepId } from './steps.ts'

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
  readonly journal: (step: StepId, done: readonly StepId[]) => void
}

export async function apply(plan: Plan, actions: Actions, context: ApplyContext): Promise<void> {
  const begun: Step[] = []
  const done: StepId[] = []
  const running = new Map<StepId, Promise<void>>()
  const ids = new Set(plan.map((step) => step.id))

  const run = async (step: Step): Promise<void> => {
    await Promise.all(step.needs.filter((need) => ids.has(need)).map((need) => running.get(need)))
    context.interruption.signal.throwIfAborted()
    begun.push(step)
    context.journal(step.id, [...done])
    await perform(step, actions, context)
    done.push(step.id)
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

async function perform(step: Step, actions: Actions, { emit }: ApplyContext): Promise<void> {
  const action = actions[step.id]
  if (action === undefined) throw new Error(`no action for step ${step.id}`)
  const began = performance.now()
  emit({ type: 'step', phase: 'start', step: step.id, subject: step.subject, cause: step.cause })
  try {
    await action.run()
  } catch (error) {
    emit({ type: 'step', phase: 'failed', step: step.id, subject: step.subject })
    throw error
  }
  emit({ type: 'step', phase: 'done', step: step.id, subject: step.subject, ms: performance.now() - began })
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

async function undoAll(steps: readonly Step[], actions: Actions, { emit }: ApplyContext): Promise<void> {
  for (const { id, subject } of steps) {
    const undo = actions[id]?.undo
    if (undo === undefined) continue
    try {
      await undo()
      emit({ type: 'step', phase: 'undone', step: id, subject })
    } catch (error) {
      if (error instanceof Interrupted) throw error
      const said = error instanceof Error ? error.message : String(error)
      const hint = error instanceof NexusError ? error.hint : undefined
      emit({ type: 'warning', text: `${id} ${subject} could not be undone: ${said}`, hint })
    }
  }
}
