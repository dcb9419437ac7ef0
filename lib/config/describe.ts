/** The configuration for people and programs: every value with its origin, the keys, the JSON Schema. Pure. */
import { CHOSEN_NAME, KEYS, type KeySpec } from './keys.ts'
import type { Config, Origin } from './load.ts'

export interface ShownSetting {
  readonly key: string
  readonly value: unknown
  readonly origin: string
}

export function showConfig({ values }: Config): readonly ShownSetting[] {
  return [...values].map(([key, { value, origin }]) => ({ key, value, origin: formatOrigin(origin) }))
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

/** As typed in a configuration: lists with commas, text as it is. */
export function formatValue(value: unknown): string {
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
  const root: SchemaNode = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Nexus configuration',
    description: 'config.yaml of the user and .nexus/config.yaml of a project',
    ...emptyMap(),
  }
  for (const spec of KEYS) place(root, spec)
  return root
}

function emptyMap(): SchemaNode {
  return { type: 'object', additionalProperties: false }
}

function place(root: SchemaNode, spec: KeySpec): void {
  const words = spec.key.split('.')
  let node = root
  for (const word of words.slice(0, -1)) node = word === '*' ? chosen(node) : child(node, word)
  const last = words.at(-1) ?? ''
  const about = { description: describe(spec), ...(spec.default === undefined ? {} : { default: spec.default }) }
  node.properties = { ...node.properties, [last]: { ...spec.type.schema, ...about } }
}

function child(node: SchemaNode, word: string): SchemaNode {
  const made = node.properties?.[word] ?? emptyMap()
  node.properties = { ...node.properties, [word]: made }
  return made
}

/** Names that the user chooses; a port may also be written as its container port alone. */
function chosen(node: SchemaNode): SchemaNode {
  const patterns = (node.patternProperties ?? {}) as Record<string, SchemaNode>
  const made = patterns[CHOSEN_NAME.source] ?? emptyMap()
  node.patternProperties = { [CHOSEN_NAME.source]: made }
  return made
}

function describe({ text, scope, projectMaySet, variable }: KeySpec): string {
  const place = scope === 'user' ? ' Not in a project.' : scope === 'project' ? ' Only in a project.' : ''
  const tighten = projectMaySet === undefined ? '' : ` A project may only set ${JSON.stringify(projectMaySet)}.`
  return `${text}.${place}${tighten}${variable === undefined ? '' : ` Variable: ${variable}.`}`
}
