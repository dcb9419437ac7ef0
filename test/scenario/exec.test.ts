/**
 * `nexus exec`: what goes in arrives byte by byte, what comes out comes apart, and the exit code is the command's own, for
 * codes and for signals.
 */
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openDemo, shareScene } from './scene.ts'

const WORDS = [
  'plain',
  '',
  'two words',
  ' edges ',
  "it's",
  '"quoted"',
  '$HOME `id` $(id)',
  'back\\slash\\',
  'new\nline',
  'tab\t',
  '*',
  '~',
  '!!',
  ';&|<>',
  '-n',
  '--',
  'größe 日本 🎉',
  'end\n',
]
/** As many sessions as the master takes comfortably on two cores. */
const AT_ONCE = 8
const EIGHTHS = Array.from({ length: 32 }, (_, i) => 8 * i + 3)

/** As with fish, which knows neither `$?` nor `||` as others do: a word, or `exec` with words, is all that it reads. */
const ODD_SHELL = `cat > /usr/local/bin/odd <<'ODD'
#!/bin/sh
case $2 in "exec '"* | true) exec /bin/sh "$@" ;; esac
exit 99
ODD
chmod 755 /usr/local/bin/odd && usermod -s /usr/local/bin/odd nexus`

suite('exec', (test) => {
  const shared = shareScene(openDemo)

  test(
    'arguments arrive exactly as given',
    async () => {
      const scene = await shared.get()
      const got = await scene.inside('demo', 'printf', '%s\\0', ...WORDS)
      assert.equal(got.split('\0').slice(0, -1), WORDS)
    },
    LIMIT_MS,
  )

  test(
    'stdin, stdout and stderr are streams of their own',
    async () => {
      const scene = await shared.get()
      const input = 'line\n'.repeat(50_000)
      assert.is((await scene.run(['exec', 'demo', '--', 'cat'], { input })).stdout, input)
      const apart = await scene.run(['exec', 'demo', '--', 'bash', '-c', 'printf out; printf err >&2; exit 3'])
      assert.equal(apart, { code: 3, stdout: 'out', stderr: 'err' })
      assert.is((await scene.run(['exec', 'demo', '--', 'wc', '-c'])).stdout.trim(), '0')
    },
    LIMIT_MS,
  )

  test(
    'exit codes come back: the lowest, the highest, those with a meaning, and one of each eight',
    async () => {
      const scene = await shared.get()
      const codes = [...new Set([0, 1, 2, 125, 126, 127, 128, 129, 130, 137, 143, 254, 255, ...EIGHTHS])]
      const got: [number, number][] = []
      const worker = async () => {
        for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
          got.push([code, (await scene.run(['exec', 'demo', '--', 'sh', '-c', `exit ${code}`])).code])
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      assert.ok(got.length > EIGHTHS.length)
      assert.equal(
        got.filter(([code, seen]) => code !== seen),
        [],
      )
    },
    LIMIT_MS,
  )

  test(
    'a command ended by a signal gives 128 and the signal; a missing one 127',
    async () => {
      const scene = await shared.get()
      const killed = await scene.run(['exec', 'demo', '--', 'bash', '-c', 'kill -9 $$'])
      assert.equal(killed, { code: 137, stdout: '', stderr: '' })
      assert.is((await scene.run(['exec', 'demo', '--', 'bash', '-c', 'kill -TERM $$'])).code, 143)
      assert.is((await scene.run(['exec', 'demo', '--', 'no-such-program'])).code, 127)
    },
    LIMIT_MS,
  )

  test(
    'a command that prints the command lines and variables of all above it is heard to its end',
    async () => {
      const scene = await shared.get()
      for (const script of ['ps axeww', 'cat /proc/[0-9]*/cmdline', 'cat /proc/[0-9]*/environ']) {
        const all = `{ ${script}; } 2>/dev/null | tee /dev/stderr; echo last; echo last >&2; exit 17`
        const { code, stdout, stderr } = await scene.run(['exec', 'demo', '--', 'bash', '-c', all])
        assert.is(code, 17, script)
        assert.ok(stdout.length > 200 && stdout.endsWith('last\n'), script)
        assert.is(stderr, stdout, script)
      }
    },
    LIMIT_MS,
  )

  test(
    'SIGINT to nexus ends the command inside',
    async () => {
      const scene = await shared.get()
      const running = scene.start(['exec', 'demo', '--', 'sleep', '4711'])
      const isThere = async () => (await scene.run(['exec', 'demo', '--', 'pgrep', '-x', 'sleep'])).code === 0
      await eventually(isThere, { timeoutMs: 10_000 })
      running.child.kill('SIGINT')
      assert.is((await running.ended).code, 130)
      assert.not(await isThere())
    },
    LIMIT_MS,
  )

  test(
    '-t gives a terminal, without it there is none',
    async () => {
      const scene = await shared.get()
      const tty = await scene.run(['exec', '-t', 'demo', '--', 'tty'])
      assert.match(tty.stdout, /^\/dev\/pts\/\d+\r?\n$/)
      assert.is((await scene.run(['exec', 'demo', '--', 'tty'])).code, 1)
      assert.is((await scene.run(['exec', '-t', 'demo', '--', 'sh', '-c', 'exit 7'])).code, 7)
    },
    LIMIT_MS,
  )

  test(
    '--cwd and --env; the worktree is where a command starts',
    async () => {
      const scene = await shared.get()
      assert.is(await scene.inside('demo', 'pwd'), `${scene.repo.path}/.worktree/demo\n`)
      assert.is(await scene.ok(['exec', 'demo', '--cwd', '/usr/lib', '--', 'pwd']), '/usr/lib\n')
      await scene.refused(['exec', 'demo', '--cwd', 'usr', '--', 'pwd'], 2, 'INVALID_ARGUMENT')
      assert.is((await scene.run(['exec', 'demo', '--cwd', '/nowhere', '--', 'pwd'])).code, 125)
      const value = `a "b" 'c' $HOME\nsecond line ü`
      const args = ['exec', 'demo', '--env', `ONE=${value}`, '--env', 'TAKEN', '--']
      const taken = await scene.ok([...args, 'printenv', 'ONE', 'TAKEN'], { env: { TAKEN: 'from here' } })
      assert.is(taken, `${value}\nfrom here\n`)
    },
    LIMIT_MS,
  )

  test(
    'a stopped workspace is told apart from a failing command: 125 and how to start it',
    async () => {
      const scene = await shared.get()
      await scene.inside('demo', 'sudo', 'sh', '-c', ODD_SHELL)
      await scene.ok(['stop', 'demo'])
      const error = await scene.refused(['exec', 'demo', '--', 'true'], 125, 'WORKSPACE_NOT_RUNNING')
      assert.match(error.hint ?? '', /nexus start demo/)
      await scene.ok(['start', 'demo'])
      // whatever somebody made the login shell
      assert.is((await scene.run(['exec', 'demo', '--', 'sh', '-c', 'exit 7'])).code, 7)
      assert.is(await scene.ok(['exec', 'demo', '--env', "A='\\ b", '--', 'printenv', 'A']), "'\\ b\n")
      assert.is(await scene.ok(['ssh', 'demo', '--', 'true']), '')
      await scene.ok(['pause', 'demo'])
      const paused = await scene.refused(['exec', 'demo', '--', 'true'], 125, 'WORKSPACE_NOT_RUNNING')
      assert.match(paused.hint ?? '', /nexus resume demo/)
      await scene.refused(['exec', 'demi', '--', 'true'], 3, 'WORKSPACE_NOT_FOUND')
      await scene.refused(['exec', 'demo', '--'], 2, 'INVALID_ARGUMENT')
    },
    LIMIT_MS,
  )
  test('and nothing is left', shared.close, LIMIT_MS)
})
