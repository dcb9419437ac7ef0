/** The supervisor of the background process, with services that are fakes. */
import type { Log, Service } from '../../../lib/core/service.ts'
import { createSupervisor } from '../../../lib/daemon/supervisor.ts'
import { assert, suite } from '../../support/suite.ts'

interface Fake {
  readonly required?: boolean
  readonly failsAt?: 'start' | 'stop'
  readonly left?: number
  readonly problem?: string
  readonly lost?: Promise<void>
}

/** Services that write down what is done with them. */
function scene() {
  const done: string[] = []
  const lines: Readonly<Record<string, unknown>>[] = []
  const log: Log = (line) => lines.push(line)
  const fake = (name: string, { required = false, failsAt, left = 0, problem, lost }: Fake = {}): Service => ({
    name,
    required,
    start: async () => {
      done.push(`start ${name}`)
      if (failsAt === 'start') throw new Error(`${name} does not start`)
    },
    stop: async () => {
      done.push(`stop ${name}`)
      if (failsAt === 'stop') throw new Error(`${name} does not stop`)
      return left
    },
    health: () => problem,
    ...(lost === undefined ? {} : { lost }),
  })
  return { done, lines, log, fake }
}

suite('supervisor', (test) => {
  test('services start in order and stop in the reverse one; what they let go of is summed up; each has log lines', async () => {
    const { done, lines, log, fake } = scene()
    const supervisor = createSupervisor([fake('api', { required: true, left: 2 }), fake('idle', { left: 1 })], log)
    await supervisor.start()
    assert.is(await supervisor.stop(), 3)
    assert.equal(done, ['start api', 'start idle', 'stop idle', 'stop api'])
    assert.equal(
      lines.map(({ service, event }) => `${service} ${event}`),
      ['api service-started', 'idle service-started', 'idle service-stopped', 'api service-stopped'],
    )
    assert.is(await supervisor.stop(), 0, 'a second stop has nothing to do')
  })

  test('one that may fail does not take the others along, and health tells of it', async () => {
    const { done, log, fake } = scene()
    const api = fake('api', { required: true })
    const supervisor = createSupervisor(
      [api, fake('proxy', { failsAt: 'start' }), fake('idle', { problem: 'late' })],
      log,
    )
    await supervisor.start()
    assert.equal(supervisor.health(), [
      { name: 'api', state: 'running', problem: null },
      { name: 'proxy', state: 'failed', problem: 'proxy does not start' },
      { name: 'idle', state: 'running', problem: 'late' },
    ])
    await supervisor.stop()
    assert.equal(done.slice(3), ['stop idle', 'stop api'])
    assert.is(supervisor.health()[0]?.state, 'stopped')
  })

  test('one that is required ends the start, and what was started is stopped', async () => {
    const { done, log, fake } = scene()
    const services = [fake('idle'), fake('api', { required: true, failsAt: 'start' }), fake('proxy')]
    const error = await createSupervisor(services, log)
      .start()
      .catch((failed: unknown) => failed)
    assert.is((error as Error).message, 'api does not start')
    assert.equal(done, ['start idle', 'start api', 'stop idle'])
  })

  test('a stop that fails is told after the others were stopped', async () => {
    const { done, log, fake } = scene()
    const supervisor = createSupervisor([fake('api', { required: true }), fake('idle', { failsAt: 'stop' })], log)
    await supervisor.start()
    const error = await supervisor.stop().catch((failed: unknown) => failed)
    assert.is((error as Error).message, 'idle does not stop')
    assert.equal(done.slice(2), ['stop idle', 'stop api'])
  })

  test('the loss of a required service is told, that of another is not', async () => {
    const { log, fake } = scene()
    const gone = Promise.resolve()
    const never = new Promise<void>(() => {})
    const outcome = ({ lost }: { readonly lost: Promise<void> }) =>
      Promise.race([lost.then(() => 'lost'), new Promise((done) => setImmediate(done, 'there'))])
    const one = createSupervisor([fake('api', { required: true, lost: gone }), fake('idle', { lost: never })], log)
    assert.is(await outcome(one), 'lost')
    const other = createSupervisor([fake('api', { required: true, lost: never }), fake('idle', { lost: gone })], log)
    assert.is(await outcome(other), 'there')
  })
})
