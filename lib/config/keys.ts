/**
 * Questions about the configuration's keys (`key-table.ts`): the validator, the variables, the published JSON Schema, `config
 * show` and completion are made from their answers.
 */
import { nearest } from '../core/names.ts'
import { TABLE } from './key-table.ts'
import { quote } from './problem.ts'
import type { KeySpec } from './types.ts'

/** `ssh.port_range.start` -> `NEXUS_SSH_PORT_RANGE_START`; a leading `defaults.` is dropped. */
function variableOf(key: string): string | undefined {
  if (key.includes('*') || key === 'workspace.name' || key === 'workspace.display_name') return undefined
  return `NEXUS_${key
    .replace(/^defaults\./, '')
    .replaceAll('.', '_')
    .toUpperCase()}`
}

export const KEYS: readonly KeySpec[] = TABLE.map((spec) => {
  const variable = variableOf(spec.key)
  return variable === undefined ? spec : { ...spec, variable }
})

const SPECS = KEYS.map((spec) => ({ spec, wanted: spec.key.split('.') }))

/** Names of aliases and ports. */
export const CHOSEN_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/
export const CHOSEN_NAME_MAX = 30
export const RESERVED_PORT = 'ssh'

/** Why a word cannot name an alias or a port; undefined when it can. */
export function chosenNameProblem(parent: string, word: string): string | undefined {
  if (!CHOSEN_NAME.test(word) || word.length > CHOSEN_NAME_MAX) {
    return `${quote(word)} is not a name for ${parent}: lower-case letters, digits and single dashes, at most ${CHOSEN_NAME_MAX}`
  }
  return parent === 'ports' && word === RESERVED_PORT ? `the port name ${RESERVED_PORT} is reserved` : undefined
}

/** The spec of a key as written, such as `ports.web.host`. */
export function findKey(key: string): KeySpec | undefined {
  const words = wordsOf(key)
  return SPECS.find(({ wanted }) => wanted.length === words.length && beginsWith(wanted, words))?.spec
}

/** The specs whose keys lie below `words`. */
function specsBelow(words: readonly string[]) {
  return SPECS.filter(({ wanted }) => wanted.length > words.length && beginsWith(wanted, words))
}

function beginsWith(wanted: readonly string[], words: readonly string[]): boolean {
  return words.every((word, i) => wanted[i] === '*' || wanted[i] === word)
}

function wordsOf(key: string): readonly string[] {
  return key === '' ? [] : key.split('.')
}

/** True when keys lie below this one, so that a map belongs here. */
export function isSection(key: string): boolean {
  return specsBelow(wordsOf(key)).length > 0
}

/** The next words that may stand below a section; `*` where the user chooses. */
export function wordsBelow(key: string): readonly string[] {
  const words = wordsOf(key)
  return [...new Set(specsBelow(words).flatMap(({ wanted }) => wanted[words.length] ?? []))]
}

/** `ports.web` of `ports.web.host`: what the user named, with all that it holds; undefined for other keys. */
export function entryOf(key: string): string | undefined {
  const [section = '', name = ''] = key.split('.')
  return name !== '' && wordsBelow(section).includes('*') ? `${section}.${name}` : undefined
}

/** `web: 3000` is short for `web: {container: 3000}`: the key that a plain value in place of an entry's map stands for. */
export function shortFormOf(key: string): string | undefined {
  return ['container', 'run', 'from'].map((word) => `${key}.${word}`).find((long) => findKey(long) !== undefined)
}

/** The last words of the keys that an entry is not complete without. */
export function requiredBelow(entry: string): readonly string[] {
  const [section = ''] = entry.split('.')
  return KEYS.filter((spec) => spec.required && spec.key.startsWith(`${section}.*.`)).map(
    ({ key }) => key.split('.')[2] ?? '',
  )
}

/** The known key or section that a misspelt or misplaced one was probably meant to be. */
export function nearestKey(key: string): string | undefined {
  // nobody misspells at this length, and the distance takes the product of the lengths
  if (key.length > 100) return undefined
  const words = key.split('.')
  const last = words.at(-1) ?? ''
  const parent = words.slice(0, -1).join('.')
  const sibling = nearest(
    last,
    wordsBelow(parent).filter((word) => word !== '*'),
  )
  if (sibling !== undefined) return parent === '' ? sibling : `${parent}.${sibling}`
  const known = KEYS.map((spec) => spec.key)
  const lastOf = (one: string) => one.split('.').at(-1) ?? ''
  const near = nearest(key, known) ?? known.find((one) => lastOf(one) === nearest(last, known.map(lastOf)))
  return near?.replace('*', '<name>')
}
