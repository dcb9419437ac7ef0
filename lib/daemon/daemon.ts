/**
 * `nexus serve`: the one background process of a user, a supervisor with named services, of which the API is the first. It holds no
 * state of its own: it may be killed at any moment. A new service is a file with one `MakeService`, and a line in `serve`'s options.
 */
import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isAnswering } from '../api/client.ts'
import type { ApiContext } from '../api/context.ts'
import { findServer, removeNote, socketPath, writeNote } from '../api/places.ts'
import { createApiService, type ServerOptions } from '../api/server.ts'
import { NexusError } from '../core/errors.ts'
import type { HomePaths } from '../core/paths.ts'
import type { Log, Service } from '../core/service.ts'
import { timestamp } from '../core/time.ts'
import { withLock } from '../system/lock.ts'
import { ownIdentity } from '../system/process.ts'
import { requireOwnFolder } from '../system/run-place.ts'
import { createDaemonLog, logOfService } from './log.ts'
import { createSupervisor, type ServiceHealth } from './supervisor.ts'

const START_WAIT_MS = 5_000

/** Makes a service that works beside the API; `log` writes lines under its name. */
export interface MakeService {
  readonly name: string
  make(api: ApiContext, log: Log): Service
}

export interface ServeOptions extends Omit<ServerOptions, 'socket' | 'log'> {
  readonly services?: readonly MakeService[]
}

export interface RunningDaemon {
  readonly socket: string
  readonly port: number | null
  readonly context: ApiContext
  /** Resolves when a required service can work no more; the API's when nobody finds its socket, so that another server may serve. */
  readonly lost: Promise<void>
  health(): readonly ServiceHealth[]
  /** Ends all services; how many operations were let go of. */
  stop(): Promise<number>
}

/** @throws {NexusError} WORKSPACE_BUSY when this home has a server; PORT_CONFLICT */
export function serve(options: ServeOptions): Promise<RunningDaemon> {
  return withLock(join(options.home.run, 'serve'), () => start(options), { waitMs: START_WAIT_MS })
}

async function start({ services = [], ...options }: ServeOptions): Promise<RunningDaemon> {
  const { home, version } = options
  const socket = socketPath(home)
  requireOwnFolder(dirname(socket))
  await requireAlone(home, socket)
  const log = createDaemonLog(join(home.logs, 'serve.log'))
  const api = createApiService({ ...options, socket, log: logOfService(log, 'api') })
  const others = services.map(({ name, make }) => make(api.context, logOfService(log, name)))
  const supervisor = createSupervisor([api, ...others], log)
  const stop = async () => {
    const left = await supervisor.stop()
    await removeNote(home)
    log({ event: 'stopped', left })
    return left
  }
  await supervisor.start()
  const { port, context } = api
  try {
    await writeNote(home, { ...ownIdentity(), socket, port, startedAt: timestamp(), version })
  } catch (error) {
    await stop()
    throw error
  }
  log({ event: 'started', socket, port })
  return { socket, port, context, lost: supervisor.lost, health: supervisor.health, stop }
}

/** Removes what a killed server left. A server that listens elsewhere, as its home had another name then, is asked too. */
async function requireAlone(home: HomePaths, socket: string): Promise<void> {
  const other = await findServer(home)
  if ((await isAnswering(socket)) || (other !== undefined && (await isAnswering(other.socket)))) {
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
