/**
 * Commands inside over a WebSocket: the streams arrive whole and apart, a terminal has the size it is given, nobody's memory fills, and
 * who goes away leaves no command behind.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createUpgrade } from '../../lib/api/entrance/upgrade.ts'
import { errorBody, NexusError } from '../../lib/core/errors.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { homePaths, workspacePaths } from '../../lib/core/paths.ts'
import { masterArgs } from '../../lib/tools/ssh.ts'
import { requireWorkspace } from '../../lib/workspace/names/find.ts'
import { openApp } from '../../lib/workspace/open-app.ts'
import { openDemo, type Scene } from '../scenario/scene.ts'
import { eventually } from '../support/eventually.ts'
import { type ExecOptions, type ExecStart, openExec } from '../support/exec-client.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'

const MEGABYTE = 1024 * 1024

async function serve(scene: Scene) {
  const env = { ...process.env, HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') }
  const app = openApp({ cwd: scene.repo.path, env, emit: () => {}, interruption: createInterruption() })
  const upgrade = createUpgrade({
    find: async (name) => ({ app, record: await requireWorkspace(app, name) }),
    refusalOf: (error) => {
      if (!(error instanceof NexusError)) throw error
      return { status: error.code === 'WORKSPACE_NOT_FOUND' ? 404 : 400, headers: {}, body: errorBody(error) }
    },
  })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => void upgrade.handle(request, socket, head))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const base = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/workspaces`
  return {
    exec: (start: ExecStart | undefined, options?: ExecOptions) => openExec(`${base}/demo/exec`, start, options),
    to: (name: string) => openExec(`${base}/${name}/exec`, { command: ['true'] }),
    record: () => requireWorkspace(app, 'demo'),
    app,
    [Symbol.asyncDispose]: async () => {
      await upgrade.close()
      await new Promise((done) => server.close(done))
    },
  }
}

type Served = Awaited<ReturnType<typeof serve>>

async function run(served: Served, command: readonly string[], more: Readonly<Record<string, unknown>> = {}) {
  const client = served.exec({ command, ...more })
  const end = await client.ended
  return { end, stdout: client.stdout(), stderr: client.stderr() }
}

async function isThere(scene: Scene, seconds: number): Promise<boolean> {
  return (await scene.run(['exec', 'demo', '--', 'pgrep', '-fx', `sleep ${seconds}`])).code === 0
}

suite('exec over WebSocket', (test) => {
  test('streams, terminal, signals, memory, clients who go', async () => {
    await using scene = await openDemo()
    await using served = await serve(scene)
    await checkStreams(scene, served)
    await checkTerminal(served)
    await checkGone(scene, served)
    await checkMemory(served)
    await checkOverhead(scene, served)
    await checkMany(served)
    await checkRefusals(scene, served)
  }, 90_000)
})

async function checkStreams(scene: Scene, served: Served): Promise<void> {
  const words = ['', 'two words', "it's", '$HOME', 'new\nline', '-n', 'größe 🎉']
  const got = await run(served, ['printf', '%s\\0', ...words])
  assert.equal(got.stdout.split('\0').slice(0, -1), words)
  const apart = await run(served, ['sh', '-c', 'printf out; printf err >&2; exit 3'])
  assert.equal(apart, { end: { type: 'exit', code: 3 }, stdout: 'out', stderr: 'err' })
  const placed = await run(served, ['sh', '-c', 'pwd; echo "$ONE"'], { cwd: '/usr/lib', env: { ONE: `a 'b' "c"\n$d` } })
  assert.is(placed.stdout, `/usr/lib\na 'b' "c"\n$d\n`)
  assert.is((await run(served, ['pwd'])).stdout, `${scene.repo.path}/.worktree/demo\n`)
  assert.is((await run(served, ['no-such-program'])).end?.code, 127)
  const bytes = randomBytes(8 * MEGABYTE)
  const client = served.exec({ command: ['sh', '-c', 'tee /dev/stderr | sha256sum'] }, { forget: false })
  await client.started
  for (let at = 0; at < bytes.length; at += 100_000) await client.write(bytes.subarray(at, at + 100_000))
  client.say({ type: 'stdin-end' })
  assert.equal(await client.ended, { type: 'exit', code: 0 })
  assert.is(client.stdout().split(' ')[0], createHash('sha256').update(bytes).digest('hex'))
  assert.is(client.received(), bytes.length + client.stdout().length)
}

async function checkTerminal(served: Served): Promise<void> {
  const script = `stty size; trap 'stty size; exit 5' WINCH; tty; while :; do sleep 0.05; done`
  const client = served.exec({ command: ['bash', '-c', script], tty: true, columns: 97, rows: 31 })
  await eventually(() => assert.match(client.stdout(), /^31 97\r\n\/dev\/pts\/\d+\r\n/))
  client.say({ type: 'resize', columns: 132, rows: 43 })
  assert.equal(await client.ended, { type: 'exit', code: 5 })
  assert.match(client.stdout(), /\n43 132\r\n$/)
  const cat = served.exec({ command: ['cat'], tty: true })
  await cat.started
  await cat.write('~.\n') // to ssh at a terminal this would mean: end the connection
  await eventually(() => cat.stdout().includes('~.\r\n~.\r\n'))
  await cat.write('\u0003')
  assert.is((await cat.ended)?.code, 130)
  const slow = served.exec({ command: ['bash', '-c', 'trap "exit 42" USR1; echo on; while :; do sleep 0.05; done'] })
  await eventually(() => slow.stdout() === 'on\n')
  slow.say({ type: 'signal', signal: 'SIGUSR1' })
  assert.is((await slow.ended)?.code, 42)
}

async function checkGone(scene: Scene, served: Served): Promise<void> {
  const quiet = served.exec({ command: ['sleep', '4711'] })
  // its input is not read, so that the connection is not read either
  const stuck = served.exec({ command: ['bash', '-c', 'sleep 4712'] })
  const deaf = served.exec({ command: ['bash', '-c', 'trap "" HUP TERM; sleep 4713'] })
  for (const client of [quiet, stuck, deaf]) await client.started
  for (const seconds of [4711, 4712, 4713]) await eventually(() => isThere(scene, seconds), { timeoutMs: 10_000 })
  for (let n = 0; n < 64; n++) stuck.write(Buffer.alloc(100_000)).catch(() => undefined) // it is ended meanwhile

  quiet.socket.close()
  deaf.socket.terminate()
  stuck.socket.terminate()
  for (const seconds of [4711, 4712, 4713])
    await eventually(async () => !(await isThere(scene, seconds)), { timeoutMs: 15_000, everyMs: 100 })
}

async function checkMemory(served: Served): Promise<void> {
  const size = 200 * MEGABYTE
  const before = process.memoryUsage().rss
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 20)
  const client = served.exec({ command: ['head', '-c', String(size), '/dev/zero'] }, { forget: true })
  // a client that does not read for a while: what comes meanwhile waits inside, not here
  await client.started
  client.socket.pause()
  await eventually(() => process.memoryUsage().rss > 0 && client.received() >= 0)
  client.socket.resume()
  assert.equal(await client.ended, { type: 'exit', code: 0 })
  assert.is(client.received(), size)
  clearInterval(watch)
  const grown = Math.round((most - before) / MEGABYTE)
  assert.ok(grown < 80, `200 MB went through and memory grew by ${grown} MB`)
}

/** Beside the same over ssh and the same open connection, one after the other in turn. */
async function checkOverhead(scene: Scene, served: Served): Promise<void> {
  const { id, ports } = await served.record()
  const home = homePaths(join(scene.home, '.nexus'))
  const destination = {
    ...{ host: '127.0.0.1', user: 'nexus', identityFile: home.sshKey, hostKeyAlias: `nexus-${id}` },
    port: ports.find(({ name }) => name === 'ssh')?.host ?? 0,
    knownHosts: workspacePaths(home, id).knownHosts,
    controlPath: join(home.run, `${id}.ssh`),
  }
  const ssh = ['ssh', ...masterArgs(destination), '-T', '--', destination.host, 'cd / && true']
  const more: number[] = []
  for (let n = 0; n < 21; n++) {
    const began = performance.now()
    assert.is((await runProcess(ssh)).code, 0)
    const between = performance.now()
    assert.is((await run(served, ['true'])).end?.code, 0)
    more.push(performance.now() - between - (between - began))
  }
  const median = more.sort((a, b) => a - b)[10] ?? Number.NaN
  assert.ok(median <= 30, `${median.toFixed(1)} ms more than over ssh`)
}

/** All that may run at once, in one workspace: a failure of ssh's own would be told as the command's code. */
async function checkMany(served: Served): Promise<void> {
  const clients = Array.from({ length: 200 }, (_, n) =>
    served.exec({ command: ['sh', '-c', `read x; exit ${n % 100}`] }),
  )
  await Promise.all(clients.map(({ started }) => started))
  assert.match(await served.to('demo').ended.then(String, String), /400|503/)
  for (const { write } of clients) await write('go\n')
  const codes = await Promise.all(clients.map(async ({ ended }) => (await ended)?.code))
  assert.equal(
    codes,
    clients.map((_, n) => n % 100),
  )
}

async function checkRefusals(scene: Scene, served: Served): Promise<void> {
  const raw = served.exec(undefined)
  await new Promise((done) => raw.socket.once('open', done))
  raw.socket.send('{"type":"start","command":[]}')
  assert.is((await raw.ended)?.error?.code, 'INVALID_ARGUMENT')
  for (const start of [{ command: ['a'], cwd: 'relative' }, { command: ['a\0b'] }, { command: ['a'], shell: true }]) {
    assert.is((await served.exec(start).ended)?.error?.code, 'INVALID_ARGUMENT', JSON.stringify(start))
  }
  const odd = served.exec({ command: ['sleep', '4714'] })
  await odd.started
  odd.say({ type: 'resize', columns: -1, rows: 0 })
  assert.is((await odd.ended)?.error?.code, 'INVALID_ARGUMENT')
  await eventually(async () => !(await isThere(scene, 4714)))
  const unknown = await served.to('no-such').ended.then(String, String)
  assert.match(unknown, /404/)
  await scene.ok(['stop', 'demo'])
  assert.is((await served.exec({ command: ['true'] }).ended)?.error?.code, 'WORKSPACE_NOT_RUNNING')
}
