/** The hub alone: ids, coming back, listeners who do not keep up; and the snapshot: one look for many, never from before a drop. */
import { type ApiEvent, createHub, type Subscription } from '../../../../lib/api/changes/hub.ts'
import { createSnapshot } from '../../../../lib/api/changes/snapshot.ts'
import type { App } from '../../../../lib/workspace/app.ts'
import { appWorld } from '../../../support/app.ts'
import { eventually } from '../../../support/eventually.ts'
import { assert, suite } from '../../../support/suite.ts'

const up = { type: 'engine.up', backend: 'docker' } as const

/** The next events, as many as asked for. */
async function take(subscription: Subscription, count: number): Promise<readonly ApiEvent[]> {
  const events: ApiEvent[] = []
  for await (const event of subscription) {
    events.push(event)
    if (events.length === count) break
  }
  return events
}

const types = (events: readonly ApiEvent[]) => events.map(({ type }) => type)

suite('hub', (test) => {
  test('ids only grow, and every listener gets the same', async () => {
    const hub = createHub()
    const [a, b] = [hub.subscribe(), hub.subscribe()]
    for (let n = 0; n < 20; n++) hub.publish(up)
    const [of, other] = await Promise.all([take(a, 20), take(b, 20)])
    assert.equal(of, other)
    const numbers = of.map(({ id }) => Number(id.split('-')[1]))
    assert.equal(
      numbers,
      Array.from({ length: 20 }, (_, n) => n + 1),
    )
    assert.is(hub.listeners, 0, 'who went away is forgotten')
  })

  test('who comes back gets what was missed, once and in order', async () => {
    const hub = createHub()
    const first = hub.subscribe()
    for (let n = 0; n < 5; n++) hub.publish(up)
    const seen = await take(first, 2)
    const back = hub.subscribe({ after: seen[1]?.id })
    hub.publish({ type: 'engine.down', backend: 'docker', reason: 'x' })
    assert.equal(
      (await take(back, 4)).map(({ id }) => id.split('-')[1]),
      ['3', '4', '5', '6'],
    )
    const { startId } = hub.subscribe()
    assert.is(startId.split('-')[1], '6')
    hub.close()
  })

  test('one reset for an id that is too old, of another run, from the future, or no id at all', async () => {
    const hub = createHub()
    const run = hub.subscribe().startId.split('-')[0]
    for (let n = 0; n < 1_200; n++) hub.publish(up)
    const foreign = ['1', 'x', `${run}-99999`, `${run}--1`, `${run}-`, `${run}-1e3`, `${run}`, 'ffffffff-3', '\u0000']
    for (const [after, reason] of [[`${run}-3`, 'too-old'], ...foreign.map((id) => [id, 'other-run'])]) {
      const back = hub.subscribe({ after })
      hub.publish(up)
      const [reset, next] = await take(back, 2)
      assert.is(reset?.type === 'reset' && reset.reason, reason, after)
      assert.is(next?.type, 'engine.up')
      const again = hub.subscribe({ after: reset?.id })
      assert.is((await take(again, 1))[0]?.id, next?.id, 'after a reset one goes on from there')
    }
    hub.close()
  })

  test('a listener who does not read is dropped and costs nothing more', async () => {
    const hub = createHub()
    const slow = hub.subscribe()
    const quick = hub.subscribe()
    const got: ApiEvent[] = []
    const reading = (async () => {
      for await (const event of quick) got.push(event)
    })()
    for (let n = 0; n < 600; n++) {
      hub.publish(up)
      await new Promise((done) => setImmediate(done))
    }
    assert.ok(slow.dropped)
    assert.is(hub.listeners, 1)
    assert.equal(types(await take(slow, 1)), [])
    hub.close()
    await reading
    assert.is(got.length, 600)
    assert.equal(types(await take(hub.subscribe(), 1)), [], 'a closed hub ends at once')
  })

  test('of one workspace: what is about it, and the engine', async () => {
    const hub = createHub()
    const some = hub.subscribe({ workspaceId: 'ws-aaaaaaaa' })
    for (const id of ['ws-aaaaaaaa', 'ws-bbbbbbbb']) {
      hub.publish({ type: 'workspace.removed', workspace: { id, name: 'a', repo: '/r' } as never })
      hub.publish({ type: 'operation.started', operation: { id: 'op-1', workspaceId: id } })
    }
    hub.publish(up)
    assert.equal(types(await take(some, 3)), ['workspace.removed', 'operation.started', 'engine.up'])
  })
})

/** An app whose looks are counted and end when told to. */
function countedLooks(app: App) {
  const gates: (() => void)[] = []
  const counted: App = {
    ...app,
    records: {
      ...app.records,
      list: async () => {
        await new Promise<void>((done) => gates.push(done))
        return app.records.list()
      },
    },
  }
  return { counted, gates }
}

suite('snapshot', (test) => {
  test('one look answers all who ask while it runs and a little longer', async () => {
    await using world = await appWorld()
    await world.record('one')
    const { counted, gates } = countedLooks(world.app)
    const snapshot = createSnapshot(counted)
    const asked = Array.from({ length: 100 }, () => snapshot.look())
    await eventually(() => gates.length === 1)
    gates[0]?.()
    const looks = await Promise.all(asked)
    assert.is(new Set(looks).size, 1)
    assert.is(await snapshot.look(), looks[0])
    assert.is(looks[0]?.json(), looks[0]?.json())
    const { workspaces } = JSON.parse(looks[0]?.json(world.repo.path) ?? '') as { workspaces: { name: string }[] }
    assert.equal(
      workspaces.map(({ name }) => name),
      ['one'],
    )
    assert.is(looks[0]?.json('/elsewhere'), '{"workspaces":[]}')
    assert.is(gates.length, 1)
  })

  test('what is asked after a drop is not answered from before it, not even by a look that runs', async () => {
    await using world = await appWorld()
    const { counted, gates } = countedLooks(world.app)
    const snapshot = createSnapshot(counted)
    const before = snapshot.look()
    await eventually(() => gates.length === 1)
    snapshot.drop()
    const after = [snapshot.look(), snapshot.look()]
    gates[0]?.()
    await before
    await eventually(() => gates.length === 2)
    await world.record('late')
    gates[1]?.()
    for (const look of await Promise.all(after)) assert.is(look.resources.length, 1)
    assert.is((await snapshot.look()).resources.length, 1, 'the one from before the drop was kept')
  })

  test('a look that fails is told and not kept', async () => {
    await using world = await appWorld()
    let broken = true
    const list = async () => {
      if (broken) throw new Error('no disk')
      return world.app.records.list()
    }
    const snapshot = createSnapshot({ ...world.app, records: { ...world.app.records, list } })
    for (const ask of [snapshot.look(), snapshot.look()]) {
      const error = await ask.then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      assert.is(error?.message, 'no disk')
    }
    broken = false
    assert.equal((await snapshot.look()).resources, [])
  })
})
