/**
 * The types of configuration values: how each is read from YAML data and from text (a flag, a variable, `config set`), and
 * what it is in a JSON Schema. A problem is a phrase that follows the key: "must be ...". Pure.
 */

import { cacheProblem } from '../core/places-inside.ts'

export type Outcome<T = unknown> = { readonly value: T } | { readonly problem: string }

export interface ValueType<T = unknown> {
  /** From data as YAML gives it. */
  readonly check: (data: unknown) => Outcome<T>
  /** From text as typed. */
  readonly parse: (text: string) => Outcome<T>
  readonly schema: Readonly<Record<string, unknown>>
}

/** Which files may set a key. A project's file comes from a cloned repository and is not trusted with all of them. */
export type Scope = 'any' | 'user' | 'project'

export interface KeySpec {
  readonly key: string
  readonly type: ValueType
  readonly scope: Scope
  /** The only value that a project's file may give: it may tighten, never loosen. */
  readonly projectMaySet?: unknown
  readonly default?: unknown
  /** What has a chosen name is not complete without it. */
  readonly required?: true
  readonly text: string
  /** The variable that sets it; a key with a chosen name has none. */
  readonly variable?: string
}

const MINIMUM_MEMORY = 64 * 1024 ** 2
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

function text(min: number, max: number): ValueType<string> {
  const check = (data: unknown): Outcome<string> => {
    const fits = typeof data === 'string' && data.length >= min && data.length <= max && !/\p{Cc}/u.test(data)
    return fits ? { value: data } : { problem: `must be a text of ${min}-${max} characters on one line` }
  }
  return { check, parse: check, schema: { type: 'string', minLength: min, maxLength: max } }
}

function integer(min: number, max: number): ValueType<number> {
  const check = (data: unknown): Outcome<number> =>
    typeof data === 'number' && Number.isInteger(data) && data >= min && data <= max
      ? { value: data }
      : { problem: `must be a whole number of ${min}-${max}` }
  return {
    check,
    parse: (typed) => check(/^\d{1,15}$/.test(typed) ? Number(typed) : undefined),
    schema: { type: 'integer', minimum: min, maximum: max },
  }
}

const positive: ValueType<number> = {
  check: (data) =>
    typeof data === 'number' && data > 0 && Number.isFinite(data)
      ? { value: data }
      : { problem: 'must be a number above 0' },
  parse: (typed) => positive.check(/^\d+(\.\d+)?$/.test(typed) ? Number(typed) : undefined),
  schema: { type: 'number', exclusiveMinimum: 0 },
}

const boolean: ValueType<boolean> = {
  check: (data) => (typeof data === 'boolean' ? { value: data } : { problem: 'must be true or false' }),
  parse: (typed) => boolean.check(typed === 'true' ? true : typed === 'false' ? false : undefined),
  schema: { type: 'boolean' },
}

function choice<T extends string>(...words: readonly T[]): ValueType<T> {
  const check = (data: unknown): Outcome<T> =>
    words.includes(data as T) ? { value: data as T } : { problem: `must be ${words.join(' or ')}` }
  return { check, parse: check, schema: { enum: words } }
}

/** A choice that once was a boolean, which is still taken for what it meant. */
function graded<T extends string>(words: readonly T[], no: T, yes: T): ValueType<T> {
  const { check } = choice(...words)
  return {
    check: (data) => check(data === true ? yes : data === false ? no : data),
    parse: (typed) => check(typed === 'true' ? yes : typed === 'false' ? no : typed),
    schema: { enum: [...words, true, false] },
  }
}

function matching(pattern: RegExp, problem: string): ValueType<string> {
  const check = (data: unknown): Outcome<string> =>
    typeof data === 'string' && pattern.test(data) ? { value: data } : { problem }
  return { check, parse: check, schema: { type: 'string', pattern: pattern.source } }
}

const DURATION = /^(?:off|(?=\d)(?:\d{1,5}d)?(?:\d{1,5}h)?(?:\d{1,5}m)?(?:\d{1,7}s)?)$/

// YAML 1.2 reads a bare `off` as text, so nothing else is needed
const duration = matching(DURATION, 'must be a duration such as 30m or 1h30m, or off')

/** Kept in bytes. */
const size: ValueType<number> = {
  check: (data) => {
    const match = /^(\d{1,12})([bkmgt]?)b?$/i.exec(String(data))
    const bytes = Number(match?.[1] ?? 0) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? 0)
    if (match === null || (typeof data !== 'string' && typeof data !== 'number'))
      return { problem: 'must be a size such as 512m or 2g' }
    return bytes >= MINIMUM_MEMORY ? { value: bytes } : { problem: 'must be at least 64m' }
  },
  parse: (typed) => size.check(typed),
  schema: { type: ['string', 'integer'], pattern: '^[0-9]{1,12}[bBkKmMgGtT]?[bB]?$' },
}

const path: ValueType<string> = {
  check: (data) =>
    typeof data === 'string' && data !== '' && !/\p{Cc}/u.test(data) ? { value: data } : { problem: 'must be a path' },
  parse: (typed) => path.check(typed),
  schema: { type: 'string', minLength: 1 },
}

/** A folder inside that is a volume. */
const cache: ValueType<string> = {
  ...text(1, 250),
  check: (data) => {
    const problem = typeof data === 'string' ? cacheProblem(data) : undefined
    if (problem === undefined) return text(1, 250).check(data)
    return { problem: `must be a folder inside such as ~/.npm: ${JSON.stringify(data)} ${problem}` }
  },
  parse: (typed) => cache.check(typed),
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/

const variable = matching(VARIABLE, 'must be the name of a variable: letters, digits and underscores, no digit first')

export const types = { text, integer, positive, boolean, choice, graded, duration, size, path, cache, variable }

/** A list; as text its items are separated by commas. */
export function arrayOf<T>(item: ValueType<T>): ValueType<readonly T[]> {
  const all = (outcomes: readonly Outcome<T>[]): Outcome<readonly T[]> => {
    const problem = outcomes.find((outcome) => 'problem' in outcome)
    return problem ?? { value: outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : [])) }
  }
  return {
    check: (data) => (Array.isArray(data) ? all(data.map(item.check)) : { problem: 'must be a list' }),
    parse: (typed) => all(typed.trim() === '' ? [] : typed.split(',').map((part) => item.parse(part.trim()))),
    schema: { type: 'array', items: item.schema },
  }
}

/** True for types whose value is a path, alone or in a list: `~` and relative paths are resolved when they are read. */
export function holdsPath(type: ValueType): boolean {
  return type === path || (type.schema.items !== undefined && type.schema.items === path.schema)
}
