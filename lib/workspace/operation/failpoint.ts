/**
 * Failure on purpose, for tests: `NEXUS_FAILPOINT=<operation>.<step>:<kill|term|error|hang|enospc>[:before|after]` has one step of an
 * operation fail in that way. Loaded only when the variable is set; whoever sets it is told at every step that it arms.
 *
 * `kill` and `term` are signals to ourselves, `hang` never goes on, `enospc` lets every write of ours fail from there to the end.
 */
import { NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import type { Interruption } from '../../core/interruption.ts'
import { KINDS, type OperationKind, type StepId } from '../../core/operations.ts'
import { simulateFullDisk } from '../../system/temporary.ts'

export const FAILURES = ['kill', 'term', 'error', 'hang', 'enospc'] as const
export type FailKind = (typeof FAILURES)[number]
export type Moment = 'before' | 'after'

interface Failpoint {
  readonly operation: OperationKind
  readonly step: StepId
  readonly failure: FailKind
  readonly moment: Moment
}

/** By operation. */
const STEPS_OF: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(KINDS).map(([kind, { steps }]) => [kind, steps]),
)

export type Fire = (step: StepId, moment: Moment) => Promise<void>

/**
 * What fires around the steps of an operation; undefined when another one is meant.
 * @throws {NexusError} INVALID_ARGUMENT for a text that names no failpoint
 */
export function armFailpoint(
  text: string,
  operation: OperationKind,
  context: { readonly emit: Emit; readonly interruption: Interruption },
): Fire | undefined {
  const point = parseFailpoint(text)
  if (point.operation !== operation) return undefined
  return async (step, moment) => {
    if (step !== point.step || moment !== point.moment) return
    // by then the step is noted, as it is when a real command of it has begun
    await new Promise((turn) => setImmediate(turn))
    context.emit({ type: 'warning', text: `NEXUS_FAILPOINT: ${point.failure} ${moment} ${step}` })
    await fail(point, context.interruption.signal)
  }
}

export function parseFailpoint(text: string): Failpoint {
  const [, operation, step, failure, moment = 'before'] = /^(\w+)\.([\w-]+):(\w+)(?::(before|after))?$/.exec(text) ?? []
  const steps: readonly string[] | undefined = STEPS_OF.get(operation ?? '')
  if (steps?.includes(step ?? '') !== true || !(FAILURES as readonly string[]).includes(failure ?? '')) {
    throw new NexusError('INVALID_ARGUMENT', `NEXUS_FAILPOINT=${JSON.stringify(text)} names no failpoint.`, {
      hint: `To see how they are written, read docs/reliability.md; to go on without, run \`unset NEXUS_FAILPOINT\``,
      details: { steps: Object.fromEntries(STEPS_OF), failures: FAILURES },
    })
  }
  return { operation, step, failure, moment } as Failpoint
}

async function fail({ operation, step, failure }: Failpoint, signal: AbortSignal): Promise<void> {
  switch (failure) {
    case 'kill':
    case 'term':
      process.kill(process.pid, failure === 'kill' ? 'SIGKILL' : 'SIGTERM')
      return untilAborted(signal)
    case 'hang':
      return new Promise(() => {})
    case 'enospc':
      return simulateFullDisk()
    case 'error':
      throw new NexusError('CONTAINER_ERROR', `The failpoint ${operation}.${step} was asked to fail.`, {
        hint: 'To go on without, run `unset NEXUS_FAILPOINT`',
      })
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
