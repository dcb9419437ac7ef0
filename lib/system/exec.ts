/** Types of running a command: options, streams, result and failures. `runner.ts` starts commands. */
import { statSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { NexusError } from '../core/errors.ts'
import { relativeWords } from '../core/relative-words.ts'

/** A command that writes a word to both streams when it has ended (`end-word.ts`), with its exit code. */
export interface EndWord {
  readonly word: string
  /** Called when a background process holds the streams: it lets another process read them. */
  readonly relieve?: readonly string[]
}

/** A command that ends when Nexus ends, also by SIGKILL (`life-line.ts`). */
export interface EndsWithUs {
  /** The last command, when Nexus ended first: it ends what goes on inside a workspace. */
  readonly last?: readonly string[]
}

export interface RunOptions {
  /** Default: `/`. */
  readonly cwd?: string
  /** Added to the inherited environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
  /** Exit codes that are not an error; default only 0. `'any'` accepts all. */
  readonly okCodes?: readonly number[] | 'any'
  readonly input?: string | Buffer
  /** Called for each line of stdout and stderr while the command runs. */
  readonly onLine?: (line: string) => void
  /** Accepts every end; 126 and 127 are the inner program's codes and do not become TOOL_MISSING. */
  readonly anyEnd?: boolean
  readonly endsWithUs?: EndsWithUs
  /**
   * Keeps about so many bytes from the beginning and the end of stdout and stderr, in whole lines. By default only
   * stderr is cut like this: a command that writes too much to stdout is ended.
   */
  readonly keepBytes?: number
  /** Of stdout, where `keepBytes` is not given; default: 64 MiB. */
  readonly maxBytes?: number
  /** Stdout comes as bytes, one per character (latin1): names of files need not be UTF-8. */
  readonly asBytes?: true
  readonly endWord?: EndWord
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  /** Exit code; 128 + n when signal n ended the process. */
  readonly code: number
  /** The output was longer than `keepBytes`. */
  readonly cut?: boolean
}

export interface AttachOptions {
  /** Default: `/`. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Called for each SIGINT, SIGTERM or SIGHUP that reaches us while the child runs, instead of dying from it. */
  readonly onSignal?: (signal: NodeJS.Signals) => void
  readonly endsWithUs?: EndsWithUs
  readonly endWord?: EndWord
}

/** A command whose streams are the caller's to read and to write. */
export interface Begun {
  /** stdin; closed unless it was asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Exit code, when it has ended; 128 + n for signal n. */
  readonly ended: Promise<number>
  kill(signal: NodeJS.Signals): void
}

export interface BeginOptions {
  /** Default: `/`. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Its stdin is a pipe of ours; else it is closed. */
  readonly input?: boolean
  readonly endsWithUs?: EndsWithUs
  readonly endWord?: EndWord
}

/** A small process that runs a command when Nexus ends without having dismissed it, also by SIGKILL. */
export interface Guard {
  dismiss(): void
}

/** A command that outlives Nexus. */
export interface Daemon {
  /** True when it has ended or could not be started. */
  hasEnded(): boolean
}

export type Attach = (argv: readonly string[], options?: AttachOptions) => Promise<number>

export interface Runner {
  /**
   * Runs a command and captures its output.
   * @throws {CommandFailed} upon an exit code that is not ok; TIMEOUT and TOOL_MISSING as NexusError; one that
   * `isTooMuch` knows
   */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>
  /**
   * Runs a command on the caller's own stdin, stdout and stderr and returns its exit code.
   * @throws {NexusError} DISK_FULL, after its end, for a stdout that could not be written
   */
  readonly attach: Attach
  /**
   * Starts a command and hands its streams over, of which nothing is kept: what is not read holds it up.
   * @throws {NexusError} TOOL_MISSING, from `ended`
   */
  begin(argv: readonly string[], options?: BeginOptions): Begun
  /**
   * Starts a program of the user, such as an editor, without a terminal; it goes on when Nexus ends. Its exit code when
   * it ends within `waitMs`, else null.
   */
  launch(argv: readonly string[], waitMs: number): Promise<number | null>
  /** Stands by with a command, whose output goes to `logFile` (a folder that exists). */
  guard(argv: readonly string[], logFile: string): Guard
  /** Starts a command that outlives Nexus, in `/` and in a new session; its output replaces `logFile`. */
  daemon(argv: readonly string[], logFile: string): Daemon
}

/** A command was ended because it wrote too much to stdout. */
export function isTooMuch(error: unknown): error is NexusError {
  return error instanceof NexusError && error.details?.tooMuch === true
}

export function tooMuchSaid(what: string, maxBytes: number, hint: string): NexusError {
  const text = `${what} said more than ${Math.ceil(maxBytes / 1024 / 1024)} MiB, which is too much to be read here.`
  return new NexusError('CONTAINER_ERROR', text, { hint, details: { tooMuch: true, maxBytes } })
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

/** In the environment of every captured command: which Nexus started it (`markOf`). */
export const WORKER_VARIABLE = 'NEXUS_WS_WORKER'

const DROPPED =
  /^(NEXUS_WS_WORKER$|ZX_|COMPOSE_|BASH_ENV$|GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT|CONFIG_KEY_.*|CONFIG_VALUE_.*|ALTERNATE_OBJECT_DIRECTORIES)$)/

/** Variables for git's programs and settings: a relative path in them would mean a stranger's worktree. */
const COMMANDS = /^(GIT_(SSH|SSH_COMMAND|ASKPASS|PROXY_COMMAND|EXTERNAL_DIFF)|SSH_ASKPASS)$/
const PATHS = /^(GIT_(TEMPLATE_DIR|EXEC_PATH|CONFIG_GLOBAL|CONFIG_SYSTEM)|XDG_CONFIG_HOME)$/

function hangsOnFolder(key: string, value: string): boolean {
  if (PATHS.test(key)) return !value.startsWith('/')
  return COMMANDS.test(key) && relativeWords(value, () => false).length > 0
}

export function cleanEnvironment(
  base: NodeJS.ProcessEnv,
  extra: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [key, value] of Object.entries({ ...base, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', ...extra })) {
    if (value !== undefined && (key in extra || !(DROPPED.test(key) || hangsOnFolder(key, value)))) env[key] = value
  }
  return env
}

/** Groups of running children, so that an interrupted Nexus leaves none behind. */
export const liveGroups = new Set<number>()

export function toolMissing(tool: string, output?: string): NexusError {
  return new NexusError('TOOL_MISSING', `The program \`${tool}\` could not be started.`, {
    hint: 'To see what Nexus needs and is missing, run `nexus doctor`',
    details: { tool },
    output,
  })
}

/** bash reports a missing folder as a missing bash; say it better. */
export function requireFolder(cwd: string | undefined): void {
  if (cwd !== undefined && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    throw new NexusError('INVALID_ARGUMENT', `The folder ${cwd} does not exist.`, {
      hint: 'To see the workspaces and their folders, run `nexus list --all`',
    })
  }
}

export function codeOf(exitCode: number | null, signal: NodeJS.Signals | null): number {
  return exitCode ?? 128 + (signal === null ? 1 : (constants.signals[signal] ?? 1))
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // the group has ended by itself
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
