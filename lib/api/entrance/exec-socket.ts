/**
 * A command inside a workspace over a WebSocket. Binary frames carry the streams, their first byte says which: 0 stdin, 1 stdout,
 * 2 stderr. Text frames are JSON: first `start` from the client, then `stdin-end`, `resize`, `signal`; from the server `started`,
 * and at the end `exit` or `error`.
 *
 * Neither side can fill our memory: what one does not take is not read from the other. When the client goes, however it goes, the
 * command inside is ended.
 */

import type { RawData, WebSocket } from 'ws'
import { z } from 'zod'
import { type ErrorBody, errorBody, NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../../workspace/app.ts'
import { stream } from '../../workspace/exec/inside.ts'
import { requirePlainText } from './body.ts'

export const EXEC_PROTOCOL = 'nexus.exec.v1'
/** Of one frame. */
export const FRAME_MAX_BYTES = 1024 * 1024
const START_TIMEOUT_MS = 10_000
/** While nothing is read, because the command does not take its input, only writing finds out that nobody is there any more. */
const PING_MS = 1_000
/** Bytes on their way to the client at which its command has to wait, and at which it may go on. */
const HIGH_BYTES = 1024 * 1024
const LOW_BYTES = 256 * 1024

const STDIN = 0
const STDOUT = 1
const STDERR = 2

const Word = z.string().max(128 * 1024)
const Size = { columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) }
const SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTERM',
  'SIGCONT',
  'SIGSTOP',
] as const

const Start = z.strictObject({
  type: z.literal('start'),
  command: z.array(Word).min(1).max(10_000),
  cwd: z.string().startsWith('/').max(4_096).optional(),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), Word).optional(),
  tty: z.boolean().optional(),
  columns: Size.columns.optional(),
  rows: Size.rows.optional(),
})
const Later = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('stdin-end') }),
  z.strictObject({ type: z.literal('resize'), ...Size }),
  z.strictObject({ type: z.literal('signal'), signal: z.enum(SIGNALS) }),
])

type Running = Awaited<ReturnType<typeof stream>>

/** Speaks with one client until the command has ended or the client is gone. Throws nothing: what fails is told to the client. */
export async function serveExec(
  socket: WebSocket,
  app: App,
  record: WorkspaceRecord,
  explain: (error: unknown) => ErrorBody = (error) => explainFailure(error),
): Promise<void> {
  let running: Running | undefined
  let leave = () => {}
  const gone = new Promise<void>((done) => {
    leave = done
  })
  socket.once('close', () => leave())
  socket.on('error', () => socket.terminate()) // a broken frame, or a connection that broke: there is nothing to save
  const pinging = setInterval(() => socket.isPaused && socket.readyState === socket.OPEN && socket.ping(), PING_MS)
  const frames = createFrames(socket)
  const failed = (error: unknown) => {
    tell(socket, { type: 'error', ...explain(error) })
    socket.close(error instanceof NexusError ? 1008 : 1011)
    leave()
  }
  try {
    const first = await firstFrame(frames, gone)
    if (first === undefined) return
    running = await stream(app, record, parseStart(first))
    await Promise.race([running.ready, gone])
    if (socket.readyState !== socket.OPEN) return
    tell(socket, { type: 'started' })
    connect(socket, running, frames, failed)
    const code = await Promise.race([running.ended, gone])
    if (code === undefined) return
    running = undefined
    tell(socket, { type: 'exit', code })
    socket.close(1000)
  } catch (error) {
    failed(error)
  } finally {
    clearInterval(pinging)
    frames.take(() => undefined) // from now on nothing is done with what comes, but for the end of the connection
    await running?.end().catch((error: unknown) => {
      app.emit({ type: 'warning', text: `a command in ${record.name} could not be ended: ${(error as Error).message}` })
    })
  }
}

function explainFailure(error: unknown): ErrorBody {
  if (error instanceof NexusError) return errorBody(error)
  return errorBody(new NexusError('INTERNAL', `Internal error: ${(error as Error).message}.`))
}

function tell(socket: WebSocket, message: Readonly<Record<string, unknown>>): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
}

interface Frame {
  readonly bytes: Buffer
  readonly binary: boolean
}

/** What comes, in order: of what came together with a frame nothing is lost while that one is looked at. */
function createFrames(socket: WebSocket) {
  const early: Frame[] = []
  let taker: ((frame: Frame) => void) | undefined
  let arrived: (() => void) | undefined
  socket.on('message', (data, binary) => {
    const frame = { bytes: bytesOf(data), binary }
    if (taker !== undefined) return taker(frame)
    early.push(frame)
    socket.pause()
    arrived?.()
  })
  return {
    first: async (): Promise<Frame | undefined> => {
      if (early.length === 0) await new Promise<void>((done) => (arrived = done))
      return early.shift()
    },
    take: (next: (frame: Frame) => void) => {
      taker = next
      socket.resume()
      for (const frame of early.splice(0)) next(frame)
    },
  }
}

/** Undefined when the client went before it. @throws {NexusError} TIMEOUT */
async function firstFrame(frames: ReturnType<typeof createFrames>, gone: Promise<void>): Promise<Frame | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => {
    const text = `No start message came within ${START_TIMEOUT_MS / 1000} s.`
    timer = setTimeout(() => fail(new NexusError('TIMEOUT', text, { hint: HINT })), START_TIMEOUT_MS)
  })
  try {
    return (await Promise.race([frames.first(), gone, late])) ?? undefined
  } finally {
    clearTimeout(timer)
  }
}

function parseStart(frame: Frame) {
  const { command: argv, cwd = null, env = {}, tty = false, columns, rows } = parse(Start, frame)
  return { argv, cwd, env, ...(tty ? { size: { columns: columns ?? 80, rows: rows ?? 24 } } : {}) }
}

const HINT = 'To see what is understood, read docs/api.md, "Exec over WebSocket"'

function parse<T extends z.ZodType>(schema: T, { bytes, binary }: Frame): z.output<T> {
  let data: unknown
  try {
    data = JSON.parse(binary ? '' : bytes.toString('utf8'))
  } catch {
    throw new NexusError('INVALID_ARGUMENT', 'The message is not a text frame with JSON.', { hint: HINT })
  }
  requirePlainText(data)
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const said = `${['message', ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'is wrong'}`
  throw new NexusError('INVALID_ARGUMENT', `${said.replace(/\.?$/, '')}.`, { hint: HINT })
}

function connect(
  socket: WebSocket,
  running: Running,
  frames: ReturnType<typeof createFrames>,
  failed: (error: unknown) => void,
): void {
  carryOut(socket, running.stdout, STDOUT)
  carryOut(socket, running.stderr, STDERR)
  running.stdin.on('drain', () => socket.resume())
  running.stdin.on('close', () => socket.resume())
  frames.take((frame) => {
    try {
      if (frame.binary) carryIn(socket, running, frame.bytes)
      else obey(running, parse(Later, frame), failed)
    } catch (error) {
      failed(error)
    }
  })
}

function carryOut(socket: WebSocket, from: Running['stdout'], channel: number): void {
  const label = Buffer.from([channel])
  from.on('data', (chunk: Buffer) => {
    if (socket.readyState !== socket.OPEN) return
    socket.send(Buffer.concat([label, chunk]), () => {
      if (socket.bufferedAmount < LOW_BYTES) from.resume()
    })
    if (socket.bufferedAmount > HIGH_BYTES) from.pause()
  })
  socket.once('close', () => from.resume())
}

function carryIn(socket: WebSocket, { stdin }: Running, frame: Buffer): void {
  if (frame[0] !== STDIN) {
    throw new NexusError('INVALID_ARGUMENT', `A binary frame begins with ${STDIN}, the channel of stdin.`, {
      hint: HINT,
    })
  }
  // what has ended, or has closed its input, takes nothing more; that is no error
  if (stdin.writable && !stdin.write(frame.subarray(1))) socket.pause()
}

function obey(running: Running, message: z.output<typeof Later>, failed: (error: unknown) => void): void {
  if (message.type === 'stdin-end') running.stdin.end()
  else if (message.type === 'signal') running.signal(message.signal).catch(failed)
  else running.resize(message).catch(failed)
}

function bytesOf(data: RawData): Buffer {
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
}
