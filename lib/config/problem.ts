/** What is wrong in a configuration file and where, as one error, and how a message quotes what a stranger wrote. Pure. */
import { NexusError } from '../core/errors.ts'
import { printable, writeOut } from '../core/visible.ts'

export interface Problem {
  /** Counted from 1. */
  readonly line: number
  /** Counted from 1. */
  readonly column: number
  /** A sentence without its full stop. */
  readonly text: string
  readonly hint?: string
}

const QUOTED_MAX = 60

/** CONFIG_INVALID that tells the first problem; all of them are in `details.problems`. */
export function invalidFile(file: string, problems: readonly Problem[]): NexusError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column)
  const [first] = sorted
  if (first === undefined) throw new Error('no problem to tell')
  return new NexusError('CONFIG_INVALID', `${file}:${first.line}:${first.column}: ${first.text}.`, {
    hint: first.hint ?? 'To see the keys and their values, run `nexus config show --origin`',
    details: { file, problems: sorted },
  })
}

/** As a JSON string, short, and with nothing in it that a terminal obeys or that turns the direction of reading. */
export function quote(text: string): string {
  const short = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX - 3)}...` : text
  return printable(JSON.stringify(short))
}

/** A key, or a part of one, as a message names it: quoted when it is not plain. */
export function nameKey(key: string): string {
  return /^[\w.-]{1,100}$/.test(key) ? key : quote(key)
}

/** A message of the parser's on one line, with what it quotes of the file made harmless. */
export function onOneLine(message: string): string {
  const line = writeOut(message, () => '\n').replace(/\n+/g, ' ')
  return line.length > 200 ? `${line.slice(0, 197)}...` : line
}
