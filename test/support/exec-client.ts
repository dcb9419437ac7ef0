/** A client of exec over WebSocket, as docs/api.md describes the frames. */
import WebSocket from 'ws'

export interface ExecStart {
  readonly command: readonly string[]
  readonly [key: string]: unknown
}

export interface ExecClient {
  readonly socket: WebSocket
  readonly stdout: () => string
  readonly stderr: () => string
  /** The server has said so. @throws {Error} when it never will */
  readonly started: Promise<void>
  /** Bytes that came, kept or not. */
  readonly received: () => number
  /** The last message: `exit`, `error`, or undefined where the connection ended without. */
  readonly ended: Promise<
    { readonly type: string; readonly code?: number; readonly error?: { readonly code: string } } | undefined
  >
  /** Resolves when the bytes have left this process. */
  write(bytes: Buffer | string): Promise<void>
  say(message: Readonly<Record<string, unknown>>): void
}

export interface ExecOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Count what comes and forget it. */
  readonly forget?: boolean
  readonly protocol?: string
}

/** Sends `start` as soon as the connection is there; without one, sends nothing. */
export function openExec(url: string, start: ExecStart | undefined, options: ExecOptions = {}): ExecClient {
  const socket = new WebSocket(url, options.protocol ?? 'nexus.exec.v1', { headers: { ...options.headers } })
  const said: [Buffer[], Buffer[]] = [[], []]
  let received = 0
  let last: { type: string } | undefined
  socket.on('message', (data: Buffer, binary) => {
    if (!binary) {
      last = JSON.parse(data.toString('utf8'))
      return
    }
    received += data.byteLength - 1
    const stream = said[(data[0] ?? 0) - 1]
    if (options.forget !== true) stream?.push(data.subarray(1))
  })
  const started = new Promise<void>((done, fail) => {
    socket.on('message', () => last?.type === 'started' && done())
    socket.once('close', () => fail(new Error(`it was closed before it started: ${JSON.stringify(last)}`)))
  })
  started.catch(() => undefined) // told to whoever waits for it
  socket.on('open', () => start !== undefined && socket.send(JSON.stringify({ type: 'start', ...start })))
  const ended = new Promise<typeof last>((done, fail) => {
    socket.once('close', () => done(last?.type === 'exit' || last?.type === 'error' ? last : undefined))
    socket.once('error', fail)
  })
  ended.catch(() => undefined) // told to whoever waits for it
  const text = (stream: 0 | 1) => () => Buffer.concat(said[stream]).toString('utf8')
  return {
    socket,
    stdout: text(0),
    stderr: text(1),
    received: () => received,
    started,
    ended,
    write: (bytes) =>
      new Promise((done, fail) => {
        const frame = Buffer.concat([Buffer.from([0]), Buffer.from(bytes)])
        socket.send(frame, (error) => (error ? fail(error) : done()))
      }),
    say: (message) => socket.send(JSON.stringify(message)),
  }
}
