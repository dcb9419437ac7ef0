/** The configuration for people and programs: every value with its origin, the keys, the JSON Schema. Pure. */

import {
  CHOSEN_NAME,
  CHOSEN_NAME_MAX,
  findKey,
  KEYS,
  RESERVED_PORT,
  requiredBelow,
  shortFormOf,
  wordsBelow,
} from './keys.ts'
import type { Config, Origin } from './load.ts'
import type { KeySpec } from './types.ts'

export interface ShownSetting {
  readonly key: string
  readonly value: unknown
  readonly origin: string
}

/** The keys of the table, those without a value too, and then what the user named. */
export function showConfig({ values }: Config): readonly ShownSetting[] {
  const keys = [...new Set([...settingKeys(), ...values.keys()])]
  return keys.map((key) => {
    const found = values.get(key)
    return { key, value: found?.value ?? null, origin: found === undefined ? 'unset' : formatOrigin(found.origin) }
  })
}

export function formatOrigin(origin: Origin): string {
  switch (origin.source) {
    case 'default':
      return 'default'
    case 'file':
      return `${origin.file}:${origin.line}`
    case 'flag':
      return `flag ${origin.name}`
    case 'variable':
      return `variable ${origin.name}`
  }
}

/** As typed in a configuration: lists with commas, text as it is; nothing for no value. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function settingKeys(): readonly string[] {
  return KEYS.map(({ key }) => key).filter((key) => !key.includes('*'))
}

interface SchemaNode {
  [word: string]: unknown
  properties?: Record<string, SchemaNode>
}

/** JSON Schema (draft 2020-12) of the configuration files, for editors. */
export function configSchema(): unknown {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Nexus configuration',
    description: 'config.yaml of the user and .nexus/config.yaml of a project',
    ...mapBelow(''),
  }
}

/** What may stand below a section; the words are those of the table, with `*` where the user chooses. */
function mapBelow(section: string): SchemaNode {
  const words = wordsBelow(section)
  if (words.includes('*')) {
    return {
      type: 'object',
      propertyNames: { maxLength: CHOSEN_NAME_MAX, ...(section === 'ports' ? { not: { const: RESERVED_PORT } } : {}) },
      patternProperties: { [CHOSEN_NAME.source]: nodeFor(`${section}.*`) },
      additionalProperties: false,
    }
  }
  const keys = words.map((word) => [word, section === '' ? word : `${section}.${word}`] as const)
  const required = section.endsWith('.*') ? requiredBelow(section) : []
  return {
    type: 'object',
    properties: Object.fromEntries(keys.map(([word, key]) => [word, nodeFor(key)])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

function nodeFor(key: string): SchemaNode {
  const spec = findKey(key)
  if (spec !== undefined) {
    const about = { description: describe(spec), ...(spec.default === undefined ? {} : { default: spec.default }) }
    return { ...spec.type.schema, ...about }
  }
  const short = shortFormOf(key)
  return short === undefined ? mapBelow(key) : { anyOf: [nodeFor(short), mapBelow(key)] }
}

function describe({ text, scope, projectMaySet, variable }: KeySpec): string {
  const place = scope === 'user' ? ' Not in a project.' : scope === 'project' ? ' Only in a project.' : ''
  const tighten = projectMaySet === undefined ? '' : ` A project may only set ${JSON.stringify(projectMaySet)}.`
  return `${text}.${place}${tighten}${variable === undefined ? '' : ` Variable: ${variable}.`}`
}
