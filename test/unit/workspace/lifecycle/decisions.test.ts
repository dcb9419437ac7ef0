/**
 * What up, stop, rebuild, delete and a recovery decide, without an engine: the plan that a dry run prints is the plan that is walked, and
 * what was cut off, or fails, ends as the table of kinds says. Calls of the backend are noted, and fail where a test says so.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend } from '../../../../lib/backends/backend.ts'
import { NexusError } from '../../../../lib/core/errors.ts'
import { KINDS, type OperationKind, type StepId } from '../../../../lib/core/operations.ts'
import type { Observation, Operation, WorkspaceRecord } from '../../../../lib/core/workspace.ts'
import { requireRepository } from '../../../../lib/tools/repository.ts'
import type { App } from '../../../../lib/workspace/app.ts'
import { rebuild } from '../../../../lib/workspace/lifecycle/rebuild.ts'
import { pause, restart, resume, stop } from '../../../../lib/workspace/lifecycle/stop-pause.ts'
import { bringUp, start } from '../../../../lib/workspace/lifecycle/up.ts'
import { exclusively } from '../../../../lib/workspace/operation/operate.ts'
import type { Plan } from '../../../../lib/workspace/operation/steps.ts'
import { beginOperation } from '../../../../lib/workspace/operation/walk.ts'
import { deleteWorkspace } from '../../../../lib/workspace/trash/delete.ts'
import { type AppWorld, appWorld } from '../../../support/app.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { writeFiles } from '../../../support/temp.ts'

const WATCHED: readonly string[] = ['provision', 'configure', 'start', 'stop', 'pause', 'resume', 'remove']

const HOOKS = `hooks:
  pre-start: {run: "true", on: host}
  post-create: "true"
  post-start: "true"
  pre-stop: "true"
  post-stop: {run: "true", on: host}
  pre-delete: {run: "true", on: host}
`

interface Stage extends AsyncDisposable {
  readonly world: AppWorld
  readonly app: App
  /** What the backend was asked to do. */
  readonly calls: string[]
  /** Steps in the order in which they began. */
  readonly steps: StepId[]
  /** What a call of the backend does before, such as fail. */
  readonly before: Map<string, () => unknown>
  /** How often the configuration was read. */
  reads(): number
  /** A record and its parts. */
  there(state: Observation['state'], change?: Partial<WorkspaceRecord>): Promise<WorkspaceRecord>
  load(): Promise<WorkspaceRecord | undefined>
  configure(text: string): Promise<void>
}

async function openStage(config = ''): Promise<Stage> {
  const world = await appWorld()
  const calls: string[] = []
  const steps: StepId[] = []
  const before: Stage['before'] = new Map()
  let reads = 0
  const noted = <Facet extends object>(facet: Facet): Facet =>
    new Proxy(facet, {
      get: (target, name: keyof Facet & string) => {
        const method = target[name]
        if (typeof method !== 'function' || !WATCHED.includes(name)) return method
        return async (...args: readonly unknown[]) => {
          calls.push(name)
          await before.get(name)?.()
          return Reflect.apply(method, target, args)
        }
      },
    })
  const watch = (backend: Backend): Backend => ({
    ...backend,
    lifecycle: noted(backend.lifecycle),
    ...(backend.pause === undefined ? {} : { pause: noted(backend.pause) }),
  })
  const app: App = {
    ...world.app,
    emit: (event) => {
      if (event.type === 'step' && event.phase === 'start') steps.push(event.step as StepId)
      world.app.emit(event)
    },
    backend: async (name) => watch(await world.app.backend(name)),
    config: (project) => {
      reads++
      return world.app.config(project)
    },
  }
  const configure = async (text: string) => {
    await world.app.backend('mock') // makes the home
    await writeFile(app.home.config, text)
  }
  await configure(config)
  return {
    world,
    app,
    calls,
    steps,
    before,
    reads: () => reads,
    configure,
    there: async (state, change = {}) => {
      const record = await world.record('x', { desired: state === 'stopped' ? 'stopped' : 'running', ...change })
      const backend = await world.app.backend('mock')
      await backend.lifecycle.configure(record, { enabled: false, includeAgentKeys: false, sources: [] }, undefined)
      await backend.lifecycle.start(record, undefined, { rebuild: false })
      if (state === 'paused') await backend.pause?.pause(record)
      if (state === 'stopped') await backend.lifecycle.stop(record, undefined)
      return record
    },
    load: async () => (await app.records.list())[0],
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  }
}

type Verb = (stage: Stage, record: WorkspaceRecord | undefined, dryRun: boolean) => Promise<{ readonly plan: Plan }>

const create: Verb = ({ app, world }, existing, dryRun) =>
  bringUp(app, { given: 'x', repo: requireRepository(world.repo.path), existing, start: true, dryRun })
const on =
  (verb: (app: App, record: WorkspaceRecord, dryRun: boolean) => Promise<{ readonly plan: Plan }>): Verb =>
  ({ app }, record, dryRun) => {
    if (record === undefined) throw new Error('it takes a workspace')
    return verb(app, record, dryRun)
  }
const begin = on((app, record, dryRun) => start(app, record, { start: true, dryRun }))
const remove = on((app, record, dryRun) =>
  deleteWorkspace(app, record, { force: false, deleteBranch: false, dryRun, trash: true }),
)

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'none'
  } catch (error) {
    return error instanceof NexusError ? error.code : String(error)
  }
}

/** Of a process of before the last boot. */
const cutOff = (kind: OperationKind, change: Partial<Operation> = {}): Operation => ({
  ...beginOperation(kind, change.options ?? []),
  bootId: 'another boot',
  ...change,
})

suite('the plan of a dry run is the plan that is walked', (test) => {
  const bringUpSteps = ['provision', 'configure', 'pre-start', 'start'] as const
  for (const [what, verb, state, change, expected] of [
    ['a create', create, undefined, {}, ['record', ...bringUpSteps, 'post-create', 'post-start']],
    ['a start', begin, 'stopped', {}, ['pre-start', 'start', 'configure', 'post-start']],
    ['a start of one that is paused', begin, 'paused', {}, [...bringUpSteps, 'post-start']],
    ['a start of one that runs', begin, 'running', {}, []],
    ['a start with hooks that are owed', begin, 'running', { pendingHooks: true }, ['post-create', 'post-start']],
    ['a stop', on(stop), 'running', {}, ['pre-stop', 'stop', 'post-stop']],
    ['a stop of one that is stopped', on(stop), 'stopped', {}, []],
    ['a pause', on(pause), 'running', {}, ['pause']],
    ['a resume', on(resume), 'paused', {}, ['resume']],
    ['a rebuild', on(rebuild), 'running', {}, ['provision', 'configure', 'start', 'post-start']],
    ['a delete', remove, 'running', {}, ['pre-delete', 'remove', 'forget']],
    ['a delete of a cut off delete', remove, 'running', { operation: cutOff('delete') }, ['remove', 'forget']],
  ] as const satisfies readonly (readonly [
    string,
    Verb,
    Observation['state'] | undefined,
    Partial<WorkspaceRecord>,
    readonly StepId[],
  ])[]) {
    test(what, async () => {
      await using stage = await openStage(HOOKS)
      const record = state === undefined ? undefined : await stage.there(state, change)
      const printed = (await verb(stage, record, true)).plan.map(({ id }) => id)
      assert.equal(printed, expected)
      assert.equal(stage.calls, [], 'a dry run does nothing')
      const { plan } = await verb(stage, record, false)
      assert.equal([plan.map(({ id }) => id), [...stage.steps].sort()], [printed, [...printed].sort()])
      assert.is((await stage.load())?.operation ?? null, null)
    })
  }

  test('a restart has both', async () => {
    await using stage = await openStage(HOOKS)
    const { plan } = await restart(stage.app, await stage.there('running'), false)
    assert.equal([...stage.steps].sort(), plan.map(({ id }) => id).sort())
    assert.equal(
      stage.calls.filter((call) => ['stop', 'start'].includes(call)),
      ['stop', 'start'],
    )
  })
})

suite('a restart that is refused stops nothing', (test) => {
  const project = (stage: Stage, text: string) => writeFiles(stage.world.repo.path, { '.nexus/config.yaml': text })
  for (const [what, code, spoil] of [
    [
      'for a hook that nobody approved',
      'APPROVAL_REQUIRED',
      (stage: Stage) => project(stage, 'hooks: {post-start: {run: "true", on: host}}\n'),
    ],
    [
      'for a file that cannot be read',
      'CONFIG_INVALID',
      (stage: Stage) => project(stage, 'hooks: {at-noon: "true"}\n'),
    ],
    [
      'for a secret that is not there',
      'SECRET_UNRESOLVED',
      (stage: Stage) => stage.configure('secrets: {token: "env://NEXUS_TEST_NONE"}\n'),
    ],
    [
      'for one workspace too many',
      'RESOURCE_EXHAUSTED',
      async (stage: Stage) => {
        await stage.world.record('y', { desired: 'running', operation: beginOperation('start') })
        await stage.configure('limits: {running: 1}\n')
      },
    ],
  ] as const) {
    test(what, async () => {
      await using stage = await openStage()
      const record = await stage.there('running')
      await spoil(stage)
      await rejects(() => restart(stage.app, record, false), code)
      assert.equal([stage.calls, await stage.app.records.load(record.id)], [[], record])
    })
  }
})

suite('settings', (test) => {
  for (const [what, verb, state] of [
    ['a create', create, undefined],
    ['a start', begin, 'stopped'],
    ['a rebuild', on(rebuild), 'running'],
  ] as const) {
    test(`of ${what} are those of its decision`, async () => {
      await using stage = await openStage()
      const said = join(stage.world.folder, 'said')
      const hooks = (word: string) => `hooks: {post-start: {run: "printf ${word} >> ${said}", on: host}}`
      await stage.configure(hooks('decided'))
      const record = state === undefined ? undefined : await stage.there(state)
      stage.before.set('start', () => stage.configure(hooks('changed')))
      await verb(stage, record, false)
      assert.is(await readFile(said, 'utf8'), 'decided')
      assert.ok(stage.reads() <= 2, `read ${stage.reads()} times`)
    })
  }
})

suite('a failure', (test) => {
  const broken = () => {
    throw new NexusError('CONTAINER_ERROR', 'It does not start.')
  }

  test('of a create takes back what it made', async () => {
    await using stage = await openStage()
    stage.before.set('start', broken)
    await rejects(() => create(stage, undefined, false), 'CONTAINER_ERROR')
    assert.equal(stage.calls, ['provision', 'configure', 'start', 'remove'])
    assert.is(await stage.load(), undefined)
  })

  test('of a start leaves what is there', async () => {
    await using stage = await openStage()
    const record = await stage.there('stopped')
    stage.before.set('start', broken)
    await rejects(() => begin(stage, record, false), 'CONTAINER_ERROR')
    assert.equal(await stage.load(), record)
  })

  test('of a hook that runs once leaves the workspace up, and the next start runs it again', async () => {
    await using stage = await openStage('hooks: {post-create: "exit 1", post-start: "true"}')
    await rejects(() => create(stage, undefined, false), 'HOOK_FAILED')
    const left = await stage.load()
    assert.equal([left?.operation, left?.desired, left?.pendingHooks], [null, 'running', true])
    assert.not(stage.calls.includes('remove'))
    assert.not(stage.steps.includes('post-start'))
    await stage.configure('hooks: {post-create: "true", post-start: "true"}')
    await begin(stage, left, false)
    assert.equal(stage.steps.slice(-2), ['post-create', 'post-start'])
    assert.is((await stage.load())?.pendingHooks, false)
  })

  test('of a hook that is owed and is configured no more is owed no more', async () => {
    await using stage = await openStage()
    await begin(stage, await stage.there('stopped', { pendingHooks: true }), false)
    assert.is((await stage.load())?.pendingHooks, false)
  })

  test('of the hook before a delete stops it, and nothing of it is noted', async () => {
    await using stage = await openStage('hooks: {pre-delete: {run: "exit 1", on: host}}')
    const record = await stage.there('running')
    await rejects(() => remove(stage, record, false), 'HOOK_FAILED')
    assert.equal([stage.calls, await stage.load()], [[], record])
  })

  test('of a delete before anything of it is done leaves no note of it', async () => {
    await using stage = await openStage()
    stage.before.set('remove', broken)
    await rejects(async () => remove(stage, await stage.there('running'), false), 'CONTAINER_ERROR')
    assert.is((await stage.load())?.operation, null)
  })
})

suite('what was cut off', (test) => {
  const whole = ['provision', 'configure', 'start']
  for (const [kind, state, change, expected] of [
    ['create', 'stopped', {}, ['start', 'configure']],
    ['create', 'running', { done: ['start'] }, []],
    ['start', 'stopped', {}, ['start', 'configure']],
    ['start', 'stopped', { options: ['no-start'] }, ['provision', 'configure']],
    ['stop', 'running', {}, ['stop']],
    ['stop', 'stopped', {}, []],
    ['pause', 'running', {}, ['pause']],
    ['resume', 'paused', {}, ['resume']],
    ['rebuild', 'running', {}, whole],
    ['delete', 'running', {}, ['remove']],
  ] as const) {
    test(`as ${kind} is finished when it is ${state}${change === undefined ? '' : ` ${JSON.stringify(change)}`}`, async () => {
      await using stage = await openStage()
      const desired = kind === 'stop' ? 'stopped' : 'running'
      const { id } = await stage.there(state, { desired, operation: cutOff(kind, change as Partial<Operation>) })
      const now = await exclusively(stage.app, id, async (record) => record)
      assert.equal([...stage.calls].sort(), [...expected].sort())
      assert.equal([now?.operation ?? null, await stage.load()], [null, now])
      assert.is(now === undefined, KINDS[kind].removes)
    })
  }

  for (const next of Object.keys(KINDS) as OperationKind[]) {
    test(`is left to a ${next} where its plan covers that`, async () => {
      await using stage = await openStage()
      const covers: readonly string[] = KINDS[next].covers
      for (const kind of Object.keys(KINDS) as OperationKind[]) {
        const record = await stage.there('stopped', { operation: cutOff(kind) })
        const app: App = { ...stage.app, backend: () => Promise.reject(new NexusError('DISK_FULL', 'asked')) }
        const found = () => exclusively(app, record.id, async (one) => one, { as: next })
        // to finish it takes the backend; what is left is handed on as it is
        if (covers.includes(kind)) assert.equal(await found(), record)
        else assert.match(await codeOf(found), /DISK_FULL|BACKEND_UNAVAILABLE/)
        await stage.app.records.remove(record.id)
      }
    })
  }

  const refused = (code: 'CONTAINER_ERROR' | 'BACKEND_UNAVAILABLE') => () => {
    throw new NexusError(code, 'No.')
  }

  for (const [what, kind, code, outcome] of [
    ['a create that cannot be finished is taken back', 'create', 'CONTAINER_ERROR', 'gone'],
    ['a start that cannot be finished is over', 'start', 'CONTAINER_ERROR', 'over'],
    ['without an engine a create waits for the next command', 'create', 'BACKEND_UNAVAILABLE', 'noted'],
  ] as const) {
    test(what, async () => {
      await using stage = await openStage()
      const { id } = await stage.there('stopped', { desired: 'running', operation: cutOff(kind) })
      stage.before.set('start', refused(code))
      const found = () => exclusively(stage.app, id, async (record) => record)
      if (outcome === 'noted') await rejects(found, code)
      else assert.is((await found()) === undefined, outcome === 'gone')
      const now = await stage.load()
      assert.is(now === undefined, outcome === 'gone')
      assert.is((now?.operation ?? null) !== null, outcome === 'noted')
    })
  }

  test('and of whoever only looks at a plan is left as it is', async () => {
    await using stage = await openStage()
    const record = await stage.there('stopped', { operation: cutOff('start') })
    assert.equal(await exclusively(stage.app, record.id, async (one) => one, { dryRun: true }), record)
    assert.equal(stage.calls, [])
  })
})
