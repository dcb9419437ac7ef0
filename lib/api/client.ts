/**
 * The client's side of the unix socket, for `nexus api` and whatever else asks a server of this home. Loads nothing of the
 * server.
 */
import { request } from 'node:http'
import { NexusError } from '../core/errors.ts'

export interface ClientAnswer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

export interface ClientRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Takes an answer that goes on, piece by piece, which is not kept then; false ends it. Without it, all of it is waited for. */
  readonly onStream?: ((piece: string) => Promise<boolean>) | undefined
}

/** What fails without an answer is node's own error: ENOENT or ECONNREFUSED when nobody serves. */
export function callSocket(
  socket: string,
  { method, path, headers = {}, body, signal, onStream }: ClientRequest,
): Promise<ClientAnswer> {
  const content =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return new Promise((done, fail) => {
    const options = { socketPath: socket, method, path, headers: { host: 'localhost', ...content, ...headers } }
    const outgoing = request({ ...options, agent: false, ...(signal === undefined ? {} : { signal }) }, (incoming) => {
      incoming.setEncoding('utf8')
      const { statusCode: status = 0 } = incoming
      if (onStream !== undefined && status < 400 && !isJson(incoming.headers['content-type'])) {
        return passOn(incoming, onStream).then(() => done({ status, headers: incoming.headers, text: '' }), fail)
      }
      let text = ''
      incoming.on('data', (piece: string) => {
        text += piece
      })
      incoming.on('error', fail)
      incoming.on('end', () => done({ status, headers: incoming.headers, text }))
    })
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}

function isJson(type = ''): boolean {
  return /^application\/json\b/.test(type)
}

async function passOn(incoming: AsyncIterable<string>, onStream: (piece: string) => Promise<boolean>): Promise<void> {
  for await (const piece of incoming) if (!(await onStream(piece))) return
}

/** True while a server of Nexus answers there. */
export async function isAnswering(socket: string): Promise<boolean> {
  try {
    await callSocket(socket, { method: 'GET', path: '/healthz', signal: AbortSignal.timeout(2_000) })
    return true
  } catch (error) {
    return !isNobody(error) // it listens and does not speak: a stopped process, perhaps
  }
}

/** Nobody listens at a socket. */
export function isNobody(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** The path below `/api/v1`, as it is given or with that before it. @throws {NexusError} INVALID_ARGUMENT */
export function apiPath(given: string): string {
  const path = given.startsWith('/') ? given : `/${given}`
  if (/[^\x21-\x7e]/.test(path)) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      `The path ${JSON.stringify(given)} holds characters that have to be percent-encoded.`,
      {
        hint: 'To see the paths, run `nexus api /openapi.json`',
      },
    )
  }
  return path.startsWith('/api/') || path === '/healthz' ? path : `/api/v1${path}`
}
