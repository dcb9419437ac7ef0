/**
 * The sample projects of test/fixtures/projects: as repositories of their own, and running as their authors run them, by
 * plain `docker compose` without Nexus.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, cp } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { identify, must, openRepo, type Repo } from '../scenario/scene.ts'
import { runProcess } from './process.ts'
import { tempDir } from './temp.ts'

export type ProjectName = 'shop' | 'single' | 'profiles' | 'fixed' | 'monorepo' | 'hostile'

/** Images are built from Debian's packages, which the engine keeps afterwards. */
export const BUILD_LIMIT_MS = 5 * 60_000

export interface Project extends AsyncDisposable {
  readonly repo: Repo
}

/** A copy of the project with one commit, and with the ignored `.env` that its `.env.example` is for. */
export async function openProject(name: ProjectName): Promise<Project> {
  const dir = await tempDir()
  const path = join(dir.path, name)
  await cp(join(process.cwd(), 'test', 'fixtures', 'projects', name), path, { recursive: true, verbatimSymlinks: true })
  const repo = openRepo(path)
  await repo.git('init', '--quiet', '--initial-branch=main')
  await identify(repo)
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '--message', 'first')
  if (existsSync(join(path, '.env.example'))) await copyFile(join(path, '.env.example'), join(path, '.env'))
  return { repo, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() }
}

export interface ByHand extends AsyncDisposable {
  /** stdout of `docker compose <args>`. */
  compose(...args: string[]): Promise<string>
  /** Where the port of a service is published. */
  portOf(service: string, container: number, protocol?: 'tcp' | 'udp'): Promise<number>
}

export interface ByHandOptions {
  /** Default: what the project says. */
  readonly project?: string
  /** Default: those that compose finds. */
  readonly files?: readonly string[]
  readonly profiles?: readonly string[]
}

interface Model {
  readonly name: string
  readonly services: Readonly<Record<string, { ports?: { published?: string }[] }>>
}

/** `docker compose up --wait`, unchanged; other ports only where one of them is taken on this machine. */
export async function startByHand({ repo }: Project, options: ByHandOptions = {}): Promise<ByHand> {
  const { files = [], profiles = [], project } = options
  const argv = ['docker', 'compose', ...(project === undefined ? [] : ['--project-name', project])]
  const words = [...files.flatMap((file) => ['--file', file]), ...profiles.flatMap((name) => ['--profile', name])]
  const compose = (...args: string[]) => must([...argv, ...words, ...args], { cwd: repo.path })
  const model = JSON.parse(await compose('config', '--format', 'json')) as Model

  async function up(): Promise<void> {
    const limits = { cwd: repo.path, timeoutMs: BUILD_LIMIT_MS }
    const { code, stderr } = await runProcess([...argv, ...words, 'up', '--detach', '--wait'], limits)
    if (code === 0) return
    if (!/port is already allocated|address already in use/.test(stderr)) throw new Error(`compose up: ${stderr}`)
    for (const { ports = [] } of Object.values(model.services)) for (const port of ports) delete port.published
    const active = profiles.flatMap((name) => ['--profile', name])
    const again = [...argv, '--file', '-', ...active, 'up', '--detach', '--wait']
    await must(again, { ...limits, input: JSON.stringify(model) })
  }

  async function down(): Promise<void> {
    await must([...argv, '--profile', '*', ...words, 'down', '--volumes', '--timeout', '3'], { cwd: repo.path })
    const images = await must([
      'docker',
      'image',
      'ls',
      '-q',
      '--filter',
      `label=com.docker.compose.project=${model.name}`,
    ])
    const ids = [...new Set(images.split('\n').filter(Boolean))]
    if (ids.length > 0) await must(['docker', 'image', 'rm', '--force', ...ids])
  }

  try {
    await up()
  } catch (error) {
    await down()
    throw error
  }
  return {
    compose,
    portOf: async (service, container, protocol = 'tcp') => {
      const said = await compose('port', '--protocol', protocol, service, String(container))
      return Number(said.trim().split(':').at(-1))
    },
    [Symbol.asyncDispose]: down,
  }
}

const ANSWER_MS = 10_000

/** The text that a server on this machine answers with. @throws {Error} when it does not, or not with 200 */
export function httpGet(port: number, path = '/'): Promise<string> {
  return request(port, path, {})
}

export function httpPost(port: number, path: string, body: string): Promise<string> {
  return request(port, path, { method: 'POST', body })
}

async function request(port: number, path: string, options: RequestInit): Promise<string> {
  const url = new URL(path, `http://127.0.0.1:${port}/`)
  const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(ANSWER_MS) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`)
  return text
}

/** The first bytes that a server answers to these with. */
export function tcpAsk(port: number, bytes: Uint8Array | string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: ANSWER_MS })
    const end = (finish: () => void) => {
      socket.destroy()
      finish()
    }
    socket.once('error', (error) => end(() => fail(error)))
    socket.once('close', () => fail(new Error(`port ${port} closed without an answer`)))
    socket.once('timeout', () => end(() => fail(new Error(`port ${port} does not answer`))))
    socket.once('data', (data) => end(() => done(data.toString('latin1'))))
    socket.write(bytes)
  })
}

/** The datagram that comes back for this one; sent once, so to be asked for `eventually`. */
export async function udpAsk(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.send(text, port, '127.0.0.1')
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(1_000) })) as [Buffer]
    return answer.toString()
  } finally {
    socket.close()
  }
}
