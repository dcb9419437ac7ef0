/**
 * The one line of Nexus's in the user's ssh configuration, as an edit of text: put at the very top with a blank line behind it,
 * found again however it is written, taken out so that the bytes are those from before. Pure.
 *
 * The text is the file's bytes, one character each (`latin1`), so that whatever is in it stays as it is.
 */
import { isAbsolute, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'

/** An Include that brings Nexus's file in. */
export interface Found {
  /** Counted from 1. */
  readonly line: number
  /** The `Host` or `Match` line above it, without which it would hold for every host. */
  readonly below: string | undefined
  /** It is the line that `addLine` writes, byte for byte. */
  readonly ours: boolean
}

/** What ssh cannot carry in a quoted word, or expands on its own. */
const UNFIT = /[\p{Cc}"]|\$\{/u

/**
 * A path as a pattern of Include's. What one version of ssh or the other takes for a token, an escape or a wildcard is written `?`, any one
 * character, which all of them read alike.
 */
export function includePattern(path: string): string {
  return path.replace(/[%\\*?[\]]/g, '?')
}

/**
 * The line, without its end.
 * @throws {NexusError} INVALID_ARGUMENT for a path that ssh_config has no way to write
 */
export function includeLine(configFile: string): string {
  const unfit = UNFIT.exec(configFile)?.[0]
  if (unfit !== undefined) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      `${configFile} cannot be included: ssh_config has no way to write its ${JSON.stringify(unfit)}.`,
      {
        hint: 'To have the aliases of ssh, keep what Nexus knows in another folder, as with `export NEXUS_HOME=~/.nexus`',
      },
    )
  }
  const pattern = includePattern(configFile)
  return /^[\w./@:+,-]+$/.test(pattern) ? `Include ${pattern}` : `Include "${pattern}"`
}

/** `undefined` for a file that does not exist: it becomes the line alone, so that removing it knows that nothing was there. */
export function addLine(text: string | undefined, line: string): string {
  const bytes = toBytes(line)
  if (text === undefined) return `${bytes}\n`
  const end = /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n'
  return `${bytes}${end}${end}${text}`
}

/** Without what `addLine` put there, wherever it stands before the first Host or Match; `undefined`: without the file. */
export function removeLine(text: string, line: string): string | undefined {
  if (text === `${toBytes(line)}\n`) return undefined
  let at = 0
  for (const { raw, content, word } of linesOf(text)) {
    if (isSection(word)) return text
    if (content === toBytes(line)) {
      const rest = text.slice(at + raw.length)
      return text.slice(0, at) + rest.replace(/^\r?\n/, '')
    }
    at += raw.length
  }
  return text
}

/** Every Include of `configFile`: as ssh reads it, so also by a pattern, from `~` or relative to `~/.ssh`. */
export function findIncludes(text: string, configFile: string, userHome: string): readonly Found[] {
  const own = toBytes(includeLine(configFile))
  const found: Found[] = []
  let below: string | undefined
  let number = 0
  for (const { content, word, rest } of linesOf(text)) {
    number++
    if (isSection(word)) below = isForAll(word, rest) ? undefined : fromBytes(content.trim())
    if (word !== 'include') continue
    const brings = wordsOf(fromBytes(rest)).some((pattern) => matchesPath(pattern, configFile, userHome))
    if (brings) found.push({ line: number, below, ours: content === own })
  }
  return found
}

export interface Section {
  readonly line: number
  /** As it is written. */
  readonly text: string
  readonly word: 'host' | 'match'
  readonly words: readonly string[]
  /** Keyword in lower case and its line, of what the section sets. */
  readonly sets: readonly { readonly key: string; readonly line: number }[]
}

/** The sections of a file; what stands before the first is one of `Host *` on line 0. */
export function sectionsOf(text: string): readonly Section[] {
  const sections: { -readonly [K in keyof Section]: Section[K] }[] = [
    { line: 0, text: 'Host *', word: 'host', words: ['*'], sets: [] },
  ]
  let number = 0
  for (const { content, word, rest } of linesOf(text)) {
    number++
    if (isSection(word))
      sections.push({ line: number, text: fromBytes(content.trim()), word, words: wordsOf(fromBytes(rest)), sets: [] })
    else if (/^[a-z]/.test(word)) {
      const last = sections.at(-1)
      if (last !== undefined) last.sets = [...last.sets, { key: word, line: number }]
    }
  }
  return sections
}

function* linesOf(text: string) {
  for (const [raw] of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    const content = raw.replace(/\r?\n$/, '')
    // ssh takes `Include x`, `include=x`, `Include = x` and the keyword in quotes; what a NUL hides is not there for it
    const [, word = '', rest = ''] =
      /^[ \t\f]*"?([A-Za-z]+)"?(?:[ \t\f]*=[ \t\f]*|[ \t\f]+)(.*)$/s.exec(content.split('\0')[0] ?? '') ?? []
    yield { raw, content, word: word.toLowerCase(), rest }
  }
}

function isSection(word: string): word is 'host' | 'match' {
  return word === 'host' || word === 'match'
}

/** A section that every host is in. */
function isForAll(word: string, rest: string): boolean {
  const words = wordsOf(fromBytes(rest)).map((one) => one.toLowerCase())
  return word === 'host' ? words.includes('*') && !words.some((one) => one.startsWith('!')) : words.join() === 'all'
}

function wordsOf(rest: string): readonly string[] {
  const words = [...rest.trim().matchAll(/"([^"]*)"|'([^']*)'|(#.*)|([^\s"']+)/g)]
  const end = words.findIndex(([, , , comment]) => comment !== undefined)
  return (end === -1 ? words : words.slice(0, end)).map(([, a, b, , c]) => a ?? b ?? c ?? '')
}

function matchesPath(pattern: string, path: string, userHome: string): boolean {
  const tilde = pattern === '~' || pattern.startsWith('~/')
  const absolute = tilde
    ? join(userHome, pattern.slice(1))
    : isAbsolute(pattern)
      ? pattern
      : join(userHome, '.ssh', pattern)
  const source = absolute
    .replace(/\/+/g, '/')
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replace(/\[!/g, '[^')
  try {
    return new RegExp(`^${source}$`, 'u').test(path)
  } catch {
    return absolute === path // brackets that are no pattern stand for themselves
  }
}

/** One character for each byte of the text as UTF-8. */
function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function fromBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
