/**
 * What a stranger's project or an agent inside leaves to hold Nexus up, to fill it or to listen to it. Where each was, and since which
 * commit:
 *
 * | finding | what was done                                                      | where                                           | since   |
 * |---------|--------------------------------------------------------------------|-------------------------------------------------|---------|
 * | B11     | `.env` is a pipe: rebuild hangs, deaf to SIGTERM; so does a server | workspace/stack/stack-choice.ts, trust/admit.ts | 218deaa |
 * | B11     | `.env` leads to /dev/zero: memory fills                            | the same                                        | 218deaa |
 * | B12     | a git inside that prints without end: 1.4 GB, code 70              | system/capture.ts                               | 66faf1f |
 * | B13     | values of `exec --env` are seen by ps                              | ssh/session/session.ts                          | b74624d |
 * | B14     | another user's folder in /tmp takes the place of ours              | ssh/server/access.ts, api/places.ts             | 66faf1f |
 *
 * All in one workspace of a home whose path is long, so that its sockets lie in /tmp.
 */
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256 } from '../../lib/core/digest.ts'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'
import { LIMIT_MS, must, openScene, type Running, type Scene, shareScene, startProcess } from './scene.ts'
import { makeUser } from './users.ts'

const SECRET = "zwei Zeilen\nund 'Zeichen' \\ $(id) `id` é"
const QUICKLY = { timeoutMs: 20_000 }

const shared = shareScene(async () => {
  const parent = join((await tempDir()).path, 'a-home-with-a-path-that-is-too-long-for-the-sockets-of-this-machine')
  await mkdir(parent)
  const scene = await openScene({ parent, env: { XDG_RUNTIME_DIR: undefined } })
  await scene.up('demo')
  return scene
})

/** Where the sockets of the scene's home lie. */
function socketFolder({ home }: Scene): string {
  return `/tmp/nexus-${process.getuid?.()}-${sha256(join(home, '.nexus')).slice(0, 8)}`
}

async function serve(scene: Scene): Promise<Running> {
  const server = scene.start(['serve'])
  await eventually(() => /serving at/.test(server.stderr()), { timeoutMs: 15_000 })
  return server
}

const plant = (scene: Scene, script: string) => scene.inside('demo', 'sh', '-c', `rm -rf .env .nexus; ${script}`)

suite('what never ends', (test) => {
  const ODD: readonly (readonly [script: string, told: RegExp])[] = [
    ['mkfifo .env', /\.env is a named pipe, not a file/],
    ['ln -s /dev/zero .env', /\.env is a device, not a file/],
    ['truncate -s 50G .env', /\.env is larger than 1 MiB/],
    ['mkdir .nexus; ln -s /etc/passwd .nexus/config.yaml', /config\.yaml .*leads out of the worktree/],
  ]

  test(
    'in the place of a file: each is refused at once and told, and a server goes on',
    async () => {
      const scene = await shared.get()
      const server = await serve(scene)
      for (const [script, told] of ODD) {
        await plant(scene, script)
        assert.match((await scene.refused(['rebuild', 'demo'], 2, 'CONFIG_INVALID', QUICKLY)).message, told)
      }
      await plant(scene, 'mkfifo .env')
      const asked = ['api', '/workspaces/demo/rebuild', '--method', 'POST']
      assert.match((await scene.refused(asked, 2, 'CONFIG_INVALID', QUICKLY)).message, /named pipe/)
      await scene.ok(['api', '/healthz'], QUICKLY)
      await scene.ok(['list'], QUICKLY)
      await scene.ok(['status', 'demo'], QUICKLY)
      await scene.ok(['serve', 'stop'], QUICKLY)
      await server.ended
      await plant(scene, 'true')
    },
    3 * LIMIT_MS,
  )

  test(
    'in a project that is new here: a link to a device is refused before anything of it runs',
    async () => {
      const scene = await shared.get()
      const { git } = scene.repo
      await git('checkout', '--quiet', '-b', 'endless')
      await must(['sh', '-c', 'ln -s /dev/zero .env && printf "services: {web: {image: scratch}}" > compose.yaml'], {
        cwd: scene.repo.path,
      })
      await git('add', '--all', '--force', '.env', 'compose.yaml')
      await git('commit', '--quiet', '--message', 'endless')
      await git('checkout', '--quiet', 'main')
      const { message } = await scene.refused(['up', 'x', '--branch', 'endless'], 2, 'CONFIG_INVALID', QUICKLY)
      assert.match(message, /\.env .*(is a device|\/dev\/zero)/)
    },
    LIMIT_MS,
  )
})

suite('what fills', (test) => {
  test(
    'a git inside that prints without end is ended, and a command of the user’s is not',
    async () => {
      const scene = await shared.get()
      const flood = '#!/bin/sh\\nhead -c 120M /dev/zero; head -c 20M /dev/zero | tr "\\\\0" "x" >&2\\n'
      const script = `mkdir -p ~/e; printf '${flood}' > ~/e/git; chmod +x ~/e/git; echo 'export PATH=$HOME/e:$PATH' | cat - ~/.bashrc > ~/b; cp ~/.bashrc ~/kept; mv ~/b ~/.bashrc`
      await scene.inside('demo', 'sh', '-c', script)
      for (const verb of [
        ['diff', 'demo'],
        ['log', 'demo'],
        ['list', '--dirty'],
      ]) {
        const { code, stdout, stderr } = await scene.run(verb)
        assert.not.equal(code, 70, stderr)
        assert.ok(stdout.length + stderr.length < 256 * 1024, `${verb.join(' ')} said ${stdout.length + stderr.length}`)
      }
      await scene.inside('demo', 'sh', '-c', 'mv ~/kept ~/.bashrc; rm -r ~/e')
      const whole = `"$0" "$@" | wc -c`
      const program = [process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
      const argv = ['sh', '-c', whole, ...program, 'exec', 'demo', '--', 'head', '-c', '80M', '/dev/zero']
      const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), XDG_RUNTIME_DIR: undefined }
      assert.is((await must(argv, { cwd: scene.repo.path, env })).trim(), String(80 * 1024 * 1024))
    },
    2 * LIMIT_MS,
  )
})

suite('what others see', (test) => {
  test(
    'values that a command is given arrive, and no other user sees them',
    async () => {
      const scene = await shared.get()
      await using other = await makeUser({ inDockerGroup: false })
      const seen: string[] = []
      const look = async () => {
        seen.push(await must([...other.as, 'ps', 'axww', '-o', 'args']))
        return (
          seen
            .at(-1)
            ?.split('\n')
            .some((line) => /^ssh .*sleep 2\.5/.test(line)) === true
        )
      }
      const env = { TOKEN: SECRET }
      const script = 'printf %s "$TOKEN"; cat; sleep 2.5; ! env | grep NEXUS_WS_ENV'
      const running = scene.run(['exec', 'demo', '--env', 'TOKEN', '--', 'sh', '-c', script], { env, input: 'in\0put' })
      await eventually(look, { timeoutMs: 15_000 })
      const { code, stdout } = await running
      const isSeen = () => seen.some((text) => text.includes('zwei Zeilen'))
      assert.equal([code, stdout, isSeen()], [0, `${SECRET}in\0put`, false])
      const body = join(scene.root, 'body.json')
      await writeFile(body, JSON.stringify({ command: ['sh', '-c', script], env }))
      const server = await serve(scene)
      seen.push('')
      const asked = scene.ok(['api', '/workspaces/demo/exec', '--method', 'POST', '--data', `@${body}`])
      await eventually(look, { timeoutMs: 15_000 })
      assert.is(JSON.parse(await asked).stdout, SECRET)
      await scene.ok(['serve', 'stop'])
      await server.ended
      assert.not.ok(isSeen())
    },
    2 * LIMIT_MS,
  )

  test(
    'a folder of another user in the place of ours is not used',
    async () => {
      const scene = await shared.get()
      const folder = socketFolder(scene)
      assert.ok(existsSync(folder), folder)
      await rm(folder, { recursive: true })
      await using other = await makeUser({ inDockerGroup: false })
      const [{ id } = { id: '' }] = await scene.list()
      const listen = `const fs = require('fs'); fs.mkdirSync('${folder}', { mode: 0o777 }); fs.chmodSync('${folder}', 0o777)
      for (const name of ['${id}.ssh', 'api.sock'])
        require('net').createServer((s) => s.on('data', (d) => console.log(String(d)))).listen('${folder}/' + name, () => console.error('listens'))`
      const fake = startProcess([...other.as, process.execPath, '-e', listen])
      try {
        await eventually(() => fake.stderr().split('listens').length === 3, { timeoutMs: 15_000 })
        const { code, stdout, stderr } = await scene.run(
          ['exec', 'demo', '--', 'sh', '-c', 'echo real; exit 7'],
          QUICKLY,
        )
        assert.equal([code, stdout], [7, 'real\n'], stderr)
        assert.match(stderr, /is not a folder of yours alone/)
        assert.is((await scene.run(['exec', 'demo', '--', 'sh', '-c', 'exit 255'], QUICKLY)).code, 255)
        await scene.refused(['api', '/workspaces'], 1, 'PERMISSION_DENIED', QUICKLY)
        assert.is(fake.stdout(), '')
      } finally {
        fake.child.kill('SIGKILL')
        await fake.ended
        await rm(folder, { recursive: true, force: true })
      }
      assert.is(await scene.inside('demo', 'echo', 'again'), 'again\n')
    },
    2 * LIMIT_MS,
  )

  test(
    'the scene ends clean',
    async () => {
      const scene = await shared.get()
      await shared.close()
      await rm(socketFolder(scene), { recursive: true, force: true })
      await rm(dirname(dirname(scene.root)), { recursive: true })
    },
    LIMIT_MS,
  )
})
