/**
 * What a verb takes, as plain data: one row for each option, word or field of a request. The command line makes its options,
 * help and completion from the rows, the server its checks and its document. Pure; nothing of either side is loaded here.
 */

/** How a value is written; without one it is text. */
type Kind = 'flag' | 'integer' | 'number' | 'choice' | 'list' | 'variables'

type Completes = 'workspaces' | 'keys' | 'places' | 'shells' | 'trash'

interface Row {
  readonly kind?: Kind
  /** What it means, as help says it. */
  readonly text: string
  /** Stands by itself on the command line, without an option before it. */
  readonly word?: true
  /** A word that may be left out. */
  readonly optional?: boolean
  /** May be given more than once; of words the last one alone. */
  readonly many?: boolean
  readonly completes?: Completes
  /** What the command line calls it, where that is not the name of the field. */
  readonly as?: string
  /** What an option takes, such as `lines` of `--tail <lines>`; a flag takes nothing. */
  readonly takes?: string
  /** One letter that is the same option. */
  readonly short?: string
  /** The configuration key that it sets for this call. */
  readonly config?: string
  /** A flag that holds unless it is denied: `--no-<name>`, or false over HTTP. */
  readonly on?: boolean
  /** What the document of the API says of it, where that is not `text`; '' for nothing. */
  readonly http?: string
  /** Only one of both sides has it. */
  readonly side?: 'cli' | 'http'
  /** Characters of a text, largest number, or entries of a list; what goes in is checked over HTTP. */
  readonly max?: number
  readonly min?: number
  readonly choices?: readonly [string, ...string[]]
  /** Of the entries of a list: what one is, and how long. */
  readonly entry?: readonly [text: string, max: number]
  /** What a text has to match over HTTP. */
  readonly pattern?: RegExp
  /** Makes a value of what was typed. `said` is the option or field, for errors. @throws {NexusError} INVALID_ARGUMENT */
  readonly parse?: (typed: string, said: string) => unknown
}

declare const VALUE: unique symbol

/** A row, with the type of the value that a verb gets. */
export interface Field<V = unknown> extends Row {
  readonly [VALUE]?: V
}

export type Fields = Readonly<Record<string, Field>>
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer V> ? V : never }

type More = Omit<Row, 'text' | 'kind' | 'takes' | 'word' | 'parse'>
type Valued = More & { readonly kind?: Kind }

export const flag = (text: string, more: More = {}): Field<boolean> => ({ kind: 'flag', text, ...more })

export const option = (takes: string, text: string, more: Valued = {}): Field<string | undefined> => ({
  text,
  takes,
  ...more,
})

/** An option that may be given more than once. */
export const options = (takes: string, text: string, more: Valued = {}): Field<readonly string[]> => ({
  text,
  takes,
  many: true,
  ...more,
})

export const word = (text: string, more: More = {}): Field<string> => ({ text, word: true, ...more })

export const optionalWord = (text: string, more: More = {}): Field<string | undefined> => ({
  text,
  word: true,
  optional: true,
  ...more,
})

/** One or more words. */
export const words = (text: string, more: More = {}): Field<readonly string[]> => ({
  text,
  word: true,
  many: true,
  ...more,
})

/** A value that is made of what was typed. */
export const parsed = <V>(
  takes: string,
  text: string,
  parse: (typed: string, said: string) => V,
  more: Valued = {},
): Field<V | undefined> => ({ text, takes, parse, ...more })

/** `deleteBranch` -> `delete-branch`; `no-start` for a flag that is denied. */
export function optionName(name: string, { as, on }: Field): string {
  return `${on === true ? 'no-' : ''}${as ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** What a verb gets for a field of which nothing was said. */
export function defaultOf({ kind, on, many }: Field): unknown {
  if (kind === 'flag') return on === true
  return many === true ? [] : undefined
}
