/**
 * Parses the YAML of a configuration file, which may be a stranger's: bounded in size and depth before anything recursive
 * runs over it, and never by yaml's own check for repeated keys, which takes the square of their number.
 */
import { Composer, type CST, type Document, isScalar, LineCounter, Parser } from 'yaml'
import { onOneLine, type Problem } from './problem.ts'
import { FILE_MAX_BYTES } from './read.ts'

const TOLD_MAX = 20

export interface YamlLimits {
  /** What the text is, as a message names it: `a configuration`. */
  readonly what: string
  readonly bytes: number
  readonly depth: number
}

const CONFIGURATION: YamlLimits = { what: 'a configuration', bytes: FILE_MAX_BYTES, depth: 20 }

type Position = (offset: number) => { readonly line: number; readonly column: number }

export interface YamlTexts {
  /** Empty when there is nothing in the text, or a problem. */
  readonly documents: readonly Document[]
  readonly problems: readonly Problem[]
  readonly position: Position
}

export interface YamlText {
  /** Undefined when there is nothing in the text, or a problem. */
  readonly document: Document | undefined
  readonly problems: readonly Problem[]
  readonly position: Position
}

/** One document. @param text without a byte order mark. Keys may repeat in what comes back, and aliases are not resolved. */
export function parseYaml(text: string): YamlText {
  const { documents, problems, position } = parseYamlDocuments(text, CONFIGURATION)
  const second = documents[1]
  if (second === undefined) return { document: documents[0], problems, position }
  const several = { ...position(second.range?.[0] ?? 0), text: 'a configuration is one YAML document, not several' }
  return { document: undefined, problems: [several], position }
}

/** All documents of a text, within limits. @param text without a byte order mark; see `parseYaml` for what comes back */
export function parseYamlDocuments(text: string, { what, bytes, depth }: YamlLimits): YamlTexts {
  const lines = new LineCounter()
  const position: Position = (offset) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const refuse = (text: string, offset = 0): YamlTexts => ({
    documents: [],
    problems: [{ ...position(offset), text }],
    position,
  })
  if (text.length > bytes) return refuse(`${what} has at most ${bytes / 1024} KiB`)
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const deep = findDeeperThan(depth, tokens)
  if (deep !== undefined) return refuse(`${what} is nested at most ${depth} levels deep`, deep.offset)
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false })
  const documents: readonly Document[] = [...composer.compose(tokens, false, text.length)]
  const problems = documents
    .flatMap((document) => document.errors)
    .slice(0, TOLD_MAX)
    .map((error) => ({ ...position(error.pos[0]), text: onOneLine(error.message.replace(/\.$/, '')) }))
  return { documents: problems.length > 0 ? [] : documents, problems, position }
}

/** A key as it is written (yaml reads `0x10` as a number, `true` as a boolean); undefined for a list or a map. */
export function keyText(key: unknown): string | undefined {
  return isScalar(key) ? (key.source ?? String(key.value ?? '')) : undefined
}

/** The first token below the limit, level by level, as a recursive look would be the very thing to guard against. */
function findDeeperThan(limit: number, tokens: readonly CST.Token[]): CST.Token | undefined {
  let level = tokens
  for (let depth = 0; depth <= limit && level.length > 0; depth++) level = level.flatMap(childrenOf)
  return level[0]
}

function childrenOf(token: CST.Token): readonly CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value]
  if (!('items' in token)) return []
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child !== undefined && child !== null))
}
