/**
 * One command in many workspaces, side by side, so many at a time. What they say goes to the caller as it comes, and waits for
 * the caller: nothing piles up. A signal ends all of them inside too, and starts no other.
 */
import type { Readable } from 'node:stream'
import { boundedPieces, isCut, wholeLines } from '../../core/bounded.ts'
import { Interrupted, NexusError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import type { WorkspaceRecord, WorkspaceState } from '../../core/workspace.ts'
import { catchSignals } from '../../system/runner.ts'
import type { App } from '../app.ts'
import { observeAll } from '../observe.ts'
import { bringBackCommits, goInside, requireCommand } from './inside.ts'

export const STREAMS = ['stdout', 'stderr'] as const
export type StreamName = (typeof STREAMS)[number]

/** Milliseconds after the first signal. */
const TERM_AFTER_MS = 1_500
const KILL_AFTER_MS = 5_000
const CUT_AFTER_MS = 7_000
/** Of each stream of a command whose output is kept, from the beginning and as much from the end. */
const KEPT_BYTES = 512 * 1024

export interface ExecAllRequest {
  readonly records: readonly WorkspaceRecord[]
  readonly argv: readonly string[]
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
  /** How many at a time. */
  readonly jobs: number
  /** Ends all of them, as a signal would. */
  readonly cancelled?: AbortSignal
  /** Called with what one says, null at the end of the stream; false when nobody reads any more. Without it, the output is kept. */
  readonly onOutput?: (index: number, stream: StreamName, chunk: Buffer | null) => Promise<boolean>
}

/** What became of one; without exit code it did not run, or its connection was lost. */
export interface Ran {
  readonly record: WorkspaceRecord
  readonly state: WorkspaceState
  readonly exitCode: number | null
  /** Why there is no exit code. */
  readonly why: string | null
  readonly ms: number
  readonly stdout: string
  readonly stderr: string
  /** Something of what it said is left out. */
  readonly cut: boolean
}

export interface ExecAllOutcome {
  /** In the order of the records. */
  readonly ran: readonly Ran[]
  readonly interrupted: Interrupted | undefined
}

export async function execAll(app: App, request: ExecAllRequest): Promise<ExecAllOutcome> {
  requireCommand(request, '--all')
  const seen = await observeAll(app, request.records)
  const ran: Ran[] = seen.map(({ record, state, reason }) => ({
    record,
    state,
    exitCode: null,
    ms: 0,
    stdout: '',
    stderr: '',
    cut: false,
    why: reason === '' ? state : `${state}: ${reason}`,
  }))
  const waiting = ran.flatMap(({ state }, index) => (state === 'running' ? [index] : []))
  const crew = createCrew()
  const release = catchSignals(crew.onSignal)
  const onCancel = () => crew.onSignal('SIGINT')
  request.cancelled?.addEventListener('abort', onCancel, { once: true })
  const worker = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      const one = ran[index]
      if (one === undefined || crew.isEnding()) continue
      ran[index] = { ...one, ...(await runOne(app, request, one.record, index, crew)) }
    }
  }
  try {
    await Promise.all(Array.from({ length: request.jobs }, worker))
  } finally {
    release()
    request.cancelled?.removeEventListener('abort', onCancel)
    crew.dismiss()
  }
  return { ran, interrupted: crew.interrupted() }
}

type Crew = ReturnType<typeof createCrew>

/**
 * The sessions that run, and how they are ended: the first signal asks, and insists after a while, as what a shell runs in the
 * background is deaf to a Ctrl-C and may hold the streams for ever; the second does not wait.
 */
function createCrew() {
  const sessions = new Set<Session>()
  const timers: NodeJS.Timeout[] = []
  let interrupted: Interrupted | undefined
  let isClosed = false
  const insist = () => {
    timers.push(setTimeout(() => end('SIGTERM'), TERM_AFTER_MS))
    timers.push(setTimeout(() => end('SIGKILL'), KILL_AFTER_MS))
    timers.push(setTimeout(cut, CUT_AFTER_MS))
  }
  const cut = () => {
    for (const session of sessions) session.cut()
  }
  const end = (signal: NodeJS.Signals) => {
    for (const session of sessions) session.signal(signal).catch(() => session.cut()) // out of reach: at least our side of it ends
  }
  return {
    isEnding: () => isClosed || interrupted !== undefined,
    interrupted: () => interrupted,
    onSignal: (signal: NodeJS.Signals) => {
      if (interrupted === undefined) {
        end(signal)
        insist()
      } else cut()
      interrupted ??= new Interrupted(signal as 'SIGINT' | 'SIGTERM' | 'SIGHUP')
    },
    /** Nobody reads what they say. */
    close: () => {
      if (isClosed) return
      isClosed = true
      end('SIGPIPE')
      insist()
    },
    dismiss: () => {
      for (const timer of timers) clearTimeout(timer)
    },
    during: async <T>(session: Session, body: () => Promise<T>): Promise<T> => {
      sessions.add(session)
      try {
        const result = await body()
        // what it has left in the background too, where that can still be reached
        if (interrupted !== undefined) await session.signal('SIGTERM').catch(() => undefined)
        return result
      } finally {
        sessions.delete(session)
      }
    },
  }
}

async function runOne(
  app: App,
  request: ExecAllRequest,
  found: WorkspaceRecord,
  index: number,
  crew: Crew,
): Promise<Partial<Ran>> {
  const began = performance.now()
  try {
    const { record, backend } = await goInside(app, found)
    const { argv, cwd, env } = request
    const session = backend.open(record, { argv, cwd, env, streams: 'output' })
    const [exitCode, stdout, stderr] = await crew.during(session, () =>
      Promise.all([session.ended, ...STREAMS.map((name) => pump(request, index, name, session[name], crew))]),
    )
    await bringBackCommits(app, record)
    const ms = performance.now() - began
    const why = exitCode === null ? 'the connection was lost' : null
    const cut = isCut(stdout ?? '') || isCut(stderr ?? '')
    return { exitCode, why, ms, cut, stdout: wholeLines(stdout ?? ''), stderr: wholeLines(stderr ?? '') }
  } catch (error) {
    // one that cannot be reached must not end the others
    if (!(error instanceof NexusError) || error.code === 'INVALID_ARGUMENT') throw error
    return { why: error.message, ms: performance.now() - began }
  }
}

/** The text that is kept. */
async function pump(
  { onOutput }: ExecAllRequest,
  index: number,
  name: StreamName,
  stream: Readable,
  crew: Crew,
): Promise<string> {
  const kept = boundedPieces<Buffer>(KEPT_BYTES)
  for await (const chunk of stream) {
    if (onOutput === undefined) kept.push(chunk as Buffer)
    else if (!(await onOutput(index, name, chunk as Buffer))) crew.close()
  }
  if (onOutput !== undefined) await onOutput(index, name, null)
  return Buffer.concat(kept).toString()
}
