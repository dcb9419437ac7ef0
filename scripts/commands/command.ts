/** What a command is: its words, its options, and the function behind it. Types, and the one way to read options. */
import type { App, Asking } from '../../lib/workspace/app.ts'

export interface OptionSpec {
  /** Such as `-f, --follow` or `--tail <lines>`. */
  readonly flag: string
  readonly text: string
  /** May be given more than once. */
  readonly many?: boolean
  /** The configuration key that the option sets for this call. */
  readonly config?: string
}

export interface ArgSpec {
  readonly name: string
  readonly text: string
  readonly optional?: boolean
  /** The last one; may be given more than once. */
  readonly many?: boolean
  readonly completes?: 'workspaces' | 'keys' | 'places' | 'shells' | 'trash'
}

export interface Command {
  readonly name: string
  /** One that looks may take a name from another repository; one that changes something, or goes inside, never does. */
  readonly effect: Asking['effect']
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly args: readonly ArgSpec[]
  readonly options: readonly OptionSpec[]
  /** Words after `--` are a command of the user's. */
  readonly takesCommand?: boolean
  /** What follows the name, where the words above do not tell it. */
  readonly usage?: string
  /** Executed by a test. */
  readonly example: string
  readonly hidden?: boolean
  /** It ends when it is interrupted. */
  readonly endless?: boolean
  /** Signals belong to the child: an interrupt is not the end of our own work. */
  readonly passesSignals?: boolean
  readonly load: () => Promise<Run>
}

/** What a command was called with. */
export interface Call {
  readonly app: App
  readonly args: readonly string[]
  /** What came after `--`. */
  readonly rest: readonly string[]
  flag(name: string): boolean
  /** The last value given for an option. */
  value(name: string): string | undefined
  values(name: string): readonly string[]
  /**
   * Prints at once, before the answer, what a command that goes on has to say; what has to be kept in step waits for it. False when
   * nobody reads any more.
   */
  print(stream: 'stdout' | 'stderr', text: string | Uint8Array): Promise<boolean>
  readonly json: boolean
  readonly version: string
  readonly cwd: string
  /** How this very program is started. */
  readonly program: readonly string[]
  readonly stdinIsTerminal: boolean
  readonly stdoutIsTerminal: boolean
  /** As it is now; without limits where it is no terminal. */
  stdoutSize(): TerminalSize
  readonly stderrIsTerminal: boolean
}

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A command's answer for stdout: data for `--json`, text for people. */
export interface Answer {
  readonly data: unknown
  readonly text: string
  /** Passed through by `exec` and `ssh`. */
  readonly exitCode?: number
  /** The text is data, as a patch is: nothing in it is rewritten. */
  readonly verbatim?: boolean
}

export type Run = (call: Call) => Promise<Answer>

/** The long name of an option: `--tail <lines>` -> `tail`. */
export function optionName({ flag }: OptionSpec): string {
  return /--([a-z-]+)/.exec(flag)?.[1] ?? ''
}

export function takesValue({ flag }: OptionSpec): boolean {
  return flag.includes('<')
}
