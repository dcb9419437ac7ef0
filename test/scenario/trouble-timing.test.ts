/**
 * Trouble of time and place: ports that run out or are stolen, creates that are interrupted at every step, and many at once.
 * Kills and other failures at every step: failpoints.test.ts.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openDemo, openScene } from './scene.ts'

/** Steps as nexus narrates them, in the order in which they begin. */
const STEPS = ['record', 'worktree', 'provision', 'configure', 'start']

suite('ports', (test) => {
  test(
    'a full range leads to the fallback, and a full fallback to a refusal',
    async () => {
      await using scene = await openScene()
      const env = { NEXUS_SSH_PORT_RANGE_START: '30000', NEXUS_SSH_PORT_RANGE_END: '30029' }
      const leased: number[] = []
      for (const name of ['one', 'two', 'three', 'four']) {
        const { ports } = JSON.parse(await scene.ok(['up', name, '--no-start', '--json'], { env }))
        leased.push(ports[0].host)
      }
      assert.equal([...leased.slice(0, 3)].sort(), [30_000, 30_010, 30_020])
      assert.ok((leased[3] ?? 0) >= 40_000)

      const file = join(scene.home, '.nexus', 'state', 'ports.json')
      const state = JSON.parse(await readFile(file, 'utf8'))
      const bases = Array.from({ length: 2_560 }, (_, n) => 40_000 + 10 * n)
      const full = bases.map((base) => ({ ...state.leases[0], base, workspace: 'ws-aaaaaaaa' }))
      await writeFile(file, JSON.stringify({ ...state, leases: [...state.leases, ...full] }))
      const before = await scene.made()
      await scene.refused(['up', 'five'], 5, 'RESOURCE_EXHAUSTED', { env })
      assert.equal(await scene.made(), before)
    },
    LIMIT_MS,
  )

  test(
    'a port stolen while the workspace is stopped leads to another one, and the thief is named',
    async () => {
      await using scene = await openDemo()
      await scene.ok(['stop', 'demo'])
      const [stopped] = await scene.list()
      const port = stopped?.ssh.port ?? 0
      const thief = createServer()
      await new Promise<void>((done, fail) => thief.once('error', fail).listen(port, '127.0.0.1', done))
      try {
        const { code, stderr } = await scene.run(['start', 'demo'])
        assert.is(code, 0, stderr)
        assert.match(stderr, new RegExp(`port ${port} is taken by .*pid ${process.pid}`))
        const [running] = await scene.list()
        assert.is(running?.state, 'running')
        assert.is.not(running?.ssh.port, port)
        assert.is(running?.ssh.hostKeyFingerprint, stopped?.ssh.hostKeyFingerprint)
        await scene.inside('demo', 'true')
      } finally {
        await new Promise((done) => thief.close(done))
      }
    },
    LIMIT_MS,
  )
})

suite('interrupted', (test) => {
  test(
    'SIGINT at any step of a create undoes it: exit 130, nothing left',
    async () => {
      await using scene = await openScene()
      await scene.up('warm')
      const before = await scene.made()
      for (const step of STEPS) {
        const running = scene.start(['up', 'demo'])
        await eventually(() => running.stderr().includes(`+ ${step} `), { timeoutMs: 20_000, everyMs: 2 })
        running.child.kill('SIGINT')
        const { code, stderr } = await running.ended
        assert.is(code, 130, `at ${step}: ${stderr}`)
        assert.match(stderr, /^interrupted: what was begun is being undone/m)
        assert.equal(await scene.made(), before, `after an interrupt at ${step}\n${stderr}`)
      }
    },
    2 * LIMIT_MS,
  )
})

suite('many at once', (test) => {
  test(
    'two creates of one name: exactly one wins',
    async () => {
      await using scene = await openScene()
      const results = await Promise.all([1, 2].map(() => scene.run(['create', 'demo', '--json'])))
      const codes = results.map(({ code }) => code).sort()
      assert.equal(codes, [0, 4], JSON.stringify(results))
      const [demo, ...others] = await scene.list()
      assert.is(others.length, 0)
      assert.equal([demo?.state, demo?.reason], ['running', ''])
      assert.is((await scene.made()).leases, 1)
      assert.is(await scene.inside('demo', 'cat', 'README.md'), '# A project\n')
    },
    LIMIT_MS,
  )

  test(
    'eight creates of different names all work',
    async () => {
      await using scene = await openScene()
      const names = Array.from({ length: 8 }, (_, n) => `demo-${n}`)
      const results = await Promise.all(names.map((name) => scene.run(['create', name])))
      for (const { code, stderr } of results) assert.is(code, 0, stderr)
      const all = await scene.list()
      assert.equal(
        all.map(({ name, state }) => `${name} ${state}`).sort(),
        names.map((name) => `${name} running`),
      )
      assert.is(new Set(all.map(({ ssh }) => ssh.port)).size, 8)
      const said = await Promise.all(names.map((name) => scene.inside(name, 'hostname')))
      assert.equal(
        said,
        names.map((name) => `${name}\n`),
      )
      const ended = await Promise.all(names.map((name) => scene.run(['delete', name])))
      for (const { code, stderr } of ended) assert.is(code, 0, stderr)
      assert.equal(await scene.list(), [])
    },
    2 * LIMIT_MS,
  )
})
