/**
 * The client's side of the unix socket, for `nexus api` and whatever else asks a server of this home. Loads nothing of the
 * server.
 */
import { NexusError } from '../core/errors.ts'
import { beginCall } from '../system/socket-http.ts'

/** The main worktree of the repository that the caller stands in, percent-encoded. */
export const REPOSITORY_HEADER = 'nexus-repository'

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
  /** Gets what goes on, piece by piece, in place of `text`: events and logs. False when nobody reads any more. */
  readonly onPiece?: (piece: string) => Promise<boolean>
}

/** What fails without an answer is node's own error, ENOENT or ECONNREFUSED when nobody serves; or why it was interrupted. */
export async function callSocket(
  socket: string,
  { body, headers = {}, signal, onPiece, ...asked }: ClientRequest,
): Promise<ClientAnswer> {
  const content =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  try {
    const answer = await beginCall({ socket, ...asked, headers: { ...content, ...headers }, body, signal })
    const goesOn = !/^application\/json\b/.test(answer.headers['content-type'] ?? '')
    let text = ''
    answer.setEncoding('utf8')
    for await (const piece of answer) {
      if (onPiece === undefined || !goesOn) text += piece
      else if (!(await onPiece(piece))) break
    }
    return { status: answer.statusCode ?? 0, headers: answer.headers, text }
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error
  }
}

/** Of a server at a socket: one that is silent listens and does not speak, as a stopped process does. */
export type Presence = 'answers' | 'silent' | 'nobody'

export async function presenceAt(socket: string, waitMs = 2_000): Promise<Presence> {
  try {
    await callSocket(socket, { method: 'GET', path: '/healthz', signal: AbortSignal.timeout(waitMs) })
    return 'answers'
  } catch (error) {
    return isNobody(error) ? 'nobody' : 'silent'
  }
}

/** True while a server is there, though it may be silent. */
export async function isAnswering(socket: string): Promise<boolean> {
  return (await presenceAt(socket)) !== 'nobody'
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
