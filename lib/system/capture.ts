/**
 * Captured commands. zx spawns and captures; time limits, cancellation and killing are ours, because zx's own need `ps`,
 * know no escalation and reach only the direct child.
 *
 * Every child runs in its own process group, with stdin closed unless input is given, and is ended by TERM, then KILL
 * after a grace time. Every zx option is pinned.
 */
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { $, quote } from 'zx/core'
import { boundedPieces, isCut, wholeLines } from '../core/bounded.ts'
import { Interrupted, NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import { endSoon, hear } from './end-word.ts'
import { childEnvironment } from './environment.ts'
import {
  CommandFailed,
  codeOf,
  kill,
  liveGroups,
  type RunOptions,
  type RunResult,
  toolMissing,
  tooMuchSaid,
  WORKER_VARIABLE,
} from './exec.ts'
import { holdLifeLine, LIFE_LINE, underLifeLine } from './life-line.ts'
import { limitLines, onLines } from './lines.ts'
import { markOf } from './process.ts'

/** Milliseconds between TERM and KILL. */
const KILL_GRACE_MS = 5_000
/** Milliseconds after KILL until the pipes are closed: a process that left the group may hold them for ever. */
const PIPE_GRACE_MS = 500
const DEFAULT_TIMEOUT_MS = 60_000
/** Of stdout; what a workspace says is not to fill this process. */
const STDOUT_MAX = 64 * 1024 * 1024
/** Of stderr, from the beginning and as much from the end. */
const STDERR_KEPT = 32 * 1024
/** Of stdout, by all commands that this process captures at once: a server has many. */
const ALL_MAX = 256 * 1024 * 1024
/** What a piece takes beside its bytes: many small ones are as large as a few. */
const PIECE_BYTES = 256

const STREAMS = ['stdout', 'stderr'] as const

/** Bytes that are held for all commands. */
let held = 0

function shell(argv: readonly string[], options: Record<string, unknown>) {
  const pinned = $({
    shell: '/bin/bash',
    // zx's own choice needs bash in PATH
    quote,
    prefix: 'exec ',
    postfix: '',
    quiet: true,
    verbose: false,
    nothrow: true,
    preferLocal: false,
    timeout: 0 as unknown as `${number}s`,
    log: () => {},
    ...options,
  })
  return pinned`${[...argv]}`
}

export async function runCaptured(
  argv: readonly string[],
  options: RunOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
  aborted: AbortSignal | undefined,
  relieve: () => Promise<void>,
): Promise<RunResult> {
  const began = performance.now()
  // zx would decode each piece alone, and a letter that is cut in two would be lost
  const { keepBytes = STDERR_KEPT, maxBytes = STDOUT_MAX } = options
  const whole = options.keepBytes === undefined ? limitedPieces(maxBytes, () => ending.stop('flood')) : undefined
  const said = { stdout: whole?.pieces ?? boundedPieces<Buffer>(keepBytes), stderr: boundedPieces<Buffer>(keepBytes) }
  const bound = options.endsWithUs
  const withInput = options.input !== undefined && options.input !== ''
  const child = shell(bound === undefined ? argv : underLifeLine(argv, bound), {
    detached: true,
    store: { ...(options.endWord === undefined ? said : noneKept()), stdall: boundedPieces(0) },
    // the caller's own folder may be gone, or be what the command removes
    cwd: options.cwd ?? '/',
    env: childEnvironment(argv, environment, { ...options.env, [WORKER_VARIABLE]: markOf() }),
    ...(withInput ? { input: Readable.from([options.input]) } : {}),
    stdio: [withInput ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(bound === undefined ? [] : [LIFE_LINE])],
  })
  // it ended, or closed its stdin, before all was written: its exit code says how it went
  if (withInput) child.stdin.on('error', () => undefined)
  const letGo = bound !== undefined && child.child !== undefined ? holdLifeLine(child.child) : () => {}
  const ending = superviseGroup({
    pid: child.pid,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    aborted,
    closePipes: () => {
      for (const stream of [child.stdout, child.stderr]) (stream as Readable).destroy()
    },
  })
  const heard = hear({ stdout: child.stdout as Readable, stderr: child.stderr as Readable }, options.endWord?.word)
  const onLine = options.onLine && limitLines(options.onLine)
  if (onLine) for (const name of STREAMS) onLines(heard[name], onLine)
  let told: number | undefined
  void heard.over.then((code) => {
    told = code
    letGo()
    const isAlive = () => child.pid !== undefined && liveGroups.has(child.pid)
    void endSoon(isAlive, relieve, () => ending.stop('over'))
  })
  const kept = options.endWord === undefined ? [] : STREAMS.map((name) => keep(heard[name], said[name]))
  const output = await child.finally(whole?.release)
  await Promise.all(kept)
  const why = ending.end()
  const code = told ?? codeOf(output.exitCode, output.signal)
  const [stdout, stderr] = [textOf(said.stdout, options.asBytes && 'latin1'), textOf(said.stderr)]
  const cut = isCut(stdout) || isCut(stderr)
  const result = { stdout: wholeLines(stdout), stderr: wholeLines(stderr), code, cut }
  emit({ type: 'command', argv, ms: performance.now() - began, code: result.code })
  if (why === 'aborted') throw aborted?.reason ?? new Interrupted('SIGTERM')
  if (why === 'timeout') throw timeoutError(argv, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, result)
  if (why === 'flood') throw floodError(argv, maxBytes)
  return options.anyEnd === true ? result : accept(argv, result, options.okCodes ?? [0])
}

function noneKept() {
  return { stdout: boundedPieces<Buffer>(0), stderr: boundedPieces<Buffer>(0) }
}

function keep(stream: Readable, pieces: (Buffer | string)[]): Promise<void> {
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  return finished(stream)
}

/** Keeps all, until that is too much for one command or with what the others have said: then nothing more. */
function limitedPieces(maxBytes: number, onFlood: () => void) {
  const pieces: Buffer[] = []
  const add = pieces.push.bind(pieces)
  let own = 0
  pieces.push = (...more) => {
    for (const piece of more) {
      if (own > maxBytes || held > ALL_MAX) continue
      own += piece.length + PIECE_BYTES
      held += piece.length + PIECE_BYTES
      if (own > maxBytes || held > ALL_MAX) onFlood()
      else add(piece)
    }
    return pieces.length
  }
  const release = () => {
    held -= own
  }
  return { pieces, release }
}

function textOf(pieces: readonly (Buffer | string)[], encoding?: 'latin1'): string {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))
  return Buffer.concat(bytes).toString(encoding)
}

interface Supervision {
  readonly pid: number | undefined
  readonly timeoutMs: number
  readonly aborted: AbortSignal | undefined
  readonly closePipes: () => void
}

type Why = 'timeout' | 'aborted' | 'flood' | 'over'

/** Watches one process group; `end` ends the watch and tells why the group was ended, if it was. */
function superviseGroup({ pid, timeoutMs, aborted, closePipes }: Supervision) {
  let why: Why | undefined
  let hard: NodeJS.Timeout | undefined
  let last: NodeJS.Timeout | undefined
  if (pid !== undefined) liveGroups.add(pid)
  const stop = (reason: Why) => {
    if (pid === undefined || why !== undefined || !liveGroups.has(pid)) return
    why = reason
    kill(-pid, 'SIGTERM')
    hard = setTimeout(() => kill(-pid, 'SIGKILL'), KILL_GRACE_MS)
    last = setTimeout(closePipes, KILL_GRACE_MS + PIPE_GRACE_MS)
  }
  const onAbort = () => stop('aborted')
  const timer = setTimeout(() => stop('timeout'), timeoutMs)
  aborted?.addEventListener('abort', onAbort, { once: true })
  const end = () => {
    clearTimeout(timer)
    clearTimeout(hard)
    clearTimeout(last)
    aborted?.removeEventListener('abort', onAbort)
    if (pid !== undefined) liveGroups.delete(pid)
    return why
  }
  return { stop, end }
}

function accept(argv: readonly string[], result: RunResult, okCodes: readonly number[] | 'any'): RunResult {
  if (result.code === 127 || result.code === 126) {
    const tool = argv[0] ?? ''
    if (/(not found|No such file or directory|Permission denied|cannot execute)/.test(result.stderr)) {
      throw toolMissing(tool, result.stderr)
    }
  }
  if (okCodes === 'any' || okCodes.includes(result.code)) return result
  throw new CommandFailed(argv, result)
}

function timeoutError(argv: readonly string[], timeoutMs: number, result: RunResult): NexusError {
  return new NexusError('TIMEOUT', `\`${argv.slice(0, 3).join(' ')}\` did not end within ${timeoutMs / 1000} s.`, {
    hint: 'To see every command and its time, repeat with `-V`',
    details: { argv: [...argv], timeoutMs },
    output: result.stderr,
  })
}

function floodError(argv: readonly string[], maxBytes: number): NexusError {
  return tooMuchSaid(
    `\`${argv.slice(0, 3).join(' ')}\``,
    maxBytes,
    'To see every command and its time, repeat with `-V`',
  )
}
