/**
 * The one door through which processes start. zx spawns and captures; time limits, cancellation and killing are ours,
 * because zx's own need `ps`, know no escalation and reach only the direct child.
 *
 * argv arrays only, never shell text. Every captured child runs in its own process group, with stdin closed unless input
 * is given, and is ended by TERM, then KILL after a grace time. Every zx option is pinned and `ZX_*`, `COMPOSE_*` and
 * git's redirecting variables are dropped, so that the caller's environment cannot change what runs.
 */
import { statSync } from 'node:fs'
import { constants } from 'node:os'
import { Readable } from 'node:stream'
import { $ } from 'zx/core'
import { Interrupted, NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'

/** Milliseconds between TERM and KILL. */
export const KILL_GRACE_MS = 5_000
const DEFAULT_TIMEOUT_MS = 60_000

export interface RunOptions {
  readonly cwd?: string
  /** Added to the inherited environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
  /** Exit codes that are not an error; default only 0. `'any'` accepts all. */
  readonly okCodes?: readonly number[] | 'any'
  readonly input?: string
  /** Called for each line of stderr while the command runs. */
  readonly onLine?: (line: string) => void
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  /** Exit code; 128 + n when signal n ended the process. */
  readonly code: number
}

export interface AttachOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Called for each SIGINT, SIGTERM or SIGHUP that reaches us while the child runs, instead of dying from it. */
  readonly onSignal?: (signal: NodeJS.Signals) => void
}

export interface Runner {
  /**
   * Runs a command and captures its output.
   * @throws {CommandFailed} upon an exit code that is not ok; TIMEOUT and TOOL_MISSING as NexusError
   */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>
  /** Runs a command on the caller's own stdin, stdout and stderr and returns its exit code. */
  attach(argv: readonly string[], options?: AttachOptions): Promise<number>
}

/** A command ended with a code that its caller does not accept. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly argv: readonly string[]
  readonly result: RunResult
  constructor(argv: readonly string[], result: RunResult) {
    super(`${argv.slice(0, 3).join(' ')} ended with code ${result.code}`)
    this.argv = argv
    this.result = result
  }
}

const DROPPED =
  /^(ZX_|COMPOSE_|BASH_ENV$|GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX|CONFIG.*|ALTERNATE_OBJECT_DIRECTORIES)$)/

export function cleanEnvironment(
  base: NodeJS.ProcessEnv,
  extra: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [key, value] of Object.entries({ ...base, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', ...extra })) {
    if (value !== undefined && (!DROPPED.test(key) || key in extra)) env[key] = value
  }
  return env
}

/** Groups of running children, so that an interrupted Nexus leaves none behind. */
const liveGroups = new Set<number>()

/** Sends a signal to every running child's process group. */
export function killChildren(signal: NodeJS.Signals): void {
  for (const pid of liveGroups) kill(-pid, signal)
}

export function createRunner(emit: Emit, environment: NodeJS.ProcessEnv, interruption: Interruption): Runner {
  return {
    run: (argv, options = {}) => runCaptured(argv, options, emit, environment, interruption.signal),
    attach: (argv, options = {}) => runAttached(argv, options, emit, environment),
  }
}

function shell(argv: readonly string[], options: Record<string, unknown>) {
  const pinned = $({
    shell: '/bin/bash',
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

async function runCaptured(
  argv: readonly string[],
  options: RunOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
  aborted: AbortSignal | undefined,
): Promise<RunResult> {
  if (aborted?.aborted) throw aborted.reason
  requireFolder(options.cwd)
  const began = performance.now()
  const child = shell(argv, {
    detached: true,
    cwd: options.cwd,
    env: cleanEnvironment(environment, options.env),
    ...(options.input === undefined || options.input === ''
      ? { stdio: ['ignore', 'pipe', 'pipe'] }
      : { input: Readable.from([options.input]) }),
  })
  const ending = superviseGroup(child.pid, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, aborted)
  if (options.onLine) onLines(child.stderr, options.onLine)
  const output = await child
  const why = ending()
  const result = { stdout: output.stdout, stderr: output.stderr, code: codeOf(output.exitCode, output.signal) }
  emit({ type: 'command', argv, ms: performance.now() - began, code: result.code })
  if (why === 'aborted') throw aborted?.reason ?? new Interrupted('SIGTERM')
  if (why === 'timeout') throw timeoutError(argv, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, result)
  return accept(argv, result, options.okCodes ?? [0])
}

/** Watches one process group; the returned function ends the watch and tells why the group was ended, if it was. */
function superviseGroup(pid: number | undefined, timeoutMs: number, aborted: AbortSignal | undefined) {
  let why: 'timeout' | 'aborted' | undefined
  let hard: NodeJS.Timeout | undefined
  if (pid !== undefined) liveGroups.add(pid)
  const stop = (reason: 'timeout' | 'aborted') => {
    if (pid === undefined || why !== undefined) return
    why = reason
    kill(-pid, 'SIGTERM')
    hard = setTimeout(() => kill(-pid, 'SIGKILL'), KILL_GRACE_MS)
  }
  const onAbort = () => stop('aborted')
  const timer = setTimeout(() => stop('timeout'), timeoutMs)
  aborted?.addEventListener('abort', onAbort, { once: true })
  return () => {
    clearTimeout(timer)
    clearTimeout(hard)
    aborted?.removeEventListener('abort', onAbort)
    if (pid !== undefined) liveGroups.delete(pid)
    return why
  }
}

async function runAttached(
  argv: readonly string[],
  options: AttachOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  requireFolder(options.cwd)
  const began = performance.now()
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const onSignal = (signal: NodeJS.Signals) => options.onSignal?.(signal)
  for (const signal of signals) process.on(signal, onSignal)
  try {
    const output = await shell(argv, {
      detached: false,
      cwd: options.cwd,
      env: cleanEnvironment(environment, { LC_ALL: environment.LC_ALL, ...options.env }),
      stdio: ['inherit', 'inherit', 'inherit'],
    })
    const code = codeOf(output.exitCode, output.signal)
    emit({ type: 'command', argv, ms: performance.now() - began, code })
    return code
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

function accept(argv: readonly string[], result: RunResult, okCodes: readonly number[] | 'any'): RunResult {
  if (result.code === 127 || result.code === 126) {
    const tool = argv[0] ?? ''
    if (/(not found|No such file or directory|Permission denied|cannot execute)/.test(result.stderr)) {
      throw new NexusError('TOOL_MISSING', `The program \`${tool}\` could not be started.`, {
        hint: 'To install what Nexus needs, run `make setup`',
        details: { tool },
        output: result.stderr,
      })
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

/** bash reports a missing folder as a missing bash; say it better. */
function requireFolder(cwd: string | undefined): void {
  if (cwd !== undefined && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    throw new NexusError('INVALID_ARGUMENT', `The folder ${cwd} does not exist.`, {
      hint: 'To see the workspaces and their folders, run `nexus list --all`',
    })
  }
}

function codeOf(exitCode: number | null, signal: NodeJS.Signals | null): number {
  return exitCode ?? 128 + (signal === null ? 1 : (constants.signals[signal] ?? 1))
}

function onLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.on('data', (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString()).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => rest !== '' && onLine(rest))
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // the group ended by itself in the meantime
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
