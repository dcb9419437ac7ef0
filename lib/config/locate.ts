/**
 * Where in a YAML file something stands that a tool complains about, so that its message can be given file and line. A guess
 * from the tool's words, used for nothing else.
 */
import { isMap, isScalar, isSeq, type Node } from 'yaml'
import { readText } from './read.ts'
import { parseYamlDocuments } from './yaml-text.ts'

const LIMITS = { what: 'a compose file', bytes: 1024 * 1024, depth: 50 }

export interface FileLine {
  readonly file: string
  readonly line: number
}

/** The first of the files that holds what the message names: a dotted path, a service in quotes, or a value. */
export async function locate(files: readonly string[], message: string): Promise<FileLine | undefined> {
  const paths = pathsIn(message)
  const words = [...message.matchAll(/[:"'] ?"?([^\s:"']+)"?\.?$/g)].map((match) => (match[1] ?? '').replace(/\.$/, ''))
  for (const file of files) {
    const text = await readText(file, { maxBytes: LIMITS.bytes })
    if (text === undefined) continue
    const { documents, position } = parseYamlDocuments(text.replace(/^\uFEFF/, ''), LIMITS)
    const root = (documents[0]?.contents ?? null) as Node | null
    const offset = firstOf(paths, (path) => offsetOf(root, path)) ?? firstOf(words, (word) => findScalar(root, word))
    if (offset !== undefined) return { file, line: position(offset).line }
  }
  return undefined
}

/** `services.app.ports` with the key that is not allowed there, and `service "app"`. */
function pathsIn(message: string): readonly (readonly string[])[] {
  const extra = /(?:property|properties) '?([\w.-]+)'? (?:is|are)? ?not allowed/i.exec(message)?.[1]
  const dotted = [...message.matchAll(/\b((?:services|networks|volumes|secrets|configs)\.[\w.[\]-]+)/g)].map((match) =>
    (match[1] ?? '')
      .replaceAll(/\[(\d+)\]/g, '.$1')
      .replace(/\.$/, '')
      .split('.'),
  )
  const services = [...message.matchAll(/service "([^"]+)"/g)].map((match) => ['services', match[1] ?? ''])
  const told = [...dotted, ...services]
  return extra === undefined ? told : [...told.map((path) => [...path, extra]), ...told]
}

function firstOf<T>(items: readonly T[], find: (item: T) => number | undefined): number | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** Where the key at the end of a path stands. */
function offsetOf(node: Node | null, path: readonly string[]): number | undefined {
  const [word, ...rest] = path
  if (word === undefined) return node?.range?.[0]
  if (isSeq(node)) return offsetOf((node.items[Number(word)] ?? null) as Node | null, rest)
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === word)
  if (pair === undefined) return undefined
  return rest.length === 0 ? (pair.key as Node).range?.[0] : offsetOf(pair.value as Node | null, rest)
}

/** The first value that is this text, or has it between colons as ports have. */
function findScalar(node: Node | null, text: string): number | undefined {
  if (isScalar(node)) return String(node.value).split(':').includes(text) ? node.range?.[0] : undefined
  if (isSeq(node)) return firstOf(node.items, (item) => findScalar(item as Node | null, text))
  return isMap(node) ? firstOf(node.items, ({ value }) => findScalar(value as Node | null, text)) : undefined
}
