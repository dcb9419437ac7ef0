/**
 * Events as listeners get them, on the real engine: whoever changes something, the CLI or plain `docker compose`, fifty listeners know
 * within 200 ms of its end, and nothing is told that is no change.
 */
import { join } from 'node:path'
import { type ApiEvent, createHub, type Hub } from '../../lib/api/changes/hub.ts'
import { createSnapshot } from '../../lib/api/changes/snapshot.ts'
import { startWatching } from '../../lib/api/changes/watching.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { openApp } from '../../lib/workspace/open-app.ts'
import { must, openScene, type Scene } from '../scenario/scene.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'

const LISTENERS = 50
const LIMIT_MS = 200

interface Heard {
  readonly event: ApiEvent
  readonly at: number
}

function listen(hub: Hub): { readonly heard: Heard[]; readonly ended: Promise<void> } {
  const heard: Heard[] = []
  const subscription = hub.subscribe()
  const follow = async () => {
    for await (const event of subscription) heard.push({ event, at: performance.now() })
  }
  return { heard, ended: follow() }
}

function watched(scene: Scene) {
  return openApp({
    cwd: scene.repo.path,
    env: { ...process.env, HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') },
    emit: () => {},
    interruption: createInterruption(),
  })
}

suite('events', (test) => {
  test('fifty listeners know within 200 ms what the CLI and compose did, and hear of nothing else', async () => {
    await using scene = await openScene()
    const app = watched(scene)
    const hub = createHub()
    const snapshot = createSnapshot(app)
    const watching = await startWatching(app, snapshot, hub)
    const listeners = Array.from({ length: LISTENERS }, () => listen(hub))
    const late: string[] = []
    /** Runs a change and waits until every listener has what it is about; notes who had it too late. */
    const known = async (what: string, change: () => Promise<unknown>, isIt: (event: ApiEvent) => boolean) => {
      const before = listeners.map(({ heard }) => heard.length)
      await change()
      const end = performance.now()
      const delays = listeners.map(async ({ heard }, i) => {
        const find = (): Heard => {
          const found = heard.slice(before[i]).find(({ event }) => isIt(event))
          if (found === undefined) throw new Error(`${what}: ${JSON.stringify(heard.slice(before[i]), null, 1)}`)
          return found
        }
        return (await eventually(find, { everyMs: 5 })).at - end
      })
      const worst = Math.max(...(await Promise.all(delays)))
      if (worst > LIMIT_MS) late.push(`${what}: ${worst.toFixed(0)} ms`)
    }
    const isState =
      (state: string, reason = '') =>
      (event: ApiEvent) =>
        event.type === 'workspace.changed' && event.workspace.state === state && event.workspace.reason === reason
    try {
      await known('up', () => scene.up('demo'), isState('running'))
      const [record] = await app.records.list()
      const file = join(scene.home, '.nexus', 'workspaces', record?.id ?? '', 'docker-compose.yml')
      const compose = (...words: string[]) => must(['docker', 'compose', '-f', file, ...words])
      await known('stop', () => scene.ok(['stop', 'demo']), isState('stopped'))
      await known('compose up', () => compose('up', '-d', '--quiet-pull'), isState('running'))
      const count = listeners[0]?.heard.length
      await scene.inside('demo', 'true')
      await must(['docker', 'ps'])
      await compose('ps')
      await runProcess(['docker', 'exec', `${record?.id}-no-such`, 'true'])
      await known('pause', () => compose('pause'), isState('paused'))
      const since = listeners[0]?.heard.slice(count).map(({ event }) => event.type)
      assert.equal(since, ['workspace.changed'], 'an event without a change')
      assert.is((await snapshot.look()).resources[0]?.state, 'paused')
      await known('resume', () => scene.ok(['resume', 'demo']), isState('running'))
      await known('compose stop', () => compose('stop', '--timeout', '1'), isState('stopped'))
      const remove = () => scene.ok(['delete', 'demo', '--force'])
      await known('delete', remove, (event) => event.type === 'workspace.removed')
      const ids = listeners.map(({ heard }) => heard.map(({ event }) => event.id).join())
      assert.is(new Set(ids).size, 1, 'the listeners heard different things')
      assert.equal(late, [], 'too late')
    } finally {
      await watching.close()
      hub.close()
      await Promise.all(listeners.map(({ ended }) => ended))
    }
  }, 60_000)
})
