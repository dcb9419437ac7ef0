/**
 * Parses the YAML of a configuration file, which may be a stranger's: bounded in size and depth before anything recursive
 * runs over it, and never by yaml's own check for repeated keys, which takes the square of their number.
 */
import { Composer, type CST, type Document, isScalar, LineCounter, Parser } from 'yaml'
import { type Problem, plainText } from './problem.ts'
import { FILE_MAX_BYTES } from './read.ts'

const DEPTH_MAX = 20
const TOLD_MAX = 20

export interface YamlText {
  /** Undefined when there is nothing in the text, or a problem. */
  readonly document: Document | undefined
  readonly problems: readonly Problem[]
  /** Of an offset. */
  position(offset: number): { readonly line: number; readonly column: number }
}

/** @param text without a byte order mark. Keys may repeat in what comes back, and aliases are not resolved. */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter()
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const refuse = (what: string, offset = 0): YamlText => ({
    document: undefined,
    problems: [{ ...position(offset), text: what }],
    position,
  })
  if (text.length > FILE_MAX_BYTES) return refuse(`a configuration has at most ${FILE_MAX_BYTES / 1024} KiB`)
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const deep = findDeeperThan(DEPTH_MAX, tokens)
  if (deep !== undefined) return refuse(`a configuration is nested at most ${DEPTH_MAX} levels deep`, deep.offset)
  const documents = new Composer({ uniqueKeys: false, prettyErrors: false }).compose(tokens, false, text.length)
  const document: Document | undefined = documents.next().value ?? undefined
  const second: Document | undefined = documents.next().value ?? undefined
  if (second !== undefined) return refuse('a configuration is one YAML document, not several', second.range?.[0])
  const problems = (document?.errors ?? [])
    .slice(0, TOLD_MAX)
    .map((error) => ({ ...position(error.pos[0]), text: plainText(error.message.replace(/\.$/, '')) }))
  return { document: problems.length > 0 ? undefined : document, problems, position }
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
