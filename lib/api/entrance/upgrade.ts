/**
 * Connections that become WebSockets. A browser sends such a request for any page, without asking first and whatever the answer's
 * headers say, so that it goes through the same door as all others; what is refused is answered as plain HTTP.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { type ErrorBody, NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../../workspace/app.ts'
import { scopedQuery as execQuery } from '../shapes.ts'
import { check, queryOf } from './body.ts'
import { EXEC_PROTOCOL, FRAME_MAX_BYTES, serveExec } from './exec-socket.ts'

/** Commands that run at once in this way. */
const SESSIONS_MAX = 200

export interface HttpRefusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorBody
}

export interface UpgradeOptions {
  /**
   * An app for one request and the workspace that `{id}` names, in the repository of `?repo=`.
   * @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS
   */
  find(reference: string, repo: string | undefined): Promise<{ readonly app: App; readonly record: WorkspaceRecord }>
  refusalOf(error: unknown): HttpRefusal
}

export interface Upgrade {
  /** Of a request that was let in; false when it is none of ours. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Ends every session, and its command. */
  close(): Promise<void>
}

export function createUpgrade(options: UpgradeOptions): Upgrade {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_MAX_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(EXEC_PROTOCOL) ? EXEC_PROTOCOL : false),
  })
  const sessions = new Set<Promise<void>>()
  /** Those that are let in and are not sessions yet. */
  let coming = 0

  async function begin(reference: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { repo } = check(execQuery, queryOf(request.url ?? ''), 'query')
    if (sessions.size + coming >= SESSIONS_MAX) {
      throw new NexusError('RESOURCE_EXHAUSTED', `${SESSIONS_MAX} commands run over WebSockets already.`, {
        hint: HINT,
      })
    }
    coming++
    const { app, record } = await options.find(reference, repo).finally(() => coming--)
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const session = serveExec(webSocket, app, record, (error) => options.refusalOf(error).body).finally(() =>
        sessions.delete(session),
      )
      sessions.add(session)
    })
  }

  return {
    handle: (request, socket, head) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? ''
      const reference = PATH.exec(path)?.[1]
      if (reference === undefined || request.headers.upgrade?.toLowerCase() !== 'websocket') return false
      socket.on('error', () => socket.destroy()) // it broke before there was anything to say
      begin(decodeURIComponent(reference), request, socket, head).catch((error: unknown) =>
        refuse(socket, options.refusalOf(error)),
      )
      return true
    },
    close: async () => {
      for (const client of server.clients) client.terminate()
      await Promise.all(sessions)
    },
  }
}

const PATH = /^\/api\/v1\/workspaces\/([^/]+)\/exec$/
const HINT = 'To see what there is, read docs/api.md, "Exec over WebSocket"'

function refuse(socket: Duplex, { status, headers, body }: HttpRefusal): void {
  const text = JSON.stringify(body)
  const all = {
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(text)),
    Connection: 'close',
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}\r\n${lines.join('')}\r\n${text}`, () => socket.destroy())
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
}
