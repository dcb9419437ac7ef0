/**
 * What a killed Nexus had started goes on without it: the next command ends it, and repairs the half-made worktree that git leaves when
 * it is killed too. Real worktrees on the mock backend.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { checkInvariants, type World } from '../support/invariants.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'

const env = { NEXUS_BACKEND: 'mock', NEXUS_MOCK_WITH: 'worktree,local-ports' }
const LIMIT_MS = 60_000
/** Found by their argument; another run of these tests on the machine has others. */
const sleepOf = (n: number) => `sleep ${n}${String(process.pid).padStart(8, '0')}`
const SLEEPS = sleepOf(1)
const HEARS_NO_TERM = sleepOf(2)
const OTHER = sleepOf(3)

const worldOf = (scene: Scene): World => ({ home: join(scene.home, '.nexus'), repo: scene.repo.path, backend: 'mock' })

suite('after a kill', (test) => {
  test(
    'commands that go on are ended first, also those that do not want to',
    async () => {
      await using scene = await openScene({ env })
      // the first run stays for ever, with a child that hears no TERM; the next ones do nothing
      const flag = join(scene.root, 'ran')
      const script = `[ -e ${flag} ] || { (trap "" TERM; exec ${HEARS_NO_TERM}) & echo $! > ${flag}; exec ${SLEEPS}; }`
      const config = `hooks: {pre-start: {run: '${script}', on: host}}\n`
      await mkdir(join(scene.home, '.nexus'), { recursive: true })
      await writeFile(join(scene.home, '.nexus', 'config.yaml'), config)
      const running = scene.start(['up', 'demo'])
      await eventually(async () => (await runProcess(['pgrep', '-f', SLEEPS])).code === 0, { timeoutMs: 20_000 })
      const child = Number(await readFile(flag, 'utf8'))
      running.child.kill('SIGKILL')
      assert.is((await running.ended).code, 137)
      process.kill(child, 0) // it lives

      const { code, stderr } = await scene.run(['exec', 'demo', '--', 'true'])
      assert.is(code, 0, stderr)
      assert.match(stderr, 'the create of demo was cut off')
      assert.is((await runProcess(['pgrep', '-f', `${SLEEPS}|${HEARS_NO_TERM}`])).code, 1, 'something runs on')
      await checkInvariants(worldOf(scene))
    },
    LIMIT_MS,
  )

  test(
    'one who lives is not disturbed: busy, with pid, step and age',
    async () => {
      await using scene = await openScene({ env })
      await mkdir(join(scene.home, '.nexus'), { recursive: true })
      await writeFile(join(scene.home, '.nexus', 'config.yaml'), `hooks: {pre-start: {run: ${OTHER}, on: host}}\n`)
      const running = scene.start(['up', 'demo'])
      await eventually(async () => (await runProcess(['pgrep', '-f', OTHER])).code === 0, { timeoutMs: 20_000 })
      const { message, details } = await scene.refused(['stop', 'demo'], 4, 'WORKSPACE_BUSY')
      assert.match(
        message,
        new RegExp(`busy for \\d+ s: being created since .*pid ${running.child.pid}, step pre-start`),
      )
      assert.ok(Number(details.seconds) >= 9)
      running.child.kill('SIGTERM')
      assert.is((await running.ended).code, 143)
      assert.equal(await scene.list(), [])
    },
    LIMIT_MS,
  )

  test(
    'git killed in the middle of its worktree: locked, with index.lock and branch',
    async () => {
      await using scene = await openScene({ env })
      const git = (await must(['which', 'git'])).trim()
      const folder = join(scene.root, 'bin')
      await mkdir(folder)
      // as git leaves it (builtin/worktree.c): the folder, the branch, a lock "initializing", and an index.lock
      const shim = `#!/bin/bash
case " $* " in *" worktree add "*)
  ${git} "$@"
  echo initializing > "${scene.repo.path}/.git/worktrees/demo/locked"
  touch "${scene.repo.path}/.git/worktrees/demo/index.lock"
  kill -9 $PPID; exit 1 ;;
esac
exec ${git} "$@"
`
      await writeFile(join(folder, 'git'), shim)
      await chmod(join(folder, 'git'), 0o755)
      for (const repair of [['up'], ['exec', '--', 'true'], ['delete']]) {
        const killed = await scene.run(['up', 'demo'], { env: { PATH: `${folder}:${process.env.PATH}` } })
        assert.is(killed.code, 137, killed.stderr)
        assert.match(await scene.repo.git('worktree', 'list', '--porcelain'), 'locked initializing')
        const [verb = '', ...words] = repair
        await scene.ok([verb, 'demo', ...words])
        await checkInvariants(worldOf(scene))
        await scene.run(['delete', 'demo'])
        await checkInvariants(worldOf(scene))
      }
    },
    LIMIT_MS,
  )

  test(
    "another's worktree at the path of a create that was cut off is left alone",
    async () => {
      await using scene = await openScene({ env })
      const failed = await scene.run(['up', 'demo'], { env: { NEXUS_FAILPOINT: 'create.worktree:kill' } })
      assert.is(failed.code, 137)
      const path = join(scene.repo.path, '.worktree', 'demo')
      await scene.repo.git('worktree', 'add', '--quiet', '-b', 'by-hand', path)
      await writeFile(join(path, 'mine.txt'), 'mine\n')
      const { code, stderr } = await scene.run(['exec', 'demo', '--', 'true'])
      assert.is(code, 3, stderr)
      assert.match(stderr, 'was made by somebody else')
      assert.equal(await scene.list(), [])
      assert.is(await readFile(join(path, 'mine.txt'), 'utf8'), 'mine\n')
      assert.match(await scene.repo.git('worktree', 'list'), 'by-hand')
      await scene.repo.git('worktree', 'remove', '--force', path)
      await scene.repo.git('branch', '-D', 'by-hand')
    },
    LIMIT_MS,
  )

  test(
    'a create finishes the deletes of its repository that were cut off, and tells of creates',
    async () => {
      await using scene = await openScene({ env })
      await scene.ok(['up', 'old'])
      for (const [args, point] of [
        [['delete', 'old'], 'delete.remove:kill:after'],
        [['up', 'half'], 'create.configure:kill'],
      ] as const) {
        assert.is((await scene.run(args, { env: { NEXUS_FAILPOINT: point } })).code, 137)
      }
      const { code, stderr } = await scene.run(['create', 'fresh'])
      assert.is(code, 0, stderr)
      assert.match(stderr, 'the create of half was interrupted; `nexus up half` finishes it')
      const names = (await scene.list()).map(({ name, state }) => `${name} ${state}`).sort()
      assert.equal(names, ['fresh running', 'half error'])
      await scene.ok(['delete', 'half'])
      await checkInvariants(worldOf(scene))
    },
    LIMIT_MS,
  )
})
