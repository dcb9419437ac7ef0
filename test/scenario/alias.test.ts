/**
 * `ssh <name>.nexus` as users and their tools call it: whatever goes over ssh goes over the alias, and a workspace that does not run
 * is started by the connection, for whom and as often as the rules say. One workspace for all of it.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { quoteWord } from '../../lib/core/shell.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { type ProcessOptions, runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { identify, must, openDemo, openRepo, type Scene, startProcess } from './scene.ts'

const MEGABYTES = 200

suite('the alias', (test) => {
  test('carries what ssh carries, and starts what does not run', async () => {
    await using scene = await openDemo()
    const access = await openAccess(scene)
    await carries(scene, access)
    await verifies(access)
    await starts(scene, access)
    await backsOff(scene, access)
    await survives(scene, access)
  }, 180_000)
})

type Access = Awaited<ReturnType<typeof openAccess>>

/** ssh and its friends with the generated configuration alone. */
async function openAccess(scene: Scene) {
  const nexusHome = join(scene.home, '.nexus')
  const config = join(nexusHome, 'ssh', 'config')
  const [one] = await scene.list()
  const id = one?.id ?? ''
  const recordFile = join(nexusHome, 'workspaces', id, 'workspace.json')
  const env = { HOME: scene.home, SSH_AUTH_SOCK: undefined }
  const run = (argv: readonly string[], options: ProcessOptions = {}) =>
    runProcess(argv, { cwd: scene.root, timeoutMs: 30_000, ...options, env: { ...env, ...options.env } })
  const record = async () => JSON.parse(await readFile(recordFile, 'utf8')) as WorkspaceRecord
  return {
    config,
    id,
    run,
    record,
    knownHosts: join(nexusHome, 'workspaces', id, 'ssh', 'known_hosts'),
    starts: join(nexusHome, 'run', 'activity', `${id}.starts`),
    ssh: (args: readonly string[], options?: ProcessOptions) => run(['ssh', '-F', config, ...args], options),
    /** With a terminal that somebody sits at. */
    atTerminal: (...command: string[]) =>
      run(['script', '-qec', ['ssh', '-F', config, 'demo.nexus', ...command].map(quoteWord).join(' '), '/dev/null']),
    /** A connection that stays until it is cut. */
    hold: () =>
      startProcess(['ssh', '-F', config, 'demo.nexus', 'echo in; sleep 600'], { env: { ...process.env, ...env } }),
    change: async (some: Partial<WorkspaceRecord>) =>
      writeFile(recordFile, `${JSON.stringify({ ...(await record()), ...some })}\n`),
  }
}

async function carries(scene: Scene, access: Access): Promise<void> {
  const { config, run, ssh } = access
  assert.equal(await ssh(['demo.nexus', 'echo out; echo err >&2; exit 7']), {
    code: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  })
  assert.is((await ssh(['demo.repo.nexus', 'pwd; cat'], { input: 'x'.repeat(100_000) })).stdout.length, 100_000 + 12)
  const here = join(scene.root, 'here')
  await mkdir(here)
  const text = 'a file\n'.repeat(1000)
  await writeFile(join(here, 'a b'), text)
  const far = '/tmp/far'
  const done = async (argv: readonly string[], options?: ProcessOptions) => {
    const { code, stderr } = await run(argv, { cwd: here, ...options })
    assert.is(code, 0, `${argv.join(' ')}\n${stderr}`)
  }
  await done(['scp', '-q', '-F', config, 'a b', `demo.nexus:${far}`])
  await done(['sftp', '-q', '-F', config, '-b', '-', 'demo.nexus'], { input: `get ${far} by-sftp\n` })
  assert.is(await readFile(join(here, 'by-sftp'), 'utf8'), text)
  const rsync = await borrowRsync(scene)
  await done([...rsync, '-a', '-e', `ssh -F ${quoteWord(config)}`, 'demo.nexus:/tmp/far', 'by-rsync'])
  assert.is(await readFile(join(here, 'by-rsync'), 'utf8'), text)

  const git = { env: { GIT_SSH_COMMAND: `ssh -F ${quoteWord(config)}`, GIT_CONFIG_GLOBAL: '/dev/null' } }
  const url = `ssh://demo.nexus${scene.repo.path}/.worktree/demo`
  await done(['git', 'clone', '--quiet', url, 'clone'], git)
  await scene.inside('demo', 'git', 'commit', '--quiet', '--allow-empty', '--message', 'inside')
  await done(['git', '-C', 'clone', 'fetch', '--quiet'], git)
  const clone = openRepo(join(here, 'clone'))
  await identify(clone)
  assert.is(await clone.git('log', '-1', '--format=%s', 'origin/HEAD'), 'inside')

  // both ways at once, hashed on the other side
  const sent = createHash('sha256')
    .update(Buffer.alloc(MEGABYTES * 1024 * 1024))
    .digest('hex')
  const pump = `head -c ${MEGABYTES}M /dev/zero | ssh -F ${quoteWord(config)} demo.nexus 'tee >(sha256sum >&2)' | sha256sum`
  const pumped = await run(['bash', '-c', pump])
  assert.ok(pumped.stdout.startsWith(sent) && pumped.stderr.startsWith(sent), pumped.stdout + pumped.stderr)

  await shares(scene, access)
}

/** Connections of the user's own ControlMaster: none is taken for another workspace's, whatever path the user has for them. */
async function shares(scene: Scene, { config, run, ssh, id, record }: Access): Promise<void> {
  const runFolder = join(scene.home, '.nexus', 'run')
  const port = (await record()).ports.find(({ name }) => name === 'ssh')?.host
  const user = join(scene.root, 'user config')
  const byHost = join(scene.root, 'm-127.0.0.1')
  const path = join(scene.root, 'm-%h')
  const text = `Include ${config}\nHost *\n  ControlMaster auto\n  ControlPersist 60\n  ControlPath ${path}\n`
  await writeFile(user, text, { mode: 0o600 })
  for (const [words, name] of [
    [['demo.nexus'], `${id}.nexus.mux`],
    [['-p', `${port}`, 'nexus@localhost'], `localhost-${port}.mux`],
  ] as const) {
    const socket = join(runFolder, name)
    for (const code of [0, 3]) assert.is((await run(['ssh', '-F', user, '-n', ...words, `exit ${code}`])).code, code)
    assert.equal([existsSync(socket), existsSync(byHost)], [true, false], name)
    await run(['ssh', '-F', user, '-O', 'exit', ...words])
    await eventually(() => !existsSync(socket))
  }
  const socket = join(scene.root, 'm')
  const master = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${socket}`, '-o', 'ControlPersist=60']
  assert.is((await ssh([...master, '-n', '-f', 'demo.nexus', 'true'])).code, 0)
  assert.is((await ssh([...master, 'demo.nexus', 'exit 3'])).code, 3)
  assert.ok(existsSync(socket))
  await ssh([...master, '-O', 'exit', 'demo.nexus'])
  await eventually(() => !existsSync(socket))
}

/** The one of the workspace, with its libraries: this machine need not have it. */
async function borrowRsync(scene: Scene): Promise<readonly string[]> {
  const into = join(scene.root, 'rsync')
  await mkdir(into)
  const script = 'tar chf - /usr/bin/rsync $(ldd /usr/bin/rsync | grep -o "/[^ ]*") 2>/dev/null | base64 -w0'
  await writeFile(join(into, 'tar'), Buffer.from(await scene.inside('demo', 'sh', '-c', script), 'base64'))
  await must(['tar', 'xf', join(into, 'tar'), '-C', into])
  const found = await must(['find', into, '-name', 'ld-linux*', '-o', '-name', 'libc.so.6'])
  const [loader = '', library = ''] = ['ld-linux', 'libc.so'].map(
    (name) => found.split('\n').find((path) => path.includes(name)) ?? '',
  )
  return [loader, '--library-path', join(library, '..'), join(into, 'usr', 'bin', 'rsync')]
}

async function verifies({ ssh, knownHosts }: Access): Promise<void> {
  const right = await readFile(knownHosts, 'utf8')
  try {
    await writeFile(knownHosts, right.replace(/AAAAC3NzaC1lZDI1NTE5AAAAI\S{6}/g, 'AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAA'))
    const { code, stderr, stdout } = await ssh(['demo.nexus', 'echo in'])
    assert.equal([code, stdout], [255, ''])
    assert.match(stderr, /Host key verification failed/)
  } finally {
    await writeFile(knownHosts, right)
  }
}

async function starts(scene: Scene, access: Access): Promise<void> {
  const { ssh, record, change, atTerminal } = access
  await scene.ok(['pause', 'demo'])
  const paused = await ssh(['demo.nexus', 'echo in'])
  assert.equal([paused.code, paused.stdout], [0, 'in\n'], paused.stderr)
  assert.match(paused.stderr, /^nexus: \+ resume demo/)

  await scene.ok(['stop', 'demo'])
  assert.is((await record()).stopped?.by, 'user')
  const refused = await ssh(['demo.nexus', 'echo in'])
  assert.equal([refused.code, refused.stdout], [255, ''])
  assert.match(refused.stderr, /stopped by hand \d+ s ago.*\nnexus: {3}To start it, run `nexus start repo\/demo`/)
  const off = await access.run(['script', '-qec', `ssh -F ${quoteWord(access.config)} demo.nexus true`, '/dev/null'], {
    env: { NEXUS_SSH_WAKE: 'false' },
  })
  assert.match(off.stdout, /does not run, and `ssh\.wake` is off/)
  await scene.refused(['ssh', '--no-wake', 'demo', '--', 'true'], 125, 'WORKSPACE_NOT_RUNNING')
  assert.is((await record()).desired, 'stopped')

  const person = await atTerminal('echo', 'in')
  assert.equal([person.code, person.stdout.includes('in\r\n')], [0, true], person.stdout)
  assert.match(person.stdout, /nexus: \+ start demo/)
  await settled(access)
  assert.is((await record()).stopped, undefined)

  // ten minutes later, two at once, while somebody else has its port
  await scene.ok(['stop', 'demo'])
  await change({ stopped: { at: new Date(Date.now() - 11 * 60_000).toISOString(), by: 'user' } })
  const [port] = (await record()).ports
  const thief = await steal(port?.host ?? 0)
  try {
    const both = await Promise.all([ssh(['demo.nexus', 'echo in']), ssh(['demo.repo.nexus', 'echo in'])])
    for (const { code, stdout, stderr } of both) assert.equal([code, stdout], [0, 'in\n'], stderr)
    assert.is(both.filter(({ stderr }) => stderr.includes('+ start demo')).length, 1)
  } finally {
    thief.close()
  }
  await settled(access)
  assert.is.not((await record()).ports[0]?.host, port?.host)
  assert.not(existsSync(access.starts), 'whoever ends in order has used it')
  await scene.ok(['stop', 'demo'])
  // half of Nexus's own key, which the other half tells
  await rm(join(scene.home, '.nexus', 'ssh', 'id_ed25519.pub'))
  assert.is(await scene.ok(['ssh', 'demo', '--', 'echo', 'in']), 'in\n')
}

async function backsOff(scene: Scene, access: Access): Promise<void> {
  // twice before, as far as anybody knows
  await writeFile(access.starts, '2\n')
  await stopForIdle(scene, access)
  // an editor that asks again and again while the engine is down
  const down = await access.ssh(['demo.nexus', 'true'], { env: { DOCKER_HOST: 'unix:///nowhere' } })
  assert.match(down.stderr, /nexus: error: The Docker engine does not answer/)
  assert.is(await readFile(access.starts, 'utf8'), '2\n', 'what could not begin is no start')
  const hanging = access.hold()
  await eventually(async () => (await access.record()).desired === 'running' && hanging.child.exitCode === null, {
    timeoutMs: 20_000,
  })
  await settled(access)
  assert.is(await readFile(access.starts, 'utf8'), '3\n')
  await stopForIdle(scene, access)
  assert.is((await hanging.ended).code, 255, 'it sees the end at once')
  assert.is(await readFile(access.starts, 'utf8'), '3\n', 'being cut off is no use')
  const refused = await access.ssh(['demo.nexus', 'true'])
  assert.is(refused.code, 255)
  assert.match(
    refused.stderr,
    /was started 3 times .* did not use it.*\nnexus: {3}To start it, run `nexus start repo\/demo`/,
  )
  await scene.ok(['start', 'demo'])
  assert.not(existsSync(access.starts))
}

/** A client that goes away in the middle of a start, and a workspace that goes away under a client. */
async function survives(scene: Scene, access: Access): Promise<void> {
  await stopForIdle(scene, access)
  const impatient = access.hold()
  await eventually(() => impatient.stderr().includes('+ start demo'), { timeoutMs: 10_000 })
  impatient.child.kill('SIGKILL')
  await impatient.ended
  await settled(access)
  assert.is((await access.record()).desired, 'running', 'the start went on without it')
  assert.is((await access.ssh(['demo.nexus', 'true'])).code, 0)
  const { config } = access
  const block = await readFile(join(scene.home, '.nexus', 'workspaces', access.id, 'ssh_config'), 'utf8')
  // what a shared connection leaves that was killed
  const stale = join(scene.home, '.nexus', 'run', `${access.id}.nexus.mux`)
  await writeFile(stale, '')
  await scene.ok(['delete', 'demo', '--force', '--delete-branch'])
  assert.not(existsSync(stale))
  const old = join(scene.root, 'old')
  await writeFile(old, block)
  const gone = await access.run(['ssh', '-F', old, '-o', 'StrictHostKeyChecking=no', 'demo.nexus', 'true'])
  assert.is(gone.code, 255)
  assert.match(gone.stderr, /There is no workspace ws-\w+ any more\.\nnexus: {3}To .*`nexus list --all`/)
  assert.ok(existsSync(config))
  await rm(old)
}

async function stopForIdle(scene: Scene, { change, record }: Access): Promise<void> {
  await scene.ok(['stop', 'demo'])
  await change({ stopped: { at: (await record()).stopped?.at ?? '', by: 'idle' } })
}

/** Whoever starts it has finished: the client need not have waited for that. */
async function settled({ record }: Access): Promise<void> {
  await eventually(
    async () => {
      const { operation, desired } = await record()
      return operation === null && desired === 'running'
    },
    { timeoutMs: 30_000 },
  )
}

/** Somebody who listens there and says nothing. */
function steal(port: number): Promise<Server> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => socket.on('error', () => {}))
    server.once('error', fail)
    server.listen(port, '127.0.0.1', () => done(server))
  })
}
