/**
 * The API as its users meet it: `nexus serve` and curl, over the unix socket and over TCP, beside the command line, on the
 * real engine. A server that is killed loses nothing; a workspace cannot reach it.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkspaceRecord, WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { openExec } from '../support/exec-client.ts'
import { runProcess } from '../support/process.ts'
import { requireProgram } from '../support/programs.ts'
import { assert, suite } from '../support/suite.ts'
import { openScene, type Running, type Scene } from './scene.ts'

const LIMIT_MS = 120_000
const JSON_TYPE = ['-H', 'Content-Type: application/json']

interface Reply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what is asserted of it is the test
  readonly json: any
}

/** curl as a user types it, with how to get there put before. */
async function curl(where: readonly string[], ...args: string[]): Promise<Reply> {
  const argv = ['curl', '--silent', '--show-error', '--write-out', '\n%{http_code}', ...where, ...args]
  const { code, stdout, stderr } = await runProcess(argv, { timeoutMs: 60_000 })
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}\n${stderr}`)
  const cut = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(cut + 1)), json: JSON.parse(stdout.slice(0, cut)) }
}

interface Served extends AsyncDisposable {
  readonly server: Running
  readonly port: string
}

async function serve(scene: Scene): Promise<Served> {
  const server = scene.start(['serve', '--port', '0'])
  const said = () => /http:\/\/127\.0\.0\.1:(\d+)/.exec(server.stderr())?.[1]
  await eventually(() => said() !== undefined, { timeoutMs: 10_000 })
  const end = async () => {
    if (server.child.exitCode === null && server.child.signalCode === null) server.child.kill('SIGKILL')
    await server.ended
    await scene.run(['serve', 'stop'])
  }
  return { server, port: said() ?? '', [Symbol.asyncDispose]: end }
}

async function recordsOf(scene: Scene): Promise<readonly WorkspaceRecord[]> {
  const ids = (await scene.made()).records
  const files = ids.map((id) => join(scene.home, '.nexus', 'workspaces', id, 'workspace.json'))
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
  return texts.filter((text) => text !== '').map((text) => JSON.parse(text) as WorkspaceRecord)
}

suite('the API', (test) => {
  test(
    'curl over the socket and over TCP, beside the command line, until the server is killed',
    async () => {
      await requireProgram('curl')
      await using scene = await openScene()
      await using served = await serve(scene)
      const { server, port } = served
      const socket = join(scene.home, '.nexus', 'run', 'api.sock')
      const unix = ['--unix-socket', socket]
      const url = 'http://localhost/api/v1'
      const token = (await scene.ok(['api', 'token', 'show'])).trim()
      const tcp = ['-H', `Authorization: Bearer ${token}`]
      const there = `http://127.0.0.1:${port}/api/v1`

      // the examples of the PRD
      const body = '{"name": "feature-auth", "backend": "docker", "ports": [3000, 5173]}'
      const made = await curl(unix, '-X', 'POST', `${url}/workspaces`, ...JSON_TYPE, '-d', body)
      assert.is(made.status, 201, JSON.stringify(made.json))
      const { id, ports } = made.json as WorkspaceResource
      assert.equal(ports.map(({ container }) => container).sort(), [22, 3000, 5173])
      const ssh = (await curl(unix, `${url}/workspaces/${id}/ssh`)).json
      const host = ports.find(({ name }) => name === 'ssh')?.host
      assert.equal(
        [ssh.workspaceId, ssh.enabled, ssh.host, ssh.port, ssh.user, ssh.connectionCommand],
        [id, true, 'localhost', host, 'nexus', `ssh -A nexus@localhost -p ${host}`],
      )
      const listed = (await curl(tcp, `${there}/workspaces`)).json.workspaces
      assert.equal([listed.length, listed[0].id, listed[0].state], [1, id, 'running'])
      assert.is((await curl([], `${there}/workspaces`)).status, 401)

      // one state, whoever asks
      const [byCommand] = await scene.list()
      assert.equal([byCommand?.id, byCommand?.state], [id, 'running'])
      const exec = (command: readonly string[]) =>
        curl(unix, `${url}/workspaces/${id}/exec`, ...JSON_TYPE, '-d', JSON.stringify({ command }))
      const inside = await exec(['bash', '-c', 'printf "%s|" "$@"; echo err >&2; exit 7', '_', 'a b', '$HOME'])
      assert.equal([inside.json.exitCode, inside.json.stdout, inside.json.stderr], [7, 'a b|$HOME|', 'err\n'])
      assert.is((await exec(['no-such-program'])).json.exitCode, 127)
      const logged = await curl(unix, `${url}/workspaces/${id}/logs?tail=5`)
      assert.equal([logged.status, typeof logged.json.logs], [200, 'object'])
      assert.is((await curl(unix, `${url}/workspaces/${id}/logs?service=none`)).status, 400)

      // who stops following takes along what followed, though nothing is said meanwhile; HEAD follows nothing
      const open = async () => (await readdir(`/proc/${server.child.pid}/fd`)).length
      const before = await open()
      const followed = `${url}/workspaces/${id}/logs?follow=true`
      for (let n = 0; n < 6; n++) {
        assert.is((await runProcess(['curl', '--silent', '--max-time', '0.3', ...unix, followed])).code, 28)
        assert.is((await runProcess(['curl', '--silent', '--fail', '--head', ...unix, followed])).code, 0)
      }
      await eventually(async () => (await open()) < before + 6)

      // a workspace cannot reach the server that manages it
      const reach =
        'gateway=$(awk \'$2 == "00000000" {print $3}\' /proc/net/route | sed "s/\\(..\\)\\(..\\)\\(..\\)\\(..\\)/0x\\4 0x\\3 0x\\2 0x\\1/"); host=$(printf "%d.%d.%d.%d" $gateway); echo "$host"; (exec 3<>"/dev/tcp/$host/$0") 2>&1'
      const reached = await exec(['bash', '-c', reach, port])
      assert.match(reached.json.stdout, /^\d+\.\d+\.\d+\.\d+\n[\s\S]*Connection refused/, JSON.stringify(reached.json))
      assert.is((await exec(['test', '-e', socket])).json.exitCode, 1)

      // what is cancelled ends inside too
      const long = exec(['bash', '-c', 'exec -a nexus-long-one sleep 300'])
      const sleeps = async () => (await exec(['pgrep', '-fc', '^nexus-long-one'])).json.stdout.trim()
      await eventually(async () => (await sleeps()) === '1', { timeoutMs: 10_000 })
      const operations = (await curl(unix, `${url}/operations`)).json.operations
      const running = operations.find((one: { status: string }) => one.status === 'running')
      assert.is((await curl(unix, '-X', 'DELETE', `${url}/operations/${running.id}`)).json.status, 'cancelled')
      assert.is((await long).status, 503)
      assert.is(await sleeps(), '0')

      // stop, and a client that goes away in the middle of a start
      assert.is((await curl(unix, '-X', 'POST', `${url}/workspaces/${id}/stop`)).json.state, 'stopped')
      const gone = ['curl', '--silent', '--max-time', '0.1', ...unix, '-X', 'POST', `${url}/workspaces/${id}/start`]
      assert.is((await runProcess(gone)).code, 28)
      await eventually(async () => (await scene.list())[0]?.state === 'running', { timeoutMs: 20_000, everyMs: 200 })

      // two creates of one name at once
      const twin = ['-X', 'POST', `${url}/workspaces`, ...JSON_TYPE, '-d', '{"name": "twin", "start": false}']
      const both = await Promise.all([curl(unix, ...twin), curl(unix, ...twin)])
      assert.equal(both.map(({ status }) => status).sort(), [201, 409], JSON.stringify(both))
      const removed = await Promise.all([1, 2].map(() => curl(unix, '-X', 'DELETE', `${url}/workspaces/twin`)))
      assert.ok(
        removed.every(({ status }) => status === 200 || status === 404),
        JSON.stringify(removed),
      )
      assert.is((await curl(unix, '-X', 'DELETE', `${url}/workspaces/twin`)).status, 404)

      // a server that is killed in the middle of a create loses nothing
      const cut = [
        '-H',
        'Prefer: respond-async',
        '-X',
        'POST',
        `${url}/workspaces`,
        ...JSON_TYPE,
        '-d',
        '{"name": "cut"}',
      ]
      // nor does what it runs inside go on, however it was asked for
      const sleeping = ['4801', '4802', '4803'].map((seconds) => ({ command: ['sleep', seconds], workspaces: [id] }))
      const [one, other, all] = sleeping
      const asking = [
        curl(unix, `${url}/workspaces/${id}/exec`, ...JSON_TYPE, '-d', JSON.stringify({ command: one?.command })),
        curl(unix, `${url}/exec`, ...JSON_TYPE, '-d', JSON.stringify(all)),
      ].map((asked) => asked.then(String, String))
      const headers = { Authorization: `Bearer ${token}` }
      openExec(`ws://127.0.0.1:${port}/api/v1/workspaces/${id}/exec`, { command: other?.command ?? [] }, { headers })
      const asleep = async () => (await scene.run(['exec', id, '--', 'pgrep', '-fc', '^sleep 480'])).stdout.trim()
      await eventually(async () => (await asleep()) === '3', { timeoutMs: 10_000 })

      assert.is((await curl(unix, ...cut)).status, 202)
      const atWork = async () =>
        (await recordsOf(scene)).some(({ name, operation }) => name === 'cut' && operation !== null)
      await eventually(atWork, { timeoutMs: 10_000 })
      server.child.kill('SIGKILL')
      await server.ended
      await eventually(async () => assert.is(await asleep(), '0'), { timeoutMs: 10_000 })
      await Promise.all(asking)
      const clients = await runProcess(['pgrep', '-fa', '^ssh .*sleep.*480[1-3]'])
      assert.is(clients.stdout, '')
      const after = (await scene.list()).find(({ name }) => name === 'cut')
      assert.match(after?.reason ?? '', /create was interrupted/)
      assert.is((await scene.up('cut')).state, 'running')

      // the next client starts another server, which replaces the socket of the killed one
      assert.ok(existsSync(socket))
      const asked = JSON.parse(await scene.ok(['api', '/workspaces', '--json'])) as { workspaces: WorkspaceResource[] }
      assert.equal(asked.workspaces.map(({ name, state }) => `${name} ${state}`).sort(), [
        'cut running',
        'feature-auth running',
      ])

      // what follows a workspace ends with it
      const saved = join(scene.root, 'followed')
      const lines = ['curl', '--silent', '--no-buffer', '--max-time', '30', '--output', saved, ...unix]
      const following = runProcess([...lines, `${url}/workspaces/cut/logs?follow=true`])
      await eventually(async () => (await readFile(saved, 'utf8').catch(() => '')) !== '')
      assert.is((await curl(unix, '-X', 'DELETE', `${url}/workspaces/cut`)).status, 200)
      assert.is((await following).code, 0)

      // what goes on is told as it comes, and Ctrl-C is no fault
      const events = scene.start(['api', '/events'])
      await eventually(() => events.stdout().includes('id: '))
      events.child.kill('SIGINT')
      const { code, stderr } = await events.ended
      assert.is(code, 130, stderr)
      assert.not.match(stderr, /Internal|undone/)

      await scene.refused(['serve'], 4, 'WORKSPACE_BUSY')
      await scene.refused(['api', '/workspaces/none'], 3, 'WORKSPACE_NOT_FOUND')

      // a server that is stopped is not waited for without a word, and can be ended
      const { server: stopped } = JSON.parse(await scene.ok(['serve', 'status', '--json']))
      process.kill(stopped.pid, 'SIGSTOP')
      const waiting = scene.start(['api', '/workspaces'])
      await eventually(() => waiting.stderr().includes(`(process ${stopped.pid}) does not answer`), {
        timeoutMs: 10_000,
      })
      await scene.ok(['serve', 'stop'])
      assert.is((await waiting.ended).code, 0, waiting.stderr()) // by a server that it started

      // one that nobody finds any more ends
      const serving = async () => JSON.parse(await scene.ok(['serve', 'status', '--json'])).server
      assert.not.equal(await serving(), null)
      await rm(socket)
      await eventually(async () => (await serving()) === null, { timeoutMs: 10_000, everyMs: 200 })
      assert.not.ok(existsSync(socket))
    },
    LIMIT_MS,
  )
})
