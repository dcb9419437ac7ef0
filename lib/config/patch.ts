/**
 * Changes one key in YAML text by replacing only the characters concerned, so that a change is a small diff and comments,
 * line ends and indentation stay. Text in a form that it does not know gives undefined: `reprint` does it by way of yaml's
 * document then. Both may go wrong on odd input, so the caller reads the result back. Texts have no byte order mark. Pure.
 */
import { Document, isMap, isScalar, type Pair, stringify, type YAMLMap } from 'yaml'
import { entryOf, shortFormOf } from './keys.ts'
import { keyText, parseYaml } from './yaml-text.ts'

const STYLE = { lineWidth: 0, flowCollectionPadding: true } as const

interface Step {
  readonly map: YAMLMap
  readonly pair: Pair
}

export function setKey(text: string, path: readonly string[], value: unknown): string | undefined {
  const { trail, end } = follow(text, path)
  const pair = trail.at(-1)?.pair
  const [word = '', ...deeper] = path.slice(trail.length)
  if (word === '') return pair === undefined ? undefined : replaceValue(text, pair, render(value))
  if (isMap(end) && end.flow === true) return insertIntoFlow(text, end, word, nest(deeper, value))
  if (isMap(end)) return insertLines(text, afterMap(text, end), indentOf(text, end), [word, ...deeper], value)
  if (isScalar(end) && end.value !== null) return extendShort(text, path, pair, word, value)
  if (end !== null && end !== undefined && !isScalar(end)) return undefined
  const [from, to] = rangeOf(end)
  // an empty group that is written out, as `~` or `null`
  if (from !== to) return setKey(text.slice(0, from).trimEnd() + text.slice(to), path, value)
  const map = trail.at(-1)?.map
  if (pair === undefined) return insertLines(text, text.length, '', [word, ...deeper], value)
  if (map === undefined || map.flow === true) return undefined
  const at = endOfLine(text, rangeOf(pair.key)[1])
  return insertLines(text, at, indentOf(text, map) + stepOf(text), [word, ...deeper], value)
}

/** Removes a key, and the groups that it leaves without keys and comments; without such a key, the text as it is. */
export function removeKey(text: string, path: readonly string[]): string | undefined {
  const { trail, end } = follow(text, path)
  if (trail.length < path.length) {
    const parent = path.slice(0, -1)
    const isShort = isScalar(end) && end.value !== null && shortFormOf(parent.join('.')) === path.join('.')
    return isShort && trail.length === parent.length ? removeKey(text, parent) : text
  }
  if (trail.some(({ map }) => map.flow === true)) return undefined
  const leaf = trail.at(-1)?.pair
  if (leaf === undefined) return undefined
  const cuts = [linesOf(text, leaf.key, leaf.value ?? leaf.key)]
  for (let depth = trail.length - 1; depth > 0; depth--) {
    const above = trail[depth - 1]
    if (above === undefined || (trail[depth]?.map.items.length ?? 0) > 1) break
    const isEntry = entryOf(path.join('.')) === path.slice(0, depth).join('.')
    if (!isEntry && holdsComment(text, above, cuts)) break
    cuts.push(linesOf(text, above.pair.key, above.pair.key))
  }
  return cuts.reduce((rest, [from, to]) => rest.slice(0, from) + rest.slice(to), text)
}

/** By way of yaml's document: comments and order stay, blanks are normalised. */
export function reprint(text: string, path: readonly string[], value: unknown): string | undefined {
  // a comment between other nodes would keep its carriage return and get another
  const document = parseYaml(text.replaceAll('\r\n', '\n')).document ?? new Document({})
  const top = document.contents
  if (top === null || (isScalar(top) && top.value === null)) document.contents = document.createNode({}) as never
  else if (!isMap(top)) return undefined
  if (value === undefined) {
    let depth = path.length
    while (depth > 1 && (document.getIn(path.slice(0, depth - 1)) as YAMLMap).items.length < 2) depth--
    document.deleteIn(path.slice(0, depth))
    if ((document.contents as unknown as YAMLMap).items.length === 0) return text.replace(/^(?!\s*(#|$)).*\n?/gm, '')
  } else {
    for (let depth = 1; depth < path.length; depth++) {
      const present: unknown = document.getIn(path.slice(0, depth))
      if (present === null) document.deleteIn(path.slice(0, depth))
      else if (present !== undefined && !isMap(present)) return undefined
    }
    document.setIn(path, document.createNode(value, { flow: Array.isArray(value) }))
  }
  return document.toString({ ...STYLE, indent: stepOf(text).length }).replaceAll('\n', lineEnd(text))
}

/** The pairs on the way along a path, and the node at which the way ends. */
function follow(text: string, path: readonly string[]): { readonly trail: readonly Step[]; readonly end: unknown } {
  const trail: Step[] = []
  let end: unknown = parseYaml(text).document?.contents
  for (const word of path) {
    const pair: Pair | undefined = isMap(end) ? end.items.find((item) => keyText(item.key) === word) : undefined
    if (!isMap(end) || pair === undefined) break
    trail.push({ map: end, pair })
    end = pair.value
  }
  return { trail, end }
}

function nest(words: readonly string[], value: unknown): unknown {
  return words.reduceRight<unknown>((inner, word) => ({ [word]: inner }), value)
}

function replaceValue(text: string, pair: Pair, rendered: string): string {
  const [from, to] = rangeOf(pair.value)
  const keyEnd = rangeOf(pair.key)[1]
  const colon = text.indexOf(':', keyEnd) + 1
  const own = startOfLine(text, from)
  if (from === to) return `${text.slice(0, colon)} ${rendered}${text.slice(colon)}`
  if (own > keyEnd)
    return `${text.slice(0, colon)} ${rendered}${text.slice(colon, own)}${text.slice(endOfLine(text, to))}`
  return text.slice(0, from) + rendered + (text[to - 1] === '\n' ? lineEnd(text) : '') + text.slice(to)
}

/** `web: 3000` gets a second key, or another container port. */
function extendShort(text: string, path: readonly string[], pair: Pair | undefined, word: string, value: unknown) {
  const long = shortFormOf(path.slice(0, -1).join('.'))
  if (pair === undefined || long === undefined || path.at(-1) !== word) return undefined
  if (path.join('.') === long) return replaceValue(text, pair, render(value))
  const present = text.slice(...rangeOf(pair.value))
  return replaceValue(text, pair, `{ ${long.split('.').at(-1)}: ${present}, ${word}: ${render(value)} }`)
}

function insertIntoFlow(text: string, map: YAMLMap, word: string, value: unknown): string {
  const last = map.items.at(-1)
  const start = rangeOf(map)[0] + 1
  if (last === undefined) return `${text.slice(0, start)} ${word}: ${render(value)} ${text.slice(start).trimStart()}`
  const at = Math.max(rangeOf(last.key)[1], rangeOf(last.value)[1])
  return `${text.slice(0, at)}, ${word}: ${render(value)}${text.slice(at)}`
}

function insertLines(text: string, at: number, indent: string, words: readonly string[], value: unknown): string {
  const eol = lineEnd(text)
  const lines = words.map((word, depth) => `${indent}${stepOf(text).repeat(depth)}${word}:`)
  const before = text.slice(0, at)
  const gap = before === '' || before.endsWith('\n') ? '' : eol
  return `${before}${gap}${lines.join(eol)} ${render(value)}${eol}${text.slice(at)}`
}

/** Where the line after the last key of a map begins. */
function afterMap(text: string, map: YAMLMap): number {
  const last = map.items.at(-1)
  return endOfLine(text, Math.max(rangeOf(last?.key)[1], rangeOf(last?.value)[1]))
}

/** The whole lines from one node to another. */
function linesOf(text: string, from: unknown, to: unknown): readonly [number, number] {
  const [start] = rangeOf(from)
  return [startOfLine(text, start), endOfLine(text, Math.max(rangeOf(from)[1], rangeOf(to)[1]))]
}

/** True when a group's own line, or one below it that is not about to be cut, is a comment. */
function holdsComment(text: string, { map, pair }: Step, cuts: readonly (readonly [number, number])[]): boolean {
  const keyEnd = rangeOf(pair.key)[1]
  let at = endOfLine(text, keyEnd)
  if (text.slice(keyEnd, at).includes('#')) return true
  const depth = indentOf(text, map).length
  while (at < text.length) {
    const cut = cuts.find(([from, to]) => at >= from && at < to)
    const lineBreak = text.indexOf('\n', at)
    const next = cut?.[1] ?? (lineBreak === -1 ? text.length : lineBreak + 1)
    const line = text.slice(at, next)
    if (cut === undefined && line.trim() !== '') return line.search(/\S/) > depth && line.trimStart().startsWith('#')
    at = next
  }
  return false
}

function indentOf(text: string, map: YAMLMap): string {
  const [start] = rangeOf(map.items[0]?.key)
  return ' '.repeat(start - startOfLine(text, start))
}

/** What the file indents by, judged by its first indented line. */
function stepOf(text: string): string {
  return /^( +)[^\s#-]/m.exec(text)?.[1] ?? '  '
}

function startOfLine(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1
}

/** Where the next line begins; an offset just behind a line break is there already. */
function endOfLine(text: string, offset: number): number {
  const end = offset > 0 && text[offset - 1] === '\n' ? offset - 1 : text.indexOf('\n', offset)
  return end === -1 ? text.length : end + 1
}

function lineEnd(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}

function render(value: unknown): string {
  return stringify(value, { ...STYLE, flowCollectionPadding: !Array.isArray(value), collectionStyle: 'flow' }).trimEnd()
}

function rangeOf(node: unknown): readonly [number, number] {
  const range = (node as { readonly range?: readonly number[] | null } | null | undefined)?.range
  return [range?.[0] ?? 0, range?.[1] ?? 0]
}
