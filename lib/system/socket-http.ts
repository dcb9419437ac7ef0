/**
 * HTTP over a unix socket of this machine, for the engine's API: a look starts no process, and a followed stream ends
 * when Nexus ends. Answers are JSON or a stream of bytes; nothing here knows what they mean.
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

function begin(asked: SocketRequest): Promise<IncomingMessage> {
  const { socket: socketPath, path, timeoutMs, signal } = asked
  return new Promise((done, fail) => {
    const call = request({ socketPath, path, agent: false, ...(signal === undefined ? {} : { signal }) })
    const timer = setTimeout(() => call.destroy(silent(asked, 'did not answer in time')), timeoutMs)
    call.once('error', (error) => {
      clearTimeout(timer)
      fail(error instanceof SocketSilent ? error : silent(asked, error.message))
    })
    call.once('response', (answer) => {
      clearTimeout(timer)
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) return done(answer)
      textOf(answer).then((text) => fail(new SocketRefused(status, messageOf(text))), fail)
    })
    call.end()
  })
}

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
