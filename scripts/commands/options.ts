/** What the rows of the verbs are on the command line: words and options, and the input of a verb from what was typed. Pure. */
import { defaultOf, type Field, optionName } from '../../lib/verb-form/fields.ts'
import type { Verb } from '../../lib/verb-form/verb.ts'

export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string
  /** Such as `-f, --follow` or `--tail <lines>`. */
  readonly flag: string
  readonly text: string
  /** May be given more than once. */
  readonly many?: boolean
  /** The configuration key that the option sets for this call. */
  readonly config?: string
}

export interface WordSpec {
  readonly name: string
  readonly text: string
  readonly optional: boolean
  readonly many: boolean
}

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'json', flag: '--json', text: 'answer (and errors) as JSON' },
  { name: 'quiet', flag: '-q, --quiet', text: 'no narration on stderr' },
  { name: 'verbose', flag: '-V, --verbose', text: 'print every command that is run' },
  { name: 'help', flag: '-h, --help', text: 'show how the command is used' },
]

function rowsOf({ fields }: Verb, isWord: boolean): readonly (readonly [string, Field])[] {
  return Object.entries(fields).filter(([, { word, side }]) => side !== 'http' && (word === true) === isWord)
}

export function optionsOf(verb: Verb): readonly OptionSpec[] {
  return rowsOf(verb, false).map(([field, row]) => {
    const name = optionName(field, row)
    const flag = `${row.short === undefined ? '' : `-${row.short}, `}--${name}`
    const { text, many, config } = row
    return {
      name,
      flag: row.takes === undefined ? flag : `${flag} <${row.takes}>`,
      text,
      ...(many === undefined ? {} : { many }),
      ...(config === undefined ? {} : { config }),
    }
  })
}

export function wordsOf(verb: Verb): readonly WordSpec[] {
  return rowsOf(verb, true).map(([field, { as, text, optional, many }]) => {
    return { name: as ?? field, text, optional: optional === true, many: many === true }
  })
}

export function takesValue({ flag }: OptionSpec): boolean {
  return flag.includes('<')
}

/** @throws {NexusError} INVALID_ARGUMENT for a value that means nothing */
export function inputOf(
  verb: Verb,
  args: readonly string[],
  options: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, unknown>> {
  let place = 0
  const readValue = (field: string, row: Field): unknown => {
    if (row.side === 'http') return defaultOf(row)
    if (row.word === true) return row.many === true ? args.slice(place++) : args[place++]
    const name = optionName(field, row)
    const given = options[name]
    if (row.kind === 'flag') return (given !== undefined) !== (row.on === true)
    if (row.many === true) return given ?? []
    const last = given?.at(-1)
    return last === undefined || row.parse === undefined ? last : row.parse(last, `--${name}`)
  }
  return Object.fromEntries(Object.entries(verb.fields).map(([field, row]) => [field, readValue(field, row)]))
}
