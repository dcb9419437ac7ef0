/**
 * The main job: a branch gets its worktree, its container, its ports and its SSH access, with a repository whose path holds a
 * space and a quote and thousands of files. Real engine, real git, real OpenSSH.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import {
  LIMIT_MS,
  must,
  openDemo,
  openScene,
  type Scene,
  type SceneOptions,
  shareScene,
  startProcess,
} from './scene.ts'

const FOLDER = `it's a "project"`
const MANY = Object.fromEntries(
  Array.from({ length: 2_000 }, (_, n) => [`src/${n % 50}/file-${n}.txt`, `line of file ${n}\n`]),
)
/** What an ssh session has of its own, or what the entrypoint says it leaves out. */
const OWN = /^(HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|MAIL|TERM|_|SSH_.*|BASH_.*)=/

suite('main job', (test) => {
  const shared = shareScene(async () => {
    const scene = await openAwkward({ files: { 'README.md': '# A project\n', ...MANY } })
    await makeUserKey(scene)
    return scene
  })

  test(
    'up gives branch, worktree, container and SSH access; ssh by the printed line and by the verified one',
    async () => {
      const scene = await shared.get()
      const demo = await scene.up('demo')
      const worktree = join(scene.repo.path, '.worktree', 'demo')
      assert.is(demo.state, 'running')
      assert.is(demo.worktree, worktree)
      assert.is(demo.branch, 'nexus/demo')
      assert.is(demo.ssh.connectionCommand, `ssh -A nexus@localhost -p ${demo.ports[0]?.host}`)
      assert.is((await scene.repo.git('status', '--porcelain')).length, 0)
      assert.is(await scene.repo.git('-C', worktree, 'status', '--porcelain'), '')

      const { uid } = await stat(scene.repo.path)
      assert.is((await byLine(scene, demo, 'id -u; pwd')).stdout, `${uid}\n/home/nexus\n`)
      assert.is(await must(['bash', '-c', `${demo.ssh.verifiedCommand} id -u`]), `${uid}\n`)
      assert.is(await scene.inside('demo', 'git', 'status', '--porcelain'), '')
      assert.is((await scene.inside('demo', 'git', 'ls-files')).trim().split('\n').length, 2_001)
      assert.is((await scene.inside('demo', 'readlink', '-f', '/workspace')).trim(), worktree)
      assert.is(await scene.inside('demo', 'cat', '/workspace/README.md'), '# A project\n')
    },
    LIMIT_MS,
  )

  test(
    'the host key that ssh meets is the one that was printed',
    async () => {
      const scene = await shared.get()
      const demo = await scene.up('demo')
      const scanned = await must(['ssh-keyscan', '-t', 'ed25519', '-p', String(demo.ssh.port), '127.0.0.1'])
      const file = join(scene.root, 'scanned')
      await writeFile(file, scanned)
      assert.match(await must(['ssh-keygen', '-l', '-f', file]), demo.ssh.hostKeyFingerprint ?? 'no fingerprint')
    },
    LIMIT_MS,
  )

  test(
    'a forwarded agent is reached from inside',
    async () => {
      await using scene = await openAwkward()
      await makeUserKey(scene)
      const socket = join(scene.root, 'agent')
      const agent = startProcess(['ssh-agent', '-D', '-a', socket])
      try {
        await eventually(() => existsSync(socket))
        await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'in the agent', '-f', join(scene.root, 'key')])
        const env = { SSH_AUTH_SOCK: socket }
        await must(['ssh-add', '-q', join(scene.root, 'key')], { env })
        const demo = JSON.parse(await scene.ok(['up', 'demo', '--json'], { env })) as WorkspaceResource
        const listed = await byLine(scene, demo, 'ssh-add -l', env)
        assert.match(listed.stdout, 'in the agent')
        assert.match((await scene.run(['ssh', 'demo', '--', 'ssh-add', '-l'], { env })).stdout, 'in the agent')
        // the key of the agent is let in too
        const config = await writeSshConfig(scene, ['IdentityFile none'])
        const opened = await runProcess(['ssh', '-F', config, '-p', String(demo.ssh.port), 'nexus@localhost', 'true'], {
          env,
        })
        assert.is(opened.code, 0, opened.stderr)
      } finally {
        agent.child.kill()
        await agent.ended
      }
    },
    LIMIT_MS,
  )

  test(
    'scp and sftp carry files there and back',
    async () => {
      const scene = await shared.get()
      const config = await userConfig(scene)
      const { ssh } = await scene.up('demo')
      const [sent, back] = [join(scene.root, 'sent'), join(scene.root, 'back')]
      await writeFile(sent, Buffer.from(Array.from({ length: 70_000 }, (_, n) => n % 256)))
      const scp = ['scp', '-q', '-F', config, '-P', String(ssh.port)]
      await must([...scp, sent, 'nexus@localhost:/tmp/there'])
      await must([...scp, 'nexus@localhost:/tmp/there', back])
      assert.ok((await readFile(back)).equals(await readFile(sent)))
      const sftp = ['sftp', '-q', '-F', config, '-P', String(ssh.port), '-b', '-', 'nexus@localhost']
      await must(sftp, { input: `put ${sent} /workspace/by-sftp\nget /workspace/by-sftp ${back}2\n` })
      assert.ok((await readFile(`${back}2`)).equals(await readFile(sent)))
      const there = join(scene.repo.path, '.worktree/demo/by-sftp')
      assert.ok((await readFile(there)).equals(await readFile(sent)))
      await rm(there)
    },
    LIMIT_MS,
  )

  test(
    'a port of the inside is forwarded with -L',
    async () => {
      const scene = await shared.get()
      const demo = await scene.up('demo')
      const port = await freePort()
      const argv = await lineArgs(scene, demo)
      const forward = ['-L', `127.0.0.1:${port}:127.0.0.1:7000`, 'echo through | nc -l -N 127.0.0.1 7000']
      const running = startProcess([...argv, ...forward])
      try {
        const got = await eventually(() => readAll(port), { timeoutMs: 20_000, everyMs: 100 })
        assert.is(got, 'through\n')
      } finally {
        running.child.kill()
        await running.ended
      }
    },
    LIMIT_MS,
  )

  test(
    'a commit made on one side is there on the other, and files have one owner',
    async () => {
      const scene = await shared.get()
      const worktree = join(scene.repo.path, '.worktree', 'demo')
      await scene.inside('demo', 'bash', '-c', 'echo inside > in.txt && git add in.txt && git commit -qm "from inside"')
      assert.is(await scene.repo.git('log', '-1', '--format=%s %an', 'nexus/demo'), 'from inside Test')
      assert.is(await readFile(join(worktree, 'in.txt'), 'utf8'), 'inside\n')
      await writeFile(join(worktree, 'out.txt'), 'outside\n')
      await scene.repo.git('-C', worktree, 'add', 'out.txt')
      await scene.repo.git('-C', worktree, 'commit', '--quiet', '--message', 'from outside')
      assert.is(await scene.inside('demo', 'git', 'log', '-1', '--format=%s'), 'from outside\n')
      assert.is(await scene.inside('demo', 'cat', 'out.txt'), 'outside\n')
      assert.is(await scene.inside('demo', 'git', 'status', '--porcelain'), '')

      const owner = await stat(scene.repo.path)
      const made = await stat(join(worktree, 'in.txt'))
      assert.equal([made.uid, made.gid], [owner.uid, owner.gid])
      const ids = (await scene.inside('demo', 'stat', '-c', '%u %g', 'in.txt', 'out.txt')).trim().split('\n')
      assert.equal(ids, Array(2).fill(`${owner.uid} ${owner.gid}`))
      assert.is(await scene.repo.git('status', '--porcelain'), '', 'the main worktree is clean')
    },
    LIMIT_MS,
  )

  test(
    'a second workspace stands beside the first',
    async () => {
      const scene = await shared.get()
      const other = await scene.up('other', '--from', 'main', '--port', 'web=3000')
      const [one, two] = await scene.list()
      assert.equal([one?.state, two?.state], ['running', 'running'])
      const hosts = [one, two].flatMap((workspace) => workspace?.ports.map(({ host }) => host) ?? [])
      assert.is(new Set(hosts).size, 3)
      assert.is(other.ports.find(({ name }) => name === 'web')?.container, 3000)
      await scene.inside('demo', 'touch', 'only-here')
      assert.not(existsSync(join(scene.repo.path, '.worktree', 'other', 'only-here')))
      const server = scene.start(['exec', 'other', '--', 'bash', '-c', 'echo served | nc -l -N 0.0.0.0 3000'])
      const web = other.ports.find(({ name }) => name === 'web')?.host ?? 0
      assert.is(await eventually(() => readAll(web), { timeoutMs: 20_000, everyMs: 100 }), 'served\n')
      await server.ended
    },
    LIMIT_MS,
  )

  test('what these workspaces were made of goes with them', shared.close, LIMIT_MS)

  test(
    'a session has the environment of the container; sudo and UTF-8 work',
    async () => {
      const values = {
        QUOTES: `it's "so"`,
        DOLLAR: '$HOME ${x} `id`',
        BACK: 'a\\b\\',
        LINES: 'one\ntwo\n',
        GERMAN: 'größe',
      }
      const args = Object.entries({ ...values, EMPTY: '' }).flatMap(([key, value]) => ['--env', `${key}=${value}`])
      await using scene = await openDemo({ folder: FOLDER, args })
      await makeUserKey(scene)
      const demo = await scene.up('demo')
      await scene.ok(['restart', 'demo']) // authorised keys are read at start
      const main = parseEnvironment(await scene.inside('demo', 'sudo', 'cat', '/proc/1/environ'))
      for (const [key, value] of Object.entries(values)) assert.ok(main.includes(`${key}=${value}`), key)
      for (const [way, command] of [
        ['plain', 'env -0'],
        ['login shell', `bash -lc 'env -0'`],
      ] as const) {
        const session = parseEnvironment((await byLine(scene, demo, command)).stdout)
        assert.equal(session, main, way)
      }
      assert.equal(parseEnvironment(await scene.inside('demo', 'env', '-0')).filter(foreign), main.filter(foreign))
      assert.is(await scene.inside('demo', 'sudo', '-n', 'id', '-u'), '0\n')
      assert.is((await byLine(scene, demo, 'locale charmap')).stdout, 'UTF-8\n')
      assert.is((await byLine(scene, demo, `printf 'ü' | wc -m`)).stdout, '1\n')
    },
    LIMIT_MS,
  )

  test(
    'stop, start, pause and resume keep ports, host key and files',
    async () => {
      await using scene = await openDemo({ folder: FOLDER })
      const [before] = await scene.list()
      await scene.inside('demo', 'touch', 'kept', '/home/nexus/kept')
      const state = async () => (await scene.list())[0]?.state
      await scene.ok(['stop', 'demo'])
      assert.is(await state(), 'stopped')
      assert.match(await scene.ok(['stop', 'demo']), 'already stopped')
      await scene.ok(['start', 'demo'])
      assert.match(await scene.ok(['start', 'demo']), 'already running')
      await scene.inside('demo', 'ls', 'kept', '/home/nexus/kept')
      await scene.ok(['pause', 'demo'])
      assert.is(await state(), 'paused')
      await scene.refused(['exec', 'demo', '--', 'true'], 125, 'WORKSPACE_NOT_RUNNING')
      await scene.ok(['resume', 'demo'])
      await scene.inside('demo', 'true')
      await scene.ok(['pause', 'demo'])
      await scene.ok(['stop', 'demo'])
      await scene.up('demo')
      const [after] = await scene.list()
      assert.equal(after, before)
    },
    LIMIT_MS,
  )

  test(
    'delete leaves nothing, keeps a branch with commits of its own, and refuses to lose changes',
    async () => {
      await using scene = await openScene({ folder: FOLDER })
      const before = await scene.made()
      await scene.up('demo')
      await scene.ok(['delete', 'demo'])
      assert.equal(await scene.made(), before)

      await scene.up('demo')
      await scene.inside('demo', 'git', 'commit', '-q', '--allow-empty', '-m', 'precious')
      assert.match(await scene.ok(['delete', 'demo']), /branch nexus\/demo is kept: it has 1 commit found nowhere else/)
      assert.is(await scene.repo.git('log', '-1', '--format=%s', 'nexus/demo'), 'precious')

      await scene.up('demo')
      assert.is(await scene.inside('demo', 'git', 'log', '-1', '--format=%s'), 'precious\n')
      await scene.inside('demo', 'bash', '-c', 'echo more >> README.md; touch "new file"')
      const { details } = await scene.refused(['delete', 'demo'], 4, 'WORKSPACE_DIRTY')
      assert.match(JSON.stringify(details), /README\.md.*new file/)
      assert.is((await scene.list())[0]?.state, 'running')
      await scene.ok(['delete', 'demo', '--force', '--delete-branch'])
      assert.equal(await scene.made(), before)
    },
    LIMIT_MS,
  )
})

function openAwkward(options: SceneOptions = {}): Promise<Scene> {
  return openScene({ folder: FOLDER, ...options })
}

/** ~/.ssh/id_ed25519 of the scene's home. ssh itself looks into the home of the passwd file, so a config names it. */
async function makeUserKey(scene: Scene): Promise<string> {
  const folder = join(scene.home, '.ssh')
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o700)
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'user', '-f', join(folder, 'id_ed25519')])
  return userConfig(scene)
}

function userConfig(scene: Scene): Promise<string> {
  return writeSshConfig(scene, [`IdentityFile "${scene.home}/.ssh/id_ed25519"`])
}

async function writeSshConfig(scene: Scene, lines: readonly string[]): Promise<string> {
  const path = join(scene.root, `ssh-config-${lines.length}-${lines[0]?.length}`)
  const known = `UserKnownHostsFile "${join(scene.root, 'known_hosts')}"`
  await writeFile(path, [...lines, known, 'StrictHostKeyChecking accept-new', 'LogLevel ERROR', ''].join('\n'))
  return path
}

/** The printed line, word by word, with the scene's ssh configuration. */
async function lineArgs(scene: Scene, demo: WorkspaceResource): Promise<readonly string[]> {
  const [program = '', ...words] = demo.ssh.connectionCommand?.split(' ') ?? []
  const config = await userConfig(scene)
  return [program, '-F', config, ...words]
}

async function byLine(scene: Scene, demo: WorkspaceResource, command: string, env = {}) {
  const result = await runProcess([...(await lineArgs(scene, demo)), command], { env })
  assert.is(result.code, 0, result.stderr)
  return result
}

function parseEnvironment(text: string): readonly string[] {
  return text
    .split('\0')
    .filter((pair) => pair !== '' && !OWN.test(pair))
    .sort()
}

function foreign(pair: string): boolean {
  return !pair.startsWith('NEXUS_WS_EXEC=')
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

/** All that a port says; false while it says nothing. */
function readAll(port: number): Promise<string | false> {
  return new Promise((done) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    socket.once('error', () => done(false))
    socket.once('close', () => done(text !== '' && text))
  })
}
