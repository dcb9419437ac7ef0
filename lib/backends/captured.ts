/** Runs a command inside to its end and returns what it said, whatever the backend. */
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { boundedPieces, wholeLines } from '../core/bounded.ts'
import { NexusError } from '../core/errors.ts'
import type { Interruption } from '../core/interruption.ts'
import type { Command } from '../core/session.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { limitLines, onLines } from '../system/lines.ts'
import type { Backend } from './backend.ts'

/** Of what a command says: from its beginning, and as much from its end. */
const KEPT_BYTES = 1024 * 1024

export interface CaptureRequest extends Command {
  readonly timeoutMs: number
  readonly onLine?: (line: string) => void
}

/** What a command inside said. */
export interface Captured {
  readonly code: number
  /** stdout and stderr as they came; of very much, the beginning and the end. */
  readonly output: string
}

/**
 * Ends it after the time limit, and upon an interruption.
 * @throws {NexusError} TIMEOUT; CONTAINER_ERROR when the connection failed
 */
export async function capture(
  { interruption }: { readonly interruption: Interruption },
  backend: Pick<Backend, 'open'>,
  record: WorkspaceRecord,
  request: CaptureRequest,
): Promise<Captured> {
  interruption.signal.throwIfAborted()
  const { cwd, env, timeoutMs } = request
  const argv = ['sh', '-c', 'exec 2>&1; exec "$@"', 'sh', ...request.argv]
  const session = backend.open(record, { argv, cwd, env, streams: 'output', apart: true })
  const onLine = request.onLine && limitLines(request.onLine)
  const said = [session.stdout, session.stderr].map((stream) => keep(stream, onLine))
  const over = Promise.all([session.ended, ...said.map(({ end }) => end)])
  over.catch(() => undefined) // told below, unless it is stopped first
  const stop = createStop(interruption.signal, timeoutMs, request.argv)
  const why = await Promise.race([over, stop.why]).finally(stop.release)
  if (why instanceof Error) {
    session.cut()
    if (interruption.signal.aborted) interruption.reset()
    // ended here alone, it would run on inside
    await session.signal('SIGKILL')
    throw why
  }
  const [code] = why
  if (code !== null) return { code, output: said.map(({ text }) => text()).join('') }
  throw new NexusError('CONTAINER_ERROR', `The connection to ${record.name} was lost.`, {
    hint: `To see what happened, run \`nexus logs ${record.name}\``,
  })
}

function keep(stream: Readable, onLine: ((line: string) => void) | undefined) {
  const pieces = boundedPieces<Buffer>(KEPT_BYTES)
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  if (onLine !== undefined) onLines(stream, onLine)
  return { end: finished(stream), text: () => wholeLines(Buffer.concat(pieces).toString()) }
}

/** `why` resolves with what stops the command before its end. */
function createStop(signal: AbortSignal, timeoutMs: number, argv: readonly string[]) {
  let release = () => {}
  const why = new Promise<Error>((done) => {
    const timer = setTimeout(() => done(timedOut(argv, timeoutMs)), timeoutMs)
    const onAbort = () => done(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    release = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  })
  return { why, release: () => release() }
}

function timedOut(argv: readonly string[], timeoutMs: number): NexusError {
  return new NexusError('TIMEOUT', `\`${argv.slice(0, 3).join(' ')}\` did not end within ${timeoutMs / 1000} s.`, {
    hint: 'To see every command and its time, repeat with `-V`',
    details: { argv: [...argv], timeoutMs },
  })
}
