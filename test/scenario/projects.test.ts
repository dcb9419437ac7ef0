/**
 * Two workspaces of each sample project (test/fixtures/projects) side by side, by `nexus up` and nothing else: what is
 * published answers, services reach each other by their names, data are separate and outlive a stop, the generated file works
 * by hand, and a delete takes exactly its own things away.
 */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PortResource, WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import {
  BUILD_LIMIT_MS,
  httpGet,
  httpPost,
  openProject,
  type ProjectName,
  startByHand,
  tcpAsk,
  udpAsk,
} from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'

/** A request for TLS, as PostgreSQL's clients begin; a server without answers `N`. */
const POSTGRES_HELLO = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)

interface Side {
  readonly workspace: WorkspaceResource
  /** As `nexus ports` says. */
  port(service: string | undefined, container: number): number
  file(path: string): string
}

interface Stage {
  readonly scene: Scene
  readonly a: Side
  readonly b: Side
}

/** Workspaces `a` and `b` of the project, both up. */
async function play(name: ProjectName, act: (stage: Stage) => Promise<void>): Promise<void> {
  await using project = await openProject(name)
  await using scene = await openScene({ repo: project.repo })
  await act({ scene, a: await raise(scene, 'a'), b: await raise(scene, 'b') })
}

async function raise(scene: Scene, name: string, env: Readonly<Record<string, string>> = {}): Promise<Side> {
  const options = { env, timeoutMs: BUILD_LIMIT_MS }
  const workspace = JSON.parse(await scene.ok(['up', name, '--json'], options)) as WorkspaceResource
  const { ports } = JSON.parse(await scene.ok(['ports', name, '--json'])) as { ports: readonly PortResource[] }
  return {
    workspace,
    file: (path) => join(workspace.worktree ?? '', path),
    port: (service, container) => {
      const found = ports.find((one) => one.service === service && one.container === container)
      assert.ok(found?.host, `${service}:${container} has no port: ${JSON.stringify(ports)}`)
      return found?.host ?? 0
    },
  }
}

/** Whatever of a workspace the engine has, found by name, so that a missing label hides nothing. */
async function partsOf({ id }: WorkspaceResource): Promise<readonly string[]> {
  const kinds = [
    ['ps', '--all', '--format', '{{.Names}}'],
    ['network', 'ls', '--format', '{{.Name}}'],
    ['volume', 'ls', '--format', '{{.Name}}'],
    ['image', 'ls', '--format', '{{.Repository}}'],
  ]
  const names = await Promise.all(kinds.map((words) => must(['docker', ...words])))
  const found = names.flatMap((text, i) => text.split('\n').map((name) => `${kinds[i]?.[0]} ${name}`))
  return found.filter((name) => name.includes(id.replace(/^ws-/, ''))).sort()
}

/** `data` tells what `a` keeps. By hand `a` is the same stack; it outlives a stop; deleted, it is gone and `b` is not. */
async function livesAndGoes({ scene, a, b }: Stage, services: readonly string[], data: () => Promise<string>) {
  const file = join(scene.home, '.nexus', 'workspaces', a.workspace.id, 'docker-compose.yml')
  const running = await must(['docker', 'compose', '-f', file, 'ps', '--services', '--status', 'running'])
  assert.equal(running.trim().split('\n').sort(), [...services].sort())

  const before = await data()
  await scene.ok(['stop', 'a'])
  await scene.ok(['start', 'a'])
  assert.is(await eventually(data), before)

  const others = await partsOf(b.workspace)
  assert.ok(others.length > 0)
  await scene.ok(['delete', 'a', '--force', '--delete-branch', '--no-trash'])
  assert.equal(await partsOf(a.workspace), [])
  assert.equal(await partsOf(b.workspace), others)
  assert.not.ok(existsSync(a.workspace.worktree ?? ''))
}

suite('sample projects side by side', (test) => {
  test(
    'shop: two whole stacks, each with a database, a cache, a worker and a page of its own; and its own test',
    () =>
      play('shop', async (stage) => {
        const { scene, a, b } = stage
        const web = a.port('web', 3000)
        // the health checks have passed, so that nothing needs to be waited for
        assert.match(await httpGet(web), 'The shop')
        await httpPost(web, '/api/notes', 'note of a')
        await httpPost(b.port('api', 8000), '/jobs', 'job of b')
        await eventually(async () => assert.match(await httpGet(b.port('web', 3000), '/api/notes'), 'did job of b'))
        const notes = async (side: Side) =>
          (JSON.parse(await httpGet(side.port('api', 8000), '/notes')) as { notes: readonly string[] }).notes
        assert.equal(await notes(a), ['note of a'])
        assert.equal(await notes(b), ['worker did job of b'])
        for (const side of [a, b]) {
          assert.is(await tcpAsk(side.port('db', 5432), POSTGRES_HELLO), 'N')
          assert.is(await tcpAsk(side.port('redis', 6379), 'PING\r\n'), '+PONG\r\n')
        }
        assert.is(
          await tcpAsk(a.port('redis', 6379), 'GET visits\r\n'),
          '$1\r\n1\r\n',
          'a was asked once, whatever b was asked',
        )

        await writeFile(a.file('web/index.html'), 'edited in a')
        assert.is(await httpGet(web), 'edited in a')
        assert.match(await httpGet(b.port('web', 3000)), 'The shop')
        assert.is(await readFile(a.file('.env'), 'utf8'), await readFile(join(scene.repo.path, '.env'), 'utf8'))
        assert.match(await scene.inside('a', 'curl', '-s', 'http://web:3000'), 'edited in a')

        const services = ['web', 'api', 'worker', 'db', 'redis', 'workspace']
        await livesAndGoes(stage, services, async () => JSON.stringify(await notes(a)))
        assert.equal(await notes(b), ['worker did job of b'])

        // paused and resumed, it answers again
        await scene.ok(['pause', 'b'])
        await scene.ok(['resume', 'b'])
        assert.match(await eventually(() => httpGet(b.port('web', 3000), '/api/notes')), 'did job of b')

        // the project's own test says the same in a workspace and by `nexus run`, which leaves nothing
        const limit = { timeoutMs: BUILD_LIMIT_MS }
        const inside = await scene.ok(['exec', 'b', '--', 'make', 'test'], limit)
        const before = await scene.made()
        assert.is(await scene.ok(['run', '--', 'make', 'test'], limit), inside)
        assert.equal(await scene.made(), before)
      }),
    BUILD_LIMIT_MS,
  )

  test(
    'single: each branch serves its own file',
    () =>
      play('single', async (stage) => {
        const { scene, a, b } = stage
        const greeting = ({ port }: Side) => httpGet(port(undefined, 8080), '/greeting.txt')
        assert.is(await eventually(() => greeting(a)), 'hello from the tree\n')
        await writeFile(a.file('greeting.txt'), 'hello from a\n')
        await scene.ok(['rebuild', 'a'], { timeoutMs: BUILD_LIMIT_MS })
        assert.is(await eventually(() => greeting(a)), 'hello from a\n')
        assert.is(await eventually(() => greeting(b)), 'hello from the tree\n')
        assert.is(await scene.inside('a', 'curl', '-s', 'http://localhost:8080/greeting.txt'), 'hello from a\n')
        await livesAndGoes(stage, ['workspace'], () => greeting(a))
      }),
    BUILD_LIMIT_MS,
  )

  test(
    "profiles: every file of the project has its say, every kind of port answers, and a profile is one workspace's choice",
    () =>
      play('profiles', async (stage) => {
        const { scene, a, b } = stage
        const said = (page: string) => `GREETING=hello from .env\nCOLOUR=green\npage=${page}\ntoken=not a secret`
        for (const port of [8080, 9000, 9001]) {
          assert.is(await httpGet(a.port('app', port)), said('the page of config/page.txt'))
        }
        for (const side of [a, b]) {
          assert.is(await eventually(() => udpAsk(side.port('echo', 5140), 'a datagram')), 'a datagram')
        }
        await writeFile(a.file('config/page.txt'), 'page=the page of a\n')
        assert.is(await httpGet(a.port('app', 8080)), said('the page of a'))
        assert.is(await httpGet(b.port('app', 8080)), said('the page of config/page.txt'))
        assert.match(await scene.inside('a', 'curl', '-s', 'http://app:9001'), 'the page of a')

        const c = await raise(scene, 'c', { NEXUS_COMPOSE_PROFILES: 'debug' })
        assert.match(await httpGet(c.port('debug', 9229)), 'GREETING=debugging')
        assert.not.ok(a.workspace.ports.some(({ service }) => service === 'debug'))

        await livesAndGoes(stage, ['app', 'echo', 'workspace'], () => httpGet(a.port('app', 9000)))
      }),
    BUILD_LIMIT_MS,
  )

  test(
    "fixed: both run beside the user's own stack, which has all the names, and which a delete leaves alone",
    async () => {
      await using project = await openProject('fixed')
      await using own = await startByHand(project)
      await using scene = await openScene({ repo: project.repo })
      const ownPort = await own.portOf('web', 8080)
      await httpPost(ownPort, '/', "the user's own note")
      const [a, b] = [await raise(scene, 'a'), await raise(scene, 'b')]
      await httpPost(a.port('web', 8080), '/', 'note of a')
      assert.is(await httpGet(a.port('web', 8080)), 'note of a')
      assert.is(await httpGet(b.port('web', 8080)), 'nothing')
      assert.match(await scene.inside('a', 'curl', '-s', 'http://web:8080'), 'note of a')
      // its worker asks by the name of a container, http://myapp_web:8080/, which is the user's own container's name too
      await eventually(async () => assert.is(await httpGet(a.port('web', 8080), '/heard'), 'note of a'))
      await livesAndGoes({ scene, a, b }, ['web', 'worker', 'workspace'], () => httpGet(a.port('web', 8080)))
      await scene.ok(['delete', 'b', '--force'])
      assert.is(await httpGet(ownPort), "the user's own note")
      await eventually(async () => assert.is(await httpGet(ownPort, '/heard'), "the user's own note"))
      for (const kind of ['volume', 'network']) {
        const names = (await must(['docker', kind, 'ls', '--format', '{{.Name}}'])).split('\n')
        assert.ok(names.includes(kind === 'volume' ? 'myapp_db' : 'myapp_net'), `${kind}: ${names.join(' ')}`)
      }
    },
    BUILD_LIMIT_MS,
  )

  test(
    'monorepo: the configuration brings two files together',
    () =>
      play('monorepo', async (stage) => {
        const { scene, a, b } = stage
        const both = (side: Side) => httpGet(side.port('b', 8080))
        await eventually(() => httpPost(a.port('a', 8080), '/', 'one thing'))
        await eventually(() => httpPost(a.port('b', 8080), '/', 'another'))
        assert.is(await both(a), 'b keeps another, a keeps one thing')
        assert.is(await eventually(() => both(b)), 'b keeps nothing, a keeps nothing')
        assert.is(await scene.inside('b', 'curl', '-s', 'http://a:8080'), 'a keeps nothing')
        await livesAndGoes(stage, ['a', 'b', 'workspace'], () => both(a))
      }),
    BUILD_LIMIT_MS,
  )
})
