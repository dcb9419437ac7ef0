/** A server on the mock backend with a hundred workspaces, and load on it: what it costs in time, memory and descriptors. */
import { readdir, readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { homePaths } from '../../lib/core/paths.ts'
import { createRecords } from '../../lib/workspace/records.ts'
import { startProcess } from '../scenario/scene.ts'
import { makeRecord } from './app.ts'
import { eventually } from './eventually.ts'
import { tempDir, tempRepo } from './temp.ts'

/** Of the clock in `/proc/<pid>/stat`, the same on every Linux. */
const TICK_MS = 10

export interface LoadServer extends AsyncDisposable {
  readonly port: number
  readonly token: string
  readonly pid: number
  /** What it has now, and the time that it has worked, however much else the machine had to do. */
  resources(): Promise<{ readonly rssMb: number; readonly descriptors: number; readonly workedMs: number }>
}

export async function openLoadServer(workspaces: number): Promise<LoadServer> {
  const home = await tempDir()
  const repo = await tempRepo()
  const nexusHome = join(home.path, '.nexus')
  const records = createRecords(homePaths(nexusHome), () => {})
  for (let n = 0; n < workspaces; n++) await records.save(makeRecord(`load-${n}`, repo.path))
  const env = { ...process.env, HOME: home.path, NEXUS_HOME: nexusHome, NEXUS_BACKEND: 'mock' }
  const argv = [process.execPath, join(process.cwd(), 'dist', 'nexus.js'), 'serve', '--port', '0']
  const server = startProcess(argv, { cwd: repo.path, env })
  const find = (): number => {
    const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(server.stderr())?.[1]
    if (found === undefined) throw new Error(server.stderr())
    return Number(found)
  }
  const port = await eventually(find, { timeoutMs: 20_000 })
  const pid = server.child.pid ?? 0
  return {
    port,
    pid,
    token: (await readFile(join(nexusHome, 'run', 'api.token'), 'utf8')).trim(),
    resources: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      const kb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13)
        .map(Number)
      return {
        rssMb: Math.round(kb / 1024),
        descriptors: (await readdir(`/proc/${pid}/fd`)).length,
        workedMs: ((user ?? 0) + (system ?? 0)) * TICK_MS,
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.child.kill('SIGTERM')
      await server.ended
      await repo[Symbol.asyncDispose]()
      await home[Symbol.asyncDispose]()
    },
  }
}

/** Status and milliseconds of one request, from the moment it was due. */
function ask(server: LoadServer, agent: Agent, path: string, due: number): Promise<{ status: number; ms: number }> {
  const headers = { Authorization: `Bearer ${server.token}` }
  return new Promise((done, fail) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, headers, agent }, (response) => {
      response.resume()
      response.once('end', () => done({ status: response.statusCode ?? 0, ms: performance.now() - due }))
      response.once('error', fail)
    })
    asked.once('error', (error: NodeJS.ErrnoException) => {
      // the server closed the connection, long idle, in the very moment in which it was used again: asked once more, as clients do
      if (asked.reusedSocket && error.code === 'ECONNRESET') ask(server, agent, path, due).then(done, fail)
      else fail(error)
    })
    asked.end()
  })
}

export interface LoadFigures {
  readonly requests: number
  readonly refused: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** At a steady rate, whether answers come or not. */
export async function load(server: LoadServer, rate: number, seconds: number): Promise<LoadFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const began = performance.now()
  const asked: Promise<{ status: number; ms: number }>[] = []
  for (let n = 0; n < rate * seconds; n++) {
    const due = began + (n * 1_000) / rate
    const early = due - performance.now()
    if (early > 1) await pause(early)
    asked.push(ask(server, agent, '/api/v1/workspaces', due))
  }
  const answers = await Promise.all(asked)
  agent.destroy()
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (part: number) =>
    Math.round((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) * 10) / 10
  const refused = answers.filter(({ status }) => status !== 200).length
  return { requests: answers.length, refused, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

/** A connection that says `text` and then waits; `ended` tells how long the server let it. */
export async function idle(
  server: LoadServer,
  text = '',
): Promise<{ readonly socket: Socket; readonly ended: Promise<number> }> {
  const began = performance.now()
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => socket.destroy()) // the server has cut it, which `ended` tells
  const ended = new Promise<number>((done) => socket.once('close', () => done(performance.now() - began)))
  await new Promise<void>((done) => {
    socket.once('connect', done)
    socket.once('close', () => done())
  })
  socket.resume()
  if (text !== '') socket.write(text)
  return { socket, ended }
}

/** A head with the token, for requests that are written by hand. */
export function headFor({ port, token }: LoadServer, line: string, ...more: readonly string[]): string {
  return [line, `Host: 127.0.0.1:${port}`, `Authorization: Bearer ${token}`, ...more, '', ''].join('\r\n')
}
