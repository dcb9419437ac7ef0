/**
 * Walking a plan: steps wait for what they need and for nothing else; a failure or an interruption ends the rest and undoes
 * in reverse what was begun. Steps are held by hand, so that no test depends on time.
 */
import { Interrupted, NexusError } from '../../../../lib/core/errors.ts'
import type { Event } from '../../../../lib/core/events.ts'
import { createInterruption } from '../../../../lib/core/interruption.ts'
import type { StepId } from '../../../../lib/core/operations.ts'
import {
  type Action,
  type Actions,
  apply,
  type Carried,
  merge,
  type Progress,
} from '../../../../lib/workspace/operation/apply.ts'
import type { Plan } from '../../../../lib/workspace/operation/steps.ts'
import { makeRecord } from '../../../support/app.ts'
import { eventually } from '../../../support/eventually.ts'
import { assert, suite } from '../../../support/suite.ts'

const plan = (...steps: readonly (readonly [StepId, ...StepId[]])[]): Plan =>
  steps.map(([id, ...needs]) => ({ id, subject: `the ${id}`, cause: 'test', needs }))

function gate() {
  let open: () => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const passed = new Promise<void>((done, failed) => {
    open = done
    fail = failed
  })
  passed.catch(() => undefined)
  return { open, fail, passed }
}

/** Of a plan whose steps hand nothing on, unless they say so. */
function progressOf(): Progress<Carried> {
  let carried: Carried = { record: makeRecord('x', '/r') }
  const add: Progress<Carried>['add'] = (added) => {
    carried = merge(carried, added)
  }
  return {
    carried: () => carried,
    add,
    note: async (added) => add(added),
    setRecorded: async () => {},
  }
}

/** A walk whose log says what happened in order: `worktree`, `undo worktree`, `event failed worktree`. */
function scene() {
  const log: string[] = []
  const events: Event[] = []
  const journal: string[] = []
  const interruption = createInterruption()
  const context = {
    emit: (event: Event) => events.push(event),
    interruption,
    limitOf: () => 60_000,
    progress: progressOf(),
    journal: async (begun: readonly StepId[], done: readonly StepId[]) => {
      journal.push(`${begun.at(-1)} after ${done.join('+')}`)
    },
  }
  const action = (id: StepId, run: () => Promise<void> = async () => {}): Action => ({
    run: async () => {
      log.push(id)
      await run()
    },
    undo: async () => {
      log.push(`undo ${id}`)
    },
  })
  return { log, events, journal, interruption, context, action }
}

/** Ends as a command does: with what the signal was aborted for. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
}

async function failureOf(run: Promise<void>): Promise<unknown> {
  try {
    await run
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

const phases = (events: readonly Event[]) =>
  events.flatMap((event) => (event.type === 'step' ? [`${event.phase} ${event.step}`] : [event.type]))

suite('apply', (test) => {
  test('runs each step after what it needs', async () => {
    const s = scene()
    const steps = plan(['record'], ['lease', 'record'], ['configure', 'lease'], ['start', 'configure'])
    const actions: Actions = Object.fromEntries(steps.map(({ id }) => [id, s.action(id)]))
    await apply(steps, actions, s.context)
    assert.equal(s.log, ['record', 'lease', 'configure', 'start'])
    assert.equal(s.journal, [
      'record after ',
      'record after record',
      'lease after record',
      'lease after record+lease',
      'configure after record+lease',
      'configure after record+lease+configure',
      'start after record+lease+configure',
      'start after record+lease+configure+start',
    ])
  })

  test('steps that do not need each other run side by side', async () => {
    const s = scene()
    const [worktree, provision] = [gate(), gate()]
    const steps = plan(['record'], ['worktree', 'record'], ['provision', 'record'], ['start', 'provision', 'worktree'])
    const walk = apply(
      steps,
      {
        record: s.action('record'),
        worktree: s.action('worktree', () => worktree.passed),
        provision: s.action('provision', () => provision.passed),
        start: s.action('start'),
      },
      s.context,
    )
    await eventually(() => s.log.length === 3)
    provision.open()
    await eventually(() => phases(s.events).includes('done provision'))
    assert.not(s.log.includes('start'), 'start did not wait for the worktree')
    worktree.open()
    await walk
    assert.is(s.log.at(-1), 'start')
  })

  test('a need that is not in the plan is done already', async () => {
    const s = scene()
    await apply(plan(['start', 'configure', 'lease']), { start: s.action('start') }, s.context)
    assert.equal(s.log, ['start'])
  })

  test('hands on what a step yields: of the record single fields, also from steps side by side', async () => {
    const s = scene()
    const side = gate()
    const seen: unknown[] = []
    const actions: Actions = {
      lease: { run: async () => ({ record: { subnets: ['10.0.0.0/28'] } }) },
      provision: {
        run: async (_, progress) => {
          progress.add({ record: { docker: { image: 'early' } } })
          await side.passed
          return { record: { hostKeyFingerprint: 'SHA256:x', pids: undefined } }
        },
      },
      start: {
        run: async ({ record }) => void seen.push(record.subnets, record.docker?.image, record.hostKeyFingerprint),
      },
    }
    const walk = apply(plan(['lease'], ['provision'], ['start', 'lease', 'provision']), actions, s.context)
    await eventually(() => phases(s.events).includes('done lease'))
    assert.is(s.context.progress.carried().record.docker?.image, 'early')
    side.open()
    await walk
    assert.equal(seen, [['10.0.0.0/28'], 'early', 'SHA256:x'])
    assert.not('pids' in s.context.progress.carried().record)
  })

  test('an empty plan does nothing', async () => {
    const s = scene()
    await apply([], {}, s.context)
    assert.equal([s.log, s.events, s.journal], [[], [], []])
  })

  test('each step is told with its cause and its end', async () => {
    const s = scene()
    await apply(plan(['stop']), { stop: s.action('stop') }, s.context)
    const [start, done] = s.events
    assert.equal(start, { type: 'step', phase: 'start', step: 'stop', subject: 'the stop', cause: 'test' })
    assert.ok(done?.type === 'step' && done.phase === 'done' && done.ms >= 0)
  })

  test('a plan with a step that nobody does fails', async () => {
    const s = scene()
    const error = await failureOf(
      apply(plan(['record'], ['lease', 'record']), { record: s.action('record') }, s.context),
    )
    assert.match((error as Error).message, /lease/)
    assert.equal(s.log, ['record', 'undo record'])
  })
})

suite('apply undoes', (test) => {
  const steps = plan(['record'], ['lease', 'record'], ['configure', 'lease'], ['start', 'configure'])

  test('what was begun in reverse, the failed step too, and nothing that never began', async () => {
    const s = scene()
    const broken = new NexusError('BUILD_FAILED', 'No.')
    const actions: Actions = {
      record: s.action('record'),
      lease: s.action('lease'),
      configure: s.action('configure', () => Promise.reject(broken)),
      start: s.action('start'),
    }
    assert.is(await failureOf(apply(steps, actions, s.context)), broken)
    assert.equal(s.log, ['record', 'lease', 'configure', 'undo configure', 'undo lease', 'undo record'])
    assert.equal(phases(s.events).slice(-4), ['failed configure', 'undone configure', 'undone lease', 'undone record'])
  })

  test('steps without a way back are left as they are', async () => {
    const s = scene()
    const actions: Actions = {
      record: s.action('record'),
      lease: { run: async () => {} },
      configure: { run: () => Promise.reject(new Error('no')) },
      start: s.action('start'),
    }
    await failureOf(apply(steps, actions, s.context))
    assert.equal(s.log, ['record', 'undo record'])
  })

  test('only after what runs beside has ended, which the failure asks for', async () => {
    const s = scene()
    const side = gate()
    const actions: Actions = {
      record: s.action('record'),
      worktree: s.action('worktree', async () => {
        s.interruption.signal.addEventListener('abort', () => s.log.push('worktree is told'))
        await side.passed
      }),
      provision: s.action('provision', () => Promise.reject(new Error('first'))),
    }
    const walk = failureOf(apply(plan(['record'], ['worktree', 'record'], ['provision', 'record']), actions, s.context))
    await eventually(() => s.log.includes('worktree is told'))
    assert.not(
      s.log.some((line) => line.startsWith('undo')),
      s.log.join(),
    )
    side.fail(new Error('ended because of the other'))
    assert.is(((await walk) as Error).message, 'first')
    assert.equal(s.log.slice(-3), ['undo provision', 'undo worktree', 'undo record'])
  })

  test('with a signal of its own, which the failure has not ended', async () => {
    const s = scene()
    let aborted: boolean | undefined
    const actions: Actions = {
      stop: {
        run: () => Promise.reject(new Error('no')),
        undo: async () => {
          aborted = s.interruption.signal.aborted
        },
      },
    }
    await failureOf(apply(plan(['stop']), actions, s.context))
    assert.is(aborted, false)
  })

  test('all it can: an undo that fails is a warning with its hint, and what that step needs stays', async () => {
    const s = scene()
    const actions: Actions = {
      record: s.action('record'),
      worktree: s.action('worktree'),
      lease: {
        run: async () => {},
        undo: () => Promise.reject(new NexusError('DISK_FULL', 'The disk is full.', { hint: 'run `df`' })),
      },
      configure: { run: () => Promise.reject(new Error('no')) },
      start: s.action('start'),
    }
    await failureOf(apply([...plan(['worktree']), ...steps], actions, s.context))
    assert.equal(s.log.sort(), ['record', 'undo worktree', 'worktree'])
    assert.equal(
      s.events.filter((event) => event.type === 'warning'),
      [{ type: 'warning', text: 'lease the lease could not be undone: The disk is full.', hint: 'run `df`' }],
    )
  })

  test('when the user interrupts, and says so', async () => {
    const s = scene()
    const reason = new Interrupted('SIGINT')
    const undoes = [s.interruption.undoes]
    const actions: Actions = {
      record: s.action('record'),
      lease: s.action('lease', async () => {
        undoes.push(s.interruption.undoes)
        s.interruption.abort(reason)
        s.interruption.signal.throwIfAborted()
      }),
      configure: s.action('configure'),
      start: s.action('start'),
    }
    assert.is(await failureOf(apply(steps, actions, s.context)), reason)
    assert.equal([...undoes, s.interruption.undoes], [false, true, false])
    assert.equal(s.log, ['record', 'lease', 'undo lease', 'undo record'])
  })

  test('also when the interruption came between two steps', async () => {
    const s = scene()
    const reason = new Interrupted('SIGTERM')
    const actions: Actions = {
      record: s.action('record', async () => s.interruption.abort(reason)),
      lease: s.action('lease'),
      configure: s.action('configure'),
      start: s.action('start'),
    }
    assert.is(await failureOf(apply(steps, actions, s.context)), reason)
    assert.equal(s.log, ['record', 'undo record'])
  })

  test('a step that takes too long, and waits for its end', async () => {
    const s = scene()
    const actions: Actions = {
      record: s.action('record'),
      lease: s.action('lease', () => ended(s.interruption.signal)),
      configure: s.action('configure'),
      start: s.action('start'),
    }
    const limitOf = (step: StepId) => (step === 'lease' ? 30 : 60_000)
    const error = await failureOf(apply(steps, actions, { ...s.context, limitOf }))
    assert.ok(error instanceof NexusError)
    assert.is(error.code, 'TIMEOUT')
    assert.match(error.message, 'lease (the lease) did not end within 0.03 s')
    assert.equal(s.log, ['record', 'lease', 'undo lease', 'undo record'])
  })

  test('a step that hears nothing is left behind after a while, upon a limit and upon an interruption', async () => {
    for (const interrupt of [false, true]) {
      const s = scene()
      const forever = s.action('lease', () => new Promise(() => {}))
      const actions: Actions = { record: s.action('record'), lease: forever, configure: s.action('configure') }
      const limitOf = (step: StepId) => (step === 'lease' ? 50 : 60_000)
      const walk = failureOf(apply(steps.slice(0, 3), actions, { ...s.context, limitOf }))
      if (interrupt) {
        await eventually(() => s.log.includes('lease'))
        s.interruption.abort(new Interrupted('SIGINT'))
      }
      assert.is(((await walk) as Error).name, interrupt ? 'Interrupted' : 'NexusError')
      assert.equal(s.log, ['record', 'lease', 'undo lease', 'undo record'])
    }
  })

  test('nothing when interrupted before the first step', async () => {
    const s = scene()
    s.interruption.abort(new Interrupted('SIGHUP'))
    const error = await failureOf(apply(plan(['record']), { record: s.action('record') }, s.context))
    assert.is((error as Interrupted).exitCode, 129)
    assert.equal([s.log, s.journal], [[], []])
  })
})
