/** Starts a home's server when nobody serves, and ends it: the side of those who use it. Loads nothing of the server. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, NexusError } from '../core/errors.ts'
import { kill } from '../system/exec.ts'
import { isAlive } from '../system/process.ts'
import { makeFolder, readIfPresent } from '../system/store.ts'
import type { App } from '../workspace/app.ts'
import { presenceAt } from './client.ts'
import { findServer, type ServerNote, servedSocket } from './places.ts'

const START_TIMEOUT_MS = 15_000
/** More than the server itself gives to what has to be undone. */
const STOP_TIMEOUT_MS = 120_000
const POLL_MS = 20
/** For a server that is there and does not answer at all. */
const SILENT_LIMIT_MS = 10_000

/**
 * The socket of a server that answers, started with `program` when there is none.
 * @throws {NexusError} TIMEOUT with what it said
 */
export async function requireServer(app: App, program: readonly string[], version: string): Promise<string> {
  const socket = await servedSocket(app.home)
  if (existsSync(socket) && (await requireSpeaking(app, socket))) {
    const { version: served = version } = (await findServer(app.home)) ?? {}
    if (served !== version) {
      const text = `the server is of version ${served}, this is ${version}`
      app.emit({ type: 'warning', text, hint: 'To have this one serve, run `nexus serve stop` and ask again' })
    }
    return socket
  }
  app.emit({ type: 'notice', text: 'starting the server; `nexus serve stop` ends it' })
  await makeFolder(app.home.logs)
  const log = join(app.home.logs, 'serve.out')
  const server = app.runner.daemon([...program, 'serve'], log)
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    app.interruption.signal.throwIfAborted()
    if (existsSync(socket) && (await presenceAt(socket)) === 'answers') return socket
    // of two that start at once one finds the other there, and ends
    if (server.hasEnded() && (await findServer(app.home)) === undefined) break
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
  const output = lastLines((await readIfPresent(log)) ?? '')
  if (server.hasEnded()) {
    throw new NexusError('BACKEND_UNAVAILABLE', 'The server could not be started.', {
      hint: 'To see what it says, run it here: `nexus serve`',
      output,
    })
  }
  throw new NexusError('TIMEOUT', `The server did not answer within ${START_TIMEOUT_MS / 1000} s.`, {
    hint: 'To see what it says, run it here: `nexus serve`',
    output,
  })
}

/**
 * False when nobody is there. One that is silent is waited for: it may have much to do at this moment.
 * @throws {NexusError} TIMEOUT
 */
async function requireSpeaking(app: App, socket: string): Promise<boolean> {
  const deadline = performance.now() + SILENT_LIMIT_MS
  let presence = await presenceAt(socket)
  if (presence !== 'silent') return presence === 'answers'
  const server = await findServer(app.home)
  const who = server === undefined ? `The server at ${socket}` : `The server (process ${server.pid})`
  const hint =
    server === undefined
      ? `To see which process it is, run \`ss -xlp src ${socket}\``
      : `To end it, run \`nexus serve stop\`, and where that does not help \`kill -9 ${server.pid}\``
  app.emit({ type: 'warning', text: `${who} does not answer; it is waited for`, hint })
  while (presence === 'silent' && performance.now() < deadline) {
    app.interruption.signal.throwIfAborted()
    presence = await presenceAt(socket)
  }
  if (presence !== 'silent') return presence === 'answers'
  throw new NexusError('TIMEOUT', `${who} did not answer within ${SILENT_LIMIT_MS / 1_000} s.`, {
    hint,
    details: { socket, ...(server === undefined ? {} : { pid: server.pid }) },
  })
}

/**
 * Asks the server to end and waits until it has; undefined when there is none.
 * @throws {NexusError} TIMEOUT when it does not end
 */
export async function stopServer(app: App): Promise<ServerNote | undefined> {
  const server = await findServer(app.home)
  if (server === undefined) return undefined
  kill(server.pid, 'SIGTERM')
  kill(server.pid, 'SIGCONT') // one that is stopped would not hear of it
  const deadline = performance.now() + STOP_TIMEOUT_MS
  while (isAlive(server)) {
    app.interruption.signal.throwIfAborted()
    if (performance.now() > deadline) {
      throw new NexusError(
        'TIMEOUT',
        `The server (process ${server.pid}) did not end within ${STOP_TIMEOUT_MS / 1000} s.`,
        {
          hint: `To end it at once, run \`kill -9 ${server.pid}\`; the next command repairs what it was doing`,
        },
      )
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
  return server
}
