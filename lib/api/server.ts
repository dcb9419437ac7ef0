/**
 * The API as a service of the background process (`lib/daemon`): its listeners on a unix socket and, where asked, on the loopback
 * address, the watch over all workspaces, and the operations that requests began.
 *
 * Every request and every upgrade passes `checks.ts` before anything else sees it.
 */
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { HomePaths } from '../core/paths.ts'
import type { Log, Service } from '../core/service.ts'
import { renameInto, restrict, writeCrashLog } from '../system/store.ts'
import { createApi } from './api.ts'
import { type ApiContext, createContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import type { Entrance, TokenCheck } from './entrance/checks.ts'
import { createListener, type HandleUpgrade, type Listener } from './entrance/listener.ts'
import { createThrottle } from './entrance/throttle.ts'
import { createTokenCheck } from './entrance/token.ts'
import { createUpgrade } from './entrance/upgrade.ts'
import { failureOf } from './failure.ts'
import { type OwnSocket, ownSocket } from './places.ts'
import { namedWorkspace } from './via.ts'

/** For operations that are interrupted to undo what they began. */
const UNDO_PATIENCE_MS = 90_000
const PORT_ATTEMPTS = 10
const LOOK_EVERY_MS = 1_000

export interface ServerOptions {
  readonly home: HomePaths
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly version: string
  readonly program: readonly string[]
  readonly endpoints: readonly Endpoint[]
  /** In a folder of this user's alone, where nobody else listens. */
  readonly socket: string
  /** Undefined: the unix socket alone; 0: any. */
  readonly port?: number | undefined
  readonly upgrade?: HandleUpgrade
  readonly log: Log
}

export interface ApiService extends Service {
  readonly context: ApiContext
  /** Of 127.0.0.1 and, where there is one, ::1; null without TCP, and before the start. */
  readonly port: number | null
}

export function createApiService(options: ServerOptions): ApiService {
  const { home, socket, log } = options
  const context = createContext(options)
  const logOf = (error: unknown) => writeCrashLog(home.logs, error)
  const sockets = createUpgrade({
    find: async (reference, repo) => {
      const app = context.appFor()
      return { app, record: await namedWorkspace(app, reference, repo) }
    },
    refusalOf: (error) => failureOf(error, logOf),
  })
  const upgrade = options.upgrade ?? sockets.handle
  const listeners: Listener[] = []
  const loss = createLoss()
  let own: OwnSocket | undefined
  let port: number | null = null

  async function start(): Promise<void> {
    const api = createApi(context, { logOf, endpoints: options.endpoints })
    const token = await createTokenCheck(home)
    const check: TokenCheck = { throttle: createThrottle(), isToken: token.isToken }
    const listen = (entrance: Entrance, where: object) =>
      createListener({ entrance, where, api, check, refresh: token.refresh, log, logOf, upgrade })
    // a listener that is closed removes the path it was made with, whoever has that by then; so it is made with one that nobody else has
    const path = join(dirname(socket), `api.${process.pid}`)
    listeners.push(await listen({ kind: 'unix' }, { path }))
    try {
      await restrict(path, 0o600)
      await renameInto(path, socket)
      own = ownSocket(socket)
      port = options.port === undefined ? null : await listenOnLoopback(options.port, listeners, listen)
      await context.live.start(context.operations)
      loss.watch(own)
    } catch (error) {
      own?.remove()
      for (const listener of listeners) await listener.close(0)
      throw error
    }
  }

  /** Takes nothing new, interrupts what runs and waits for its undoing. */
  async function stop(): Promise<number> {
    loss.end()
    own?.remove()
    const closed = listeners.map((listener) => listener.close(UNDO_PATIENCE_MS))
    const left = await context.operations.cancelAll(UNDO_PATIENCE_MS)
    await sockets.close()
    await context.live.stop()
    await Promise.all(closed)
    return left
  }

  return {
    name: 'api',
    required: true,
    context,
    get port() {
      return port
    },
    start,
    stop,
    health: () => (own?.isThere() === true ? undefined : `${socket} is gone or another's.`),
    lost: loss.lost,
  }
}

/**
 * That the socket is gone, or another's: nobody finds this server any more, and another one may serve. Looked at again and again: a
 * watcher of the folder is not told when that is removed with all that is around it.
 */
function createLoss() {
  let timer: NodeJS.Timeout | undefined
  let tell = () => {}
  const lost = new Promise<void>((done) => {
    tell = done
  })
  return {
    lost,
    watch: (own: OwnSocket) => {
      timer = setInterval(() => own.isThere() || tell(), LOOK_EVERY_MS)
    },
    end: () => clearInterval(timer),
  }
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
