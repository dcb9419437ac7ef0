/**
 * What cannot be written: every verb says so in one line and ends with a code that is not 0; a reader that has gone is no error. On the
 * mock backend, with the built nexus as a process.
 */
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { openScene, type Scene } from './scene.ts'

const LIMIT_MS = 60_000
const LINE = 'error: stdout cannot be written: no space left\n'

const VERBS = [
  ['list'],
  ['list', '--json'],
  ['status', 'x'],
  ['config', 'show'],
  ['completion', 'bash'],
  ['help'],
  ['--version'],
  ['version', '--json'],
  ['up', 'x', '--json'],
  ['status', 'nowhere', '--json'],
]

/** The mock in words of a shell, which puts stdout somewhere. */
function shell(scene: Scene, script: string, args: readonly string[]) {
  const nexus = [process.execPath, join(process.cwd(), 'dist', 'nexus.js'), ...args]
  return runProcess(['bash', '-c', script, 'bash', ...nexus], {
    cwd: scene.repo.path,
    env: { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), NEXUS_BACKEND: 'mock' },
  })
}

suite('output that cannot be written', (test) => {
  test(
    'is an error in one line, with every verb',
    async () => {
      await using scene = await openScene({ env: { NEXUS_BACKEND: 'mock' } })
      await scene.ok(['up', 'x'])
      const full = '"$@" > /dev/full'
      for (const args of VERBS) {
        const { code, stderr } = await shell(scene, full, args)
        assert.is(stderr, LINE, args.join(' '))
        assert.is(code, args.includes('nowhere') ? 3 : 1, args.join(' '))
      }
      const exec = ['exec', 'x', '--', 'sh', '-c', 'echo hi; exit 3']
      assert.equal(await shell(scene, full, exec), { code: 125, stdout: '', stderr: LINE })
      assert.is((await shell(scene, full, ['exec', 'x', '--', 'true'])).code, 0)
      const both = await shell(scene, '"$@" > /dev/full 2>&1', ['list'])
      assert.equal(both, { code: 1, stdout: '', stderr: '' })
      for (const args of [...VERBS, exec]) {
        const { stderr } = await shell(scene, '"$@" | true', args)
        assert.is(stderr, '', args.join(' '))
      }
      const yes = await shell(scene, '"$@" | head -n 1', ['exec', 'x', '--', 'sh', '-c', 'yes 2>/dev/null'])
      assert.equal(yes, { code: 0, stdout: 'y\n', stderr: '' })
    },
    LIMIT_MS,
  )

  test(
    'exec passes on what comes, in order, and does not wait for what is left behind',
    async () => {
      await using scene = await openScene({ env: { NEXUS_BACKEND: 'mock' } })
      await scene.ok(['up', 'x'])
      const exec = (script: string) => ['exec', 'x', '--', 'sh', '-c', script]
      const order = 'for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.01; echo $i >&2; sleep 0.01; done'
      const merged = await shell(scene, '"$@" 2>&1', exec(order))
      assert.is(merged.stdout, [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `${i}\n${i}\n`).join(''))
      const much = await shell(scene, '"$@" | sha256sum', exec('head -c 20000000 /dev/zero'))
      const same = await runProcess(['sh', '-c', 'head -c 20000000 /dev/zero | sha256sum'])
      assert.is(much.stdout, same.stdout)
      const began = performance.now()
      const left = await shell(scene, '"$@"', exec('sleep 20 2>/dev/null & echo $!'))
      assert.is(left.code, 0)
      assert.ok(performance.now() - began < 10_000)
      process.kill(Number(left.stdout))
    },
    LIMIT_MS,
  )
})
