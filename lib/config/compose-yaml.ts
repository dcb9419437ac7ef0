/**
 * Reads a project's compose file as data, without Docker. The file is a stranger's: it is bounded in size, depth and in what
 * its aliases may unfold to, and a tag that would make compose read a value otherwise than we do (`!!binary`) is refused.
 * Nothing is interpolated, nothing else is read.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml'
import { invalidFile, nameKey, type Problem, quote } from './problem.ts'
import { readText } from './read.ts'
import { parseYamlDocuments } from './yaml-text.ts'

/** A map of YAML. Not an object, whose prototype a stranger's keys could meet. */
export type ParsedYamlMap = ReadonlyMap<string, unknown>

export const COMPOSE_FILE_MAX_BYTES = 1024 * 1024
const LIMITS = { what: 'a compose file', bytes: COMPOSE_FILE_MAX_BYTES, depth: 50 }
/** Entries that a file's aliases may unfold to: compose makes all of them, and knows no limit. */
const UNFOLDED_MAX = 50_000
const STANDARD_TAGS = ['str', 'int', 'float', 'bool', 'null', 'map', 'seq', 'merge'].map(
  (word) => `tag:yaml.org,2002:${word}`,
)
/** Compose's own two, with which a later file replaces what an earlier one says. */
const TAGS = new Set([...STANDARD_TAGS, '!reset', '!override', '!'])
const UNFOLDING = Symbol('an anchor whose value is not complete yet')

/**
 * The documents of a compose file: maps, lists, and scalars as the text that stands there. Undefined when there is no file.
 * @throws {NexusError} CONFIG_INVALID with file, line and column
 */
export async function readComposeYaml(file: string): Promise<readonly unknown[] | undefined> {
  const text = await readText(file, { maxBytes: COMPOSE_FILE_MAX_BYTES })
  return text === undefined ? undefined : parseComposeYaml(file, text)
}

/** @throws {NexusError} CONFIG_INVALID with file, line and column */
export function parseComposeYaml(file: string, text: string): readonly unknown[] {
  const { documents, problems, position } = parseYamlDocuments(text.replace(/^\uFEFF/, ''), LIMITS)
  if (problems.length > 0) throw invalidCompose(file, problems)
  const unfolding: Unfolding = {
    anchors: new Map(),
    sizes: new Map(),
    unfolded: 0,
    refuse: (what, node) => {
      throw invalidCompose(file, [{ ...position(node?.range?.[0] ?? 0), text: what }])
    },
  }
  return documents.map((document: Document) => {
    unfolding.anchors.clear()
    return unfold(document.contents as Node | null, unfolding)
  })
}

function invalidCompose(file: string, problems: readonly Problem[]) {
  const name = /^[\w./@+-]+$/.test(file) ? file : quote(file)
  const hint = `To see what compose makes of it, run \`docker compose -f ${name} config --quiet\``
  return invalidFile(
    file,
    problems.map((problem) => ({ hint, ...problem })),
  )
}

interface Unfolding {
  /** Values of the anchors seen so far, in the order of the text: an alias means the last one above it. */
  readonly anchors: Map<string, unknown>
  /** Entries that each anchor stands for, with all that its own aliases unfold to. */
  readonly sizes: Map<string, number>
  /** Entries so far, as compose will have them in memory. */
  unfolded: number
  refuse(what: string, node: Node | null): never
}

/** Each node is visited once, aliases share what they stand for: the work is that of the text, whatever it unfolds to. */
function unfold(node: Node | null, context: Unfolding): unknown {
  if (node === null) return null
  if (isAlias(node)) return resolveAlias(node.source, node, context)
  const { tag, anchor } = node as { readonly tag?: string; readonly anchor?: string }
  const before = context.unfolded++
  if (tag !== undefined && !TAGS.has(tag)) context.refuse(`the tag ${quote(tag)} is not known in compose files`, node)
  if (anchor !== undefined) context.anchors.set(anchor, UNFOLDING)
  const value = plainValueOf(node, context)
  if (anchor !== undefined) {
    context.anchors.set(anchor, value)
    context.sizes.set(anchor, context.unfolded - before)
  }
  return value
}

function plainValueOf(node: Node, context: Unfolding): unknown {
  if (isMap(node)) return unfoldMap(node.items as readonly Pair<Node, Node | null>[], context)
  if (isSeq(node)) return node.items.map((item) => unfold(item as Node | null, context))
  if (!isScalar(node)) return null
  // as written: `0x10` is a path like others; only a bare null says nothing
  if (node.value === null && node.type === 'PLAIN') return null
  if (node.tag === '!reset' && /^(null|~|)$/i.test(String(node.value))) return null
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}

function resolveAlias(name: string, node: Node, context: Unfolding): unknown {
  const value = context.anchors.get(name)
  if (value === UNFOLDING) context.refuse(`the alias *${nameKey(name)} stands within its own anchor`, node)
  if (value === undefined) context.refuse(`the alias *${nameKey(name)} has no anchor above it`, node)
  context.unfolded += context.sizes.get(name) ?? 0
  if (context.unfolded > UNFOLDED_MAX) context.refuse(`its aliases unfold to more than ${UNFOLDED_MAX} entries`, node)
  return value
}

function unfoldMap(items: readonly Pair<Node, Node | null>[], context: Unfolding): ParsedYamlMap {
  const own = new Map<string, unknown>()
  const sources: ParsedYamlMap[] = []
  for (const { key, value } of items) {
    if (isMergeKey(key)) {
      sources.push(...mergeSources(unfold(value, context), key, context))
      continue
    }
    if (!isScalar(key)) return context.refuse('a key is not a plain word', key)
    own.set(String(unfold(key, context)), unfold(value, context))
  }
  for (const source of sources) for (const [word, value] of source) if (!own.has(word)) own.set(word, value)
  return own
}

/** `<<` as YAML 1.1 has it: a map or a list of maps, of which the first that has a key gives it. */
function mergeSources(value: unknown, key: Node, context: Unfolding): readonly ParsedYamlMap[] {
  const sources = Array.isArray(value) ? value : [value]
  for (const source of sources) {
    if (!(source instanceof Map)) return context.refuse('<< takes a map, or a list of maps', key)
  }
  return sources
}

function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
}
