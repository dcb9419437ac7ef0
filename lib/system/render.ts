/**
 * The one file that renders: Handlebars for the shape of a file, data for its policy. Values enter a template only
 * through helpers that quote: `{{yaml value}}` writes JSON text (which is YAML), `{{line value}}` one plain word,
 * `{{words list}}` several, `{{quoted value}}` a path in ssh's quotes, `{{command value}}` a line that is quoted for
 * its shell already, `{{number value}}` a whole number. A missing value throws instead of becoming "undefined".
 *
 * `renderCompose` then parses what the template made, lets policy change it as data, doubles every `$` (Compose would
 * interpolate it) and writes it out again.
 */
import Handlebars from 'handlebars/runtime'
import { Document, parse, Scalar, stringify, type Tags } from 'yaml'

/** A template as it is bundled (scripts/templates.mjs). */
export interface Template {
  readonly source: string
  readonly compiled: TemplateSpecification
}

const delegates = new WeakMap<Template, Handlebars.TemplateDelegate>()

const engine = Handlebars.create()

engine.registerHelper('yaml', (...args: unknown[]) => JSON.stringify(requireValue(args)))
engine.registerHelper('line', (...args: unknown[]) => plainWord(requireValue(args)))
engine.registerHelper('words', (...args: unknown[]) =>
  (requireValue(args) as readonly unknown[]).map(plainWord).join(' '),
)
engine.registerHelper('quoted', (...args: unknown[]) => {
  const text = String(requireValue(args))
  if (/[\p{Cc}"]/u.test(text)) throw new Error(`cannot be quoted for ssh: ${JSON.stringify(text)}`)
  return `"${text}"`
})
engine.registerHelper('command', (...args: unknown[]) => {
  const text = String(requireValue(args))
  if (/\p{Cc}/u.test(text)) throw new Error(`not one line: ${JSON.stringify(text)}`)
  return text
})
engine.registerHelper('number', (...args: unknown[]) => {
  const value = requireValue(args)
  if (!Number.isSafeInteger(value)) throw new Error(`not a whole number: ${JSON.stringify(value)}`)
  return String(value)
})

function plainWord(value: unknown): string {
  const text = String(value)
  if (!/^[\w./@:+,=*-]+$/u.test(text)) throw new Error(`not one plain word: ${JSON.stringify(text)}`)
  return text
}

function requireValue(args: readonly unknown[]): unknown {
  const [value] = args
  if (args.length !== 2 || value === undefined || value === null) throw new Error('a template value is missing')
  return value
}

/**
 * Renders a template of ours.
 * @throws {Error} (a bug of ours) when a value is missing or cannot be quoted
 */
export function renderTemplate(template: Template, data: unknown): string {
  const delegate = delegates.get(template) ?? engine.template(template.compiled)
  delegates.set(template, delegate)
  return delegate(data)
}

export type Yaml =
  | null
  | boolean
  | number
  | string
  | Override
  | Reset
  | readonly Yaml[]
  | { readonly [key: string]: Yaml }
export type YamlMap = { [key: string]: Yaml }

/** Compose's `!override`: replaces what the files below say, where a plain value would be merged with it. */
export class Override {
  readonly value: Yaml
  constructor(value: Yaml) {
    this.value = value
  }
}

/** Compose's `!reset`: takes away what the files below say. */
export class Reset {}

/** A text in which compose shall replace variables: its `$` stay as they are. */
export class Interpolated {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const COMPOSE_TAGS: Tags = [
  {
    tag: '!override',
    identify: (value) => value instanceof Override,
    resolve: (value: unknown) => value,
    createNode: (_schema, value) => {
      const node = new Document().createNode((value as Override).value, { aliasDuplicateObjects: false })
      node.tag = '!override'
      return node
    },
  },
  {
    tag: '!reset',
    identify: (value) => value instanceof Reset,
    resolve: (value: unknown) => value,
    stringify: () => 'null',
    createNode: () => Object.assign(new Scalar(null), { tag: '!reset' }),
  },
]

/** Renders a compose file: template -> data -> policy -> `$` doubled -> text, with the header as its first lines. */
export function renderCompose(
  template: Template,
  data: unknown,
  header: string,
  policy: (model: YamlMap) => YamlMap,
): string {
  return formatCompose(policy(renderModel(template, data)), header)
}

/** The data that a template of a compose file makes. */
export function renderModel(template: Template, data: unknown): YamlMap {
  return parse(renderTemplate(template, data)) as YamlMap
}

/** The data of a compose file of ours, as it is written: nothing is interpolated. */
export function parseCompose(text: string): YamlMap {
  return parse(text) as YamlMap
}

/** A compose file's text from its data: `$` doubled, every text quoted. */
export function formatCompose(model: YamlMap, header: string): string {
  const text = stringify(escapeDollars(model), {
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    lineWidth: 0,
    aliasDuplicateObjects: false,
    customTags: COMPOSE_TAGS,
  })
  return `${header}\n${escapeUnprintable(text)}`
}

/** A compose model that compose itself has resolved, with every `$` doubled already, as a file that it reads again. */
export function formatResolved(model: unknown, header: string): string {
  return `${header}\n${escapeUnprintable(JSON.stringify(model, null, 1))}\n`
}

/** Unprintable by YAML, or a line break for YAML 1.1 readers; it stands only in quoted values here. */
function escapeUnprintable(text: string): string {
  return text.replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

function escapeDollars(value: Yaml): Yaml {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$')
  if (value instanceof Override) return new Override(escapeDollars(value.value))
  if (value instanceof Reset) return value
  if (value instanceof Interpolated) return value.text
  if (Array.isArray(value)) return value.map(escapeDollars)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escapeDollars(inner as Yaml)]))
  }
  return value
}
