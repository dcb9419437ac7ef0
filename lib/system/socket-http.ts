/**
 * HTTP over a unix socket of this machine, for the engine's API and for Nexus's own server: a look starts no process, and a
 * followed stream ends when Nexus ends. Answers are JSON or a stream of bytes; nothing here knows what they mean.
 */
import { type IncomingMessage, request } from 'node:http'

/** A larger answer is refused. */
const ANSWER_MAX_BYTES = 64 * 1024 * 1024

/** The socket answered with an error status. */
export class SocketRefused extends Error {
  override readonly name = 'SocketRefused'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The socket gave no answer, or not in time. */
export class SocketSilent extends Error {
  override readonly name = 'SocketSilent'
}

export interface SocketCall {
  readonly socket: string
  /** Path and query. */
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** The answer as soon as it begins, whatever its status. What fails without one is node's own error. */
export function beginCall({ socket, body, signal, ...asked }: SocketCall): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const options = { socketPath: socket, agent: false, ...asked, ...(signal === undefined ? {} : { signal }) }
    request(options, done).once('error', fail).end(body)
  })
}

export interface SocketRequest {
  readonly socket: string
  readonly path: string
  /** Until the answer is whole; of a stream, until it begins. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** @throws {SocketSilent | SocketRefused} */
export async function getJson(asked: SocketRequest): Promise<unknown> {
  const signal = AbortSignal.timeout(asked.timeoutMs)
  const answer = await begin({ ...asked, signal: asked.signal ? AbortSignal.any([asked.signal, signal]) : signal })
  try {
    return JSON.parse(await textOf(answer))
  } catch (error) {
    throw signal.aborted ? silent(asked, 'did not answer in time') : error
  }
}

/**
 * An answer that goes on; it ends when the other side ends it or `signal` is aborted. @throws {SocketSilent |
 * SocketRefused}
 */
export async function getStream(asked: SocketRequest): Promise<IncomingMessage> {
  return begin(asked)
}

async function begin(asked: SocketRequest): Promise<IncomingMessage> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), asked.timeoutMs)
  const signal = asked.signal === undefined ? late.signal : AbortSignal.any([asked.signal, late.signal])
  let answer: IncomingMessage
  try {
    answer = await beginCall({ socket: asked.socket, path: asked.path, signal })
  } catch (error) {
    throw silent(asked, late.signal.aborted ? 'did not answer in time' : (error as Error).message)
  } finally {
    clearTimeout(timer)
  }
  const status = answer.statusCode ?? 0
  if (status >= 200 && status < 300) return answer
  throw new SocketRefused(status, messageOf(await textOf(answer)))
}

/** An answer's text to its end. @throws {SocketRefused} for one that is longer than an answer to a look */
async function textOf(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8')
  let text = ''
  for await (const piece of answer) {
    text += piece
    if (text.length > ANSWER_MAX_BYTES) throw new SocketRefused(0, 'the answer is too long')
  }
  return text
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text
  } catch {
    return text // not every refusal is JSON
  }
}

function silent({ socket }: SocketRequest, why: string): SocketSilent {
  return new SocketSilent(`${socket}: ${why}`)
}
