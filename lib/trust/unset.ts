/**
 * Finds variables in compose files that are not set. Compose replaces them by nothing, so `${CONFIG}/web` means `/web`
 * of this machine. That is a mistake, so it becomes an error and no question of trust. Pure.
 */
import { NexusError } from '../core/errors.ts'
import type { Finding } from '../stack/model.ts'
import { interpolate, type Lookup } from './interpolate.ts'

export interface UnsetUse {
  /** Such as `services` and `volumes`; the key is '' below `include`. */
  readonly section: string
  readonly key: string
  /** The part of the text with the variable in it, as compose reads it. */
  readonly plain: string
  readonly names: readonly string[]
}

/** A use with the place that it means, as people read it. */
export interface PlacedUse extends UnsetUse {
  readonly shown: string
}

/** What separates the parts of a mount or of a list of options, outside of braces. */
const PARTS = /[:=,](?![^{}]*\})/
/** Without a value in case that it is not set. */
const BARE = /(?<!\$)\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g

export function listUnset(document: unknown, lookup: Lookup): readonly UnsetUse[] {
  return [...textsIn(document, [])].flatMap(({ at, text }) =>
    text.split(PARTS).flatMap((part) => {
      const used = [...part.matchAll(BARE)].map(([, plain, braced]) => plain ?? braced ?? '')
      const names = [...new Set(used)].filter((name) => lookup(name) === undefined)
      const plain = names.length === 0 ? undefined : interpolate(part, lookup)
      return plain === undefined ? [] : [{ section: at[0] ?? '', key: at[2] ?? '', plain, names }]
    }),
  )
}

/** Texts with a variable in them, by the keys that lead to them. */
function* textsIn(value: unknown, at: readonly string[]): Generator<{ at: readonly string[]; text: string }> {
  if (typeof value === 'string' && value.includes('$')) yield { at, text: value }
  else if (Array.isArray(value)) for (const one of value) yield* textsIn(one, at)
  else if (value instanceof Map) for (const [key, one] of value) yield* textsIn(one, [...at, String(key)])
}

/** The first of `findings` that is asked for only because one of `unset` is. */
export function findMistaken(findings: readonly Finding[], uses: readonly PlacedUse[], unset: readonly string[]) {
  const open = uses.filter(({ names }) => names.some((name) => unset.includes(name)))
  for (const finding of findings) {
    const use = open.find((one) => means(one, finding))
    if (use !== undefined) return { finding, names: use.names.filter((name) => unset.includes(name)) }
  }
  return undefined
}

function means({ section, key, plain, shown }: PlacedUse, { path, value }: Finding): boolean {
  const isThere = `${path}.`.startsWith(`${section}.`) && (key === '' || `${path}.`.includes(`.${key}.`))
  return isThere && (value === shown || value.startsWith(`${shown} `) || value.endsWith(`=${plain}`))
}

export function mistaken({ path, value }: Finding, names: readonly string[], hint: string): NexusError {
  const what =
    names.length === 1 ? `the variable ${names[0]}, which is` : `the variables ${names.join(', ')}, which are`
  return new NexusError('CONFIG_INVALID', `${path} uses ${what} not set, so that it would mean ${value}.`, {
    hint,
    details: { path, value, variables: names },
  })
}
