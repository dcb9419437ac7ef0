/**
 * What a verb is: one row from which its command, its help and completion, its page of the reference and its endpoint are made.
 * Types, the function that gives a row its types, and the error of a wrong use. A row calls one use case and shapes its
 * answer; it prints nothing.
 */
import { NexusError } from '../core/errors.ts'
import type { TerminalSize } from '../core/terminal-size.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { Repository } from '../tools/repository.ts'
import type { App, Asking } from '../workspace/app.ts'
import type { Fields, Values } from './fields.ts'

/** Where help lists a verb, in this order. */
export const GROUPS = ['everyday', 'inside', 'git', 'look', 'agents', 'care', 'configuration'] as const
export type Group = (typeof GROUPS)[number]

export interface Verb<F extends Fields = Fields> {
  readonly name: string
  readonly group: Group
  /** One that looks may take a name from another repository; one that changes something, or goes inside, never does. */
  readonly effect: Asking['effect']
  readonly aliases?: readonly string[]
  readonly summary: string
  /** In the order of the help. */
  readonly fields: F
  /** Words after `--` are a command of the user's. */
  readonly takesCommand?: boolean
  /** What follows the name, where the fields do not tell it. */
  readonly usage?: string
  /** Executed by a test. */
  readonly example: string
  readonly hidden?: boolean
  /** It ends when it is interrupted. */
  readonly endless?: boolean
  /** Signals belong to the child: an interrupt is not the end of our own work. */
  readonly passesSignals?: boolean
  /** Its exit code is that of the command inside. */
  readonly passesCode?: boolean
  /** Loads the use case when it is called, as all rows are read for every command line. */
  run(call: Call, input: Values<F>): Promise<Answer>
}

export function verb<F extends Fields>(row: Verb<F>): Verb<F> {
  return row
}

/** An error that leads to the help of the verb. */
export function usageError({ name }: Verb, message: string): NexusError {
  return new NexusError('INVALID_ARGUMENT', message, {
    hint: `To see how it is used, run \`nexus ${name} --help\``,
  })
}

/** What a verb was called with, and what it may do to the caller: by the command line, or by a request, which has no terminal. */
export interface Call {
  readonly app: App
  readonly http: boolean
  /** What came after `--`. */
  readonly rest: readonly string[]
  readonly json: boolean
  readonly version: string
  /** The folder that the caller stands in; `/` for a request. */
  readonly cwd: string
  /** How this very program is started. */
  readonly program: readonly string[]
  /** All rows, for the verbs that tell of the others. */
  readonly verbs: readonly Verb[]
  /** @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS, REPOSITORY_NOT_FOUND, INVALID_ARGUMENT */
  workspace(name: string, repo: string | undefined): Promise<WorkspaceRecord>
  /** The repository that is named; without one that of the folder, or for a request the only one that is known. */
  repository(given: string | undefined): Promise<Repository>
  /** Undefined where none is named. */
  namedRepository(given: string | undefined): Promise<Repository | undefined>
  /** Root of the repository that a look is limited to; outside of any, and for a request that names none, all are meant. */
  scope(given: string | undefined, all?: boolean): Promise<string | undefined>
  /** Says which workspace it works on, once that is known. */
  concerns(workspaceId: string): void
  /** An error that leads to the help of the verb. */
  usage(message: string): NexusError
  /**
   * Prints at once, before the answer, what a command that goes on has to say; what has to be kept in step waits for it. False when
   * nobody reads any more.
   */
  print(stream: 'stdout' | 'stderr', text: string | Uint8Array): Promise<boolean>
  /** Asks the person at the terminal, one question after the other; true for y or yes. */
  ask(questions: readonly string[]): Promise<readonly boolean[]>
  readonly stdinIsTerminal: boolean
  readonly stdoutIsTerminal: boolean
  readonly stderrIsTerminal: boolean
  /** As it is now; without limits where it is no terminal. */
  stdoutSize(): TerminalSize
  /** What only the command line has. */
  readonly cli: CommandLine | undefined
}

/** What the program has beside the verbs. */
export interface CommandLine {
  help(verb: Verb | undefined): string
  find(words: string): Verb | undefined
  /** The options of a verb, with those of every verb. */
  optionNames(verb: Verb): readonly string[]
  unknown(words: readonly string[]): NexusError
  /** Starts the server, which no other verb loads. @throws {NexusError} INVALID_ARGUMENT for what is no port */
  serve(port: string | undefined): Promise<Serving>
}

export interface Serving {
  readonly socket: string
  readonly port: number | null
  /** Resolves when its socket is gone, or another's. */
  readonly lost: Promise<void>
  /** Interrupts what runs and waits for its undoing; how many operations were let go of. */
  stop(): Promise<number>
}

/** A verb's answer: data for `--json` and for HTTP, text for people, which is made only for them. */
export interface Answer {
  readonly data: unknown
  readonly text: string | (() => string | Promise<string>)
  /** Passed through by `exec` and `ssh`. */
  readonly exitCode?: number
  /** The text is data, as a patch is: nothing in it is rewritten. */
  readonly verbatim?: boolean
}
