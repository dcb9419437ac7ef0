/**
 * `nexus serve`: the one background process of a user. It listens on a unix socket and, where asked, on the loopback
 * address, and holds no state of its own: it may be killed at any moment. Timed work of later days moves in as a service.
 *
 * Every request and every upgrade passes `checks.ts` before anything else sees it.
 */
import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { HomePaths } from '../core/paths.ts'
import { timestamp } from '../core/time.ts'
import { withLock } from '../system/lock.ts'
import { ownIdentity } from '../system/process.ts'
import { renameInto, restrict, writeCrashLog } from '../system/store.ts'
import { createApi } from './api.ts'
import type { Live } from './changes/live.ts'
import { isAnswering } from './client.ts'
import { type ApiContext, createContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import type { Door, Entrance } from './entrance/checks.ts'
import { createListener, type Listener, type Upgrade } from './entrance/listener.ts'
import { createThrottle } from './entrance/throttle.ts'
import { createTokenCheck } from './entrance/token.ts'
import { createUpgrade } from './entrance/upgrade.ts'
import { failureOf } from './failure.ts'
import {
  findServer,
  type OwnSocket,
  ownSocket,
  removeNote,
  requirePrivateFolder,
  socketPath,
  writeNote,
} from './places.ts'
import { createRequestLog } from './request-log.ts'
import { namedWorkspace } from './via.ts'

/** For operations that are interrupted to undo what they began. */
const UNDO_PATIENCE_MS = 90_000
const START_WAIT_MS = 5_000
const PORT_ATTEMPTS = 10
const LOOK_EVERY_MS = 1_000

/** Something that works while the server runs: watching, idling, proxying. */
export interface Service {
  readonly name: string
  start(context: ApiContext): Promise<void>
  stop(): Promise<void>
}

export interface ServeOptions {
  readonly home: HomePaths
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly version: string
  readonly program: readonly string[]
  readonly endpoints: readonly Endpoint[]
  /** Undefined: the unix socket alone; 0: any. */
  readonly port?: number | undefined
  readonly services?: readonly Service[]
  readonly upgrade?: Upgrade
}

export interface Serving {
  readonly socket: string
  readonly port: number | null
  readonly context: ApiContext
  /** Resolves when its socket is gone, or another's: nobody finds this server any more, and another one may serve. */
  readonly lost: Promise<void>
  /** Takes nothing new, interrupts what runs and waits for its undoing; how many operations were let go of. */
  stop(): Promise<number>
}

/** @throws {NexusError} WORKSPACE_BUSY when this home has a server; PORT_CONFLICT */
export function serve(options: ServeOptions): Promise<Serving> {
  const { home } = options
  return withLock(join(home.run, 'serve'), () => start(options), { waitMs: START_WAIT_MS })
}

async function start(options: ServeOptions): Promise<Serving> {
  const { home, env } = options
  const socket = socketPath(home, env)
  await requirePrivateFolder(socket)
  await requireAlone(home, socket)
  const context = createContext(options)
  const log = createRequestLog(join(home.logs, 'serve.log'))
  const logOf = (error: unknown) => writeCrashLog(home.logs, error)
  const api = createApi(context, { logOf, endpoints: options.endpoints })
  const sockets = createUpgrade({
    find: async (reference, repo) => {
      const app = context.appFor()
      return { app, record: await namedWorkspace(app, reference, repo) }
    },
    refusalOf: (error) => failureOf(error, logOf),
  })
  const upgrade = options.upgrade ?? sockets.handle
  const services = [liveService(context.live), closing('exec', sockets.close), ...(options.services ?? [])]
  const token = await createTokenCheck(home)
  const door: Door = { throttle: createThrottle(), isToken: token.isToken }
  const listen = (entrance: Entrance, where: object) =>
    createListener({ entrance, where, api, door, refresh: token.refresh, log, logOf, upgrade })
  // a listener that is closed removes the path it was made with, whoever has that by then; so it is made with one that nobody else has
  const path = join(dirname(socket), `api.${process.pid}`)
  const listeners = [await listen({ kind: 'unix' }, { path })]
  try {
    await restrict(path, 0o600)
    await renameInto(path, socket)
    const own = ownSocket(socket)
    const port = options.port === undefined ? null : await listenOnLoopback(options.port, listeners, listen)
    for (const service of services) await service.start(context)
    await writeNote(home, { ...ownIdentity(), socket, port, startedAt: timestamp(), version: options.version })
    log({ event: 'started', socket, port })
    const watch = watchLoss(own)
    const end = () => {
      watch.end()
      return stop(home, context, own, listeners, services, log)
    }
    return { socket, port, context, lost: watch.lost, stop: end }
  } catch (error) {
    for (const listener of listeners) await listener.close(0)
    throw error
  }
}

/** Looked at again and again: a watcher of the folder is not told when that is removed with all that is around it. */
function watchLoss(own: OwnSocket): { readonly lost: Promise<void>; end(): void } {
  let timer: NodeJS.Timeout | undefined
  const lost = new Promise<void>((done) => {
    timer = setInterval(() => own.isThere() || done(), LOOK_EVERY_MS)
  })
  return { lost, end: () => clearInterval(timer) }
}

function liveService(live: Live): Service {
  return { name: 'live', start: ({ operations }) => live.start(operations), stop: live.stop }
}

function closing(name: string, stop: () => Promise<void>): Service {
  return { name, start: async () => {}, stop }
}

/** What is left of a server that was killed is taken away. */
async function requireAlone(home: HomePaths, socket: string): Promise<void> {
  if (await isAnswering(socket)) {
    const other = await findServer(home)
    throw new NexusError(
      'WORKSPACE_BUSY',
      `This home is served already${other === undefined ? '' : ` by process ${other.pid}`}.`,
      {
        hint: 'To end that server, run `nexus serve stop`',
        details: { ...(other === undefined ? {} : { pid: other.pid }), socket },
      },
    )
  }
  const stat = lstatSync(socket, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket()) {
    throw new NexusError('INVALID_ARGUMENT', `${socket} is there and is not a socket.`, {
      hint: `To see what it is, run \`ls -l ${socket}\``,
    })
  }
  await rm(socket)
}

/** The same port on both loopback addresses, where there are both. */
async function listenOnLoopback(
  wanted: number,
  listeners: Listener[],
  listen: (entrance: Entrance, where: object) => Promise<Listener>,
): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const entrance = { kind: 'tcp' as const, port: wanted }
    const v4 = await listen(entrance, { host: '127.0.0.1', port: wanted }).catch((error) => portTaken(error, wanted))
    const port = v4.port
    entrance.port = port
    try {
      const v6 = await listen(entrance, { host: '::1', port, ipv6Only: true }).catch(withoutIpv6)
      listeners.push(v4, ...(v6 === undefined ? [] : [v6]))
      return port
    } catch (error) {
      await v4.close(0)
      if (wanted !== 0 || attempt === PORT_ATTEMPTS) portTaken(error, port)
    }
  }
}

function withoutIpv6(error: NodeJS.ErrnoException): undefined {
  if (!['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].includes(error.code ?? '')) throw error
}

function portTaken(error: unknown, port: number): never {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
  throw new NexusError('PORT_CONFLICT', `Port ${port} of this machine is taken.`, {
    hint: 'To have a free one chosen, run `nexus serve --port 0`',
    details: { port },
  })
}

async function stop(
  home: HomePaths,
  context: ApiContext,
  own: OwnSocket,
  listeners: readonly Listener[],
  services: readonly Service[],
  log: (line: Record<string, unknown>) => void,
): Promise<number> {
  own.remove()
  const closed = listeners.map((listener) => listener.close(UNDO_PATIENCE_MS))
  const left = await context.operations.cancelAll(UNDO_PATIENCE_MS)
  for (const service of [...services].reverse()) await service.stop()
  await Promise.all(closed)
  await removeNote(home)
  log({ event: 'stopped', left })
  return left
}
