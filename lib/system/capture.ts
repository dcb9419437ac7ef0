/**
 * Captured commands. zx spawns and captures; time limits, cancellation and killing are ours, because zx's own need `ps`,
 * know no escalation and reach only the direct child.
 *
 * Every child runs in its own process group, with stdin closed unless input is given, and is ended by TERM, then KILL
 * after a grace time. Every zx option is pinned.
 */
import { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { $, quote } from 'zx/core'
import { boundedPieces, isCut, wholeLines } from '../core/bounded.ts'
import { Interrupted, NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import { childEnvironment } from './environment.ts'
import {
  CommandFailed,
  codeOf,
  kill,
  liveGroups,
  type RunOptions,
  type RunResult,
  toolMissing,
  WORKER_VARIABLE,
} from './exec.ts'
import { holdLifeLine, LIFE_LINE, underLifeLine } from './life-line.ts'
import { markOf } from './process.ts'

/** Milliseconds between TERM and KILL. */
const KILL_GRACE_MS = 5_000
/** Milliseconds after KILL until the pipes are closed: a process that left the group may hold them for ever. */
const PIPE_GRACE_MS = 500
const DEFAULT_TIMEOUT_MS = 60_000
/** Characters; what is longer is told as several lines. */
const LINE_MAX = 64 * 1024

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
): Promise<RunResult> {
  const began = performance.now()
  // zx would decode each piece alone, and a letter that is cut in two would be lost
  const said = { stdout: collect(options), stderr: collect(options) }
  const bound = options.endsWithUs
  const withInput = options.input !== undefined && options.input !== ''
  const child = shell(bound === undefined ? argv : underLifeLine(argv, bound), {
    detached: true,
    store: { ...said, stdall: boundedPieces(0) },
    // the caller's own folder may be gone, or be what the command removes
    cwd: options.cwd ?? '/',
    env: childEnvironment(argv, environment, { ...options.env, [WORKER_VARIABLE]: markOf() }),
    ...(withInput ? { input: Readable.from([options.input]) } : {}),
    stdio: [withInput ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(bound === undefined ? [] : [LIFE_LINE])],
  })
  // it ended, or closed its stdin, before all was written: its exit code says how it went
  if (withInput) child.stdin.on('error', () => undefined)
  if (bound !== undefined && child.child !== undefined) holdLifeLine(child.child)
  const ending = superviseGroup({
    pid: child.pid,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    aborted,
    closePipes: () => {
      for (const stream of [child.stdout, child.stderr]) (stream as Readable).destroy()
    },
  })
  if (options.onLine) for (const stream of [child.stdout, child.stderr]) onLines(stream, options.onLine)
  const output = await child
  const why = ending()
  const code = codeOf(output.exitCode, output.signal)
  const [stdout, stderr] = [textOf(said.stdout), textOf(said.stderr)]
  const cut = isCut(stdout) || isCut(stderr)
  const result = { stdout: wholeLines(stdout), stderr: wholeLines(stderr), code, cut }
  emit({ type: 'command', argv, ms: performance.now() - began, code: result.code })
  if (why === 'aborted') throw aborted?.reason ?? new Interrupted('SIGTERM')
  if (why === 'timeout') throw timeoutError(argv, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, result)
  return options.anyEnd === true ? result : accept(argv, result, options.okCodes ?? [0])
}

function collect({ keepBytes }: RunOptions): (Buffer | string)[] {
  return keepBytes === undefined ? [] : boundedPieces(keepBytes)
}

function textOf(pieces: readonly (Buffer | string)[]): string {
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))).toString()
}

interface Supervision {
  readonly pid: number | undefined
  readonly timeoutMs: number
  readonly aborted: AbortSignal | undefined
  readonly closePipes: () => void
}

/** Watches one process group; the returned function ends the watch and tells why the group was ended, if it was. */
function superviseGroup({ pid, timeoutMs, aborted, closePipes }: Supervision) {
  let why: 'timeout' | 'aborted' | undefined
  let hard: NodeJS.Timeout | undefined
  let last: NodeJS.Timeout | undefined
  if (pid !== undefined) liveGroups.add(pid)
  const stop = (reason: 'timeout' | 'aborted') => {
    if (pid === undefined || why !== undefined) return
    why = reason
    kill(-pid, 'SIGTERM')
    hard = setTimeout(() => kill(-pid, 'SIGKILL'), KILL_GRACE_MS)
    last = setTimeout(closePipes, KILL_GRACE_MS + PIPE_GRACE_MS)
  }
  const onAbort = () => stop('aborted')
  const timer = setTimeout(() => stop('timeout'), timeoutMs)
  aborted?.addEventListener('abort', onAbort, { once: true })
  return () => {
    clearTimeout(timer)
    clearTimeout(hard)
    clearTimeout(last)
    aborted?.removeEventListener('abort', onAbort)
    if (pid !== undefined) liveGroups.delete(pid)
    return why
  }
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

function onLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n/)
    rest = lines.pop() ?? ''
    if (rest.length > LINE_MAX) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => rest !== '' && onLine(rest))
}
