/**
 * From argv to a call, by cac. Three things are done around it, because of what it does to words: two-word commands are
 * joined before it looks (cac never matches them), values of options are read again from argv (cac turns `0123` into a
 * number), and an unknown command is an error instead of silence.
 */
import { cac } from 'cac'
import { NexusError } from '../../lib/core/errors.ts'
import { nearest } from '../../lib/core/names.ts'
import { capitalized } from '../../lib/core/words.ts'
import { usageError, type Verb } from '../../lib/verb-form/verb.ts'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import { GLOBAL_OPTIONS, type OptionSpec, optionsOf, takesValue, type WordSpec, wordsOf } from './options.ts'

export interface Parsed {
  readonly verb: Verb | undefined
  readonly args: readonly string[]
  readonly rest: readonly string[]
  readonly options: Readonly<Record<string, readonly string[]>>
}

/** Stands for `-`, which cac takes for an option without a name that has the next word for its value. */
const DASH = '\0-'
const PREFIXES = new Set(['workspace', 'ws'])

/**
 * @throws {NexusError} INVALID_ARGUMENT for an unknown command or option, a missing or a superfluous word
 */
export function parse(argv: readonly string[]): Parsed {
  const joined = joinWords(argv)
  const [first] = joined
  const verb = first === undefined ? undefined : findVerb(first)
  if (verb === undefined) {
    const asksHelp = joined.every((word) => GLOBAL_OPTIONS.some(({ flag }) => flag.split(', ').includes(word)))
    if (asksHelp) return { verb: undefined, args: [], rest: [], options: readOptions(joined, GLOBAL_OPTIONS) }
    throw unknownCommand(joined)
  }
  const specs = [...optionsOf(verb), ...GLOBAL_OPTIONS]
  const words = splitClusters(joined, specs)
  const parser = cac('nexus')
  const known = parser.command([first, ...wordsOf(verb).map(bracket)].join(' '))
  for (const spec of specs) known.option(spec.flag, spec.text)
  known.action(() => undefined)
  const options = readOptions(words, specs)
  try {
    parser.parse(['node', 'nexus', ...hideValues(withoutFlags(words, specs), specs)], { run: false })
    if (options.help === undefined) parser.runMatchedCommand()
  } catch (error) {
    throw explain(error, verb)
  }
  const rest = (parser.options['--'] as string[] | undefined) ?? []
  if (rest.length > 0 && verb.takesCommand !== true)
    throw usageError(verb, `\`nexus ${verb.name}\` takes no command after --.`)
  const args = parser.args.filter((word) => word !== undefined)
  return { verb, args: args.map((word) => (word === DASH ? '-' : String(word))), rest, options }
}

/** `workspace up x` -> `up x`; `config show` -> `config show` as one word; options before the command go behind it. */
function joinWords(argv: readonly string[]): readonly string[] {
  const globals = new Set(GLOBAL_OPTIONS.flatMap(({ flag }) => flag.split(', ')))
  const words = [...argv]
  const before: string[] = []
  const takeGlobals = () => {
    while (globals.has(words[0] ?? '')) before.push(...words.splice(0, 1))
  }
  takeGlobals()
  if (PREFIXES.has(words[0] ?? '')) words.shift()
  takeGlobals()
  const [first, ...others] = words
  if (first === undefined) return before
  const [second, ...rest] = others
  const pair = `${first} ${second}`
  return findVerb(pair) === undefined ? [first, ...before, ...others] : [pair, ...before, ...rest]
}

export function findVerb(word: string): Verb | undefined {
  return VERBS.find(({ name, aliases }) => name === word || aliases?.includes(word))
}

function bracket({ name, optional, many }: WordSpec): string {
  const word = many ? `...${name}` : name
  return optional ? `[${word}]` : `<${word}>`
}

/** Values exactly as typed; a flag without value reads as ''. */
function readOptions(
  words: readonly string[],
  specs: readonly OptionSpec[],
): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {}
  const note = (name: string, value: string) => {
    found[name] = [...(found[name] ?? []), value]
  }
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  for (let i = 0; i < own.length; i++) {
    const word = own[i] ?? ''
    for (const spec of specs) {
      const names = spec.flag.replace(/ <.*/, '').split(', ')
      const { name } = spec
      if (!takesValue(spec) && names.includes(word)) note(name, '')
      else if (takesValue(spec) && names.includes(word) && i + 1 < own.length) note(name, own[++i] ?? '')
      else if (takesValue(spec) && names.some((long) => word.startsWith(`${long}=`)))
        note(name, word.slice(word.indexOf('=') + 1))
    }
  }
  return found
}

/** `-fq` -> `-f`, `-q` where both are flags of the command: cac takes them together, `readOptions` would not see them. */
function splitClusters(words: readonly string[], specs: readonly OptionSpec[]): readonly string[] {
  const names = (some: readonly OptionSpec[]) => some.flatMap(({ flag }) => flag.replace(/ <.*/, '').split(', '))
  const flags = new Set(names(specs.filter((spec) => !takesValue(spec))))
  const valued = new Set(names(specs.filter(takesValue)))
  const end = words.indexOf('--')
  return words.flatMap((word, i) => {
    const isCluster = /^-[a-zA-Z]{2,}$/.test(word) && (end === -1 || i < end) && !valued.has(words[i - 1] ?? '')
    const letters = isCluster ? [...word.slice(1)].map((letter) => `-${letter}`) : []
    return letters.length > 0 && letters.every((letter) => flags.has(letter)) ? letters : [word]
  })
}

/** cac gives some flags the word that follows them: `readOptions` alone reads flags. */
function withoutFlags(words: readonly string[], specs: readonly OptionSpec[]): readonly string[] {
  const flags = new Set(specs.filter((spec) => !takesValue(spec)).flatMap(({ flag }) => flag.split(', ')))
  const valued = new Set(specs.filter(takesValue).flatMap(({ flag }) => flag.replace(/ <.*/, '').split(', ')))
  const end = words.indexOf('--')
  return words.filter((word, i) => (end !== -1 && i >= end) || valued.has(words[i - 1] ?? '') || !flags.has(word))
}

/** A value such as `-1` would be read as an option: cac gets a harmless stand-in, the value is read by `readOptions`. */
function hideValues(words: readonly string[], specs: readonly OptionSpec[]): readonly string[] {
  const valued = new Set(specs.filter(takesValue).flatMap(({ flag }) => flag.replace(/ <.*/, '').split(', ')))
  const end = words.indexOf('--')
  return words.map((word, i) => {
    const inOwn = end === -1 || i < end
    if (inOwn && word === '-') return DASH
    return inOwn && i > 0 && valued.has(words[i - 1] ?? '') && !valued.has(words[i - 2] ?? '') ? 'value' : word
  })
}

function explain(error: unknown, verb: Verb): unknown {
  if (!(error instanceof Error) || error.name !== 'CACError') return error
  const said = capitalized(error.message).replaceAll('`', '')
  return usageError(verb, `${said}.`)
}

/** For words that begin no command; a word that several begin with is told what may follow it. */
export function unknownCommand(words: readonly string[]): NexusError {
  const [first = '', second = ''] = words
  const visible = VERBS.filter(({ hidden }) => hidden !== true)
  const followers = visible.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []))
  if (followers.length > 0 && (second === '' || second.startsWith('-'))) {
    return new NexusError('INVALID_ARGUMENT', `\`nexus ${first}\` needs one more word: ${followers.join(', ')}.`, {
      hint: `To see how one is used, run \`nexus ${first} ${followers[0]} --help\``,
    })
  }
  const typed = followers.length > 0 ? `${first} ${second}` : first
  const near = nearest(
    typed,
    visible.flatMap(({ name, aliases = [] }) => [name, ...aliases]),
  )
  return new NexusError('INVALID_ARGUMENT', `Unknown command \`${typed}\`.`, {
    hint:
      near === undefined ? 'To see the commands, run `nexus help`' : `To run the nearest one, use \`nexus ${near}\``,
  })
}
