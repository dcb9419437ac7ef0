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
import { endAfter, hear } from './end-word.ts'
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

type Pieces = Readonly<Record<(typeof STREAMS)[number], Buffer[]>>

/** Bytes that are held for all commands. */
let held = 0

export async function runCaptured(
  argv: readonly string[],
  options: RunOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
  aborted: AbortSignal | undefined,
  relieve: () => Promise<void>,
): Promise<RunResult> {
  const began = performance.now()
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = STDOUT_MAX, endWord, onLine } = options
  const said = createStore(options.keepBytes, maxBytes, () => ending.stop('flood'))
  const child = spawnCaptured(argv, options, environment, endWord === undefined ? said.pieces : noneKept())
  const streams = { stdout: child.stdout as Readable, stderr: child.stderr as Readable }
  const closePipes = () => {
    for (const name of STREAMS) streams[name].destroy()
  }
  const letGo = options.endsWithUs && child.child && holdLifeLine(child.child)
  const ending = superviseGroup({ pid: child.pid, timeoutMs, aborted, closePipes })
  const heard = hear(streams, endWord?.word)
  const limited = onLine && limitLines(onLine)
  if (limited) for (const name of STREAMS) onLines(heard[name], limited)
  let told: number | undefined
  void heard.over.then((code) => {
    told = code
  })
  const isAlive = () => child.pid !== undefined && liveGroups.has(child.pid)
  void endAfter(heard.over, { isAlive, letGo, relieve, end: () => ending.stop('over') })
  const kept = endWord === undefined ? [] : STREAMS.map((name) => keep(heard[name], said.pieces[name]))
  const output = await child.finally(said.release)
  await Promise.all(kept)
  const why = ending.end()
  const result = resultOf(said.pieces, told ?? codeOf(output.exitCode, output.signal), options.asBytes)
  emit({ type: 'command', argv, ms: performance.now() - began, code: result.code })
  if (why === 'aborted') throw aborted?.reason ?? new Interrupted('SIGTERM')
  if (why === 'timeout') throw timeoutError(argv, timeoutMs, result)
  if (why === 'flood') throw floodError(argv, maxBytes)
  return options.anyEnd === true ? result : accept(argv, result, options.okCodes ?? [0])
}

function spawnCaptured(
  argv: readonly string[],
  { endsWithUs, input = '', cwd, env }: RunOptions,
  environment: NodeJS.ProcessEnv,
  store: Pieces,
) {
  const child = shell(endsWithUs === undefined ? argv : underLifeLine(argv, endsWithUs), {
    detached: true,
    store: { ...store, stdall: boundedPieces(0) },
    // the caller's own folder may be gone, or be what the command removes
    cwd: cwd ?? '/',
    env: childEnvironment(argv, environment, { ...env, [WORKER_VARIABLE]: markOf() }),
    ...(input === '' ? {} : { input: Readable.from([input]) }),
    stdio: [input === '' ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(endsWithUs === undefined ? [] : [LIFE_LINE])],
  })
  // it ended, or closed its stdin, before all was written: its exit code says how it went
  if (input !== '') child.stdin.on('error', () => undefined)
  return child
}

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

/** Pieces and not text: zx would decode each alone, and a letter that is cut in two would be lost. */
function createStore(keepBytes: number | undefined, maxBytes: number, onFlood: () => void) {
  const stderr = boundedPieces<Buffer>(keepBytes ?? STDERR_KEPT)
  if (keepBytes !== undefined) {
    return { pieces: { stdout: boundedPieces<Buffer>(keepBytes), stderr }, release: () => {} }
  }
  const { pieces: stdout, release } = limitedPieces(maxBytes, onFlood)
  return { pieces: { stdout, stderr }, release }
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

function resultOf(pieces: Pieces, code: number, asBytes: true | undefined): RunResult {
  const [stdout, stderr] = [textOf(pieces.stdout, asBytes && 'latin1'), textOf(pieces.stderr)]
  const cut = isCut(stdout) || isCut(stderr)
  return { stdout: wholeLines(stdout), stderr: wholeLines(stderr), code, cut }
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
