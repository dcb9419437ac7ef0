/**
 * Lists what makes git run a program in a repository: keys of `.git/config` and of the files that it includes, hooks,
 * attributes. Read as files, without git, so that a look is cheap and runs nothing. The format is git-config(1)'s; a
 * line that cannot be read is left out, as git refuses the whole file then.
 */

import { existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../core/digest.ts'
import { readPlain } from '../system/read.ts'

export interface ConfigEntry {
  /** `core.fsmonitor`, `filter.lfs.clean`: section and name in lower case, what is between as written. */
  readonly key: string
  readonly value: string
}

/** Name -> what it is now: a value, or the hash of a file's content. */
export type RunningParts = Readonly<Record<string, string>>

/** Keys whose value is run, or that lead to further configuration or to another program than git's own. */
const RUNNING: readonly RegExp[] = [
  /^core\.(fsmonitor|hookspath|sshcommand|gitproxy|pager|editor|askpass|attributesfile|alternaterefscommand|worktree)$/,
  /^(diff\.external|interactive\.difffilter|sequence\.editor|init\.templatedir|uploadpack\.packobjectshook)$/,
  /^diff\..*\.(command|textconv)$/,
  /^filter\..*\.(clean|smudge|process)$/,
  /^(merge\..*\.driver|(mergetool|difftool|guitool|man|browser|tar|trailer)\..*\.(cmd|command))$/,
  /^(include|includeif\..*)\.path$/,
  /^credential\.(.*\.)?helper$/,
  /^gpg\.(.*\.)?program$/,
  /^pager\./,
  /^remote\..*\.(uploadpack|receivepack|vcs|proxy)$/,
  /^(url\..*\.(insteadof|pushinsteadof)|protocol\..*allow)$/,
]
/** Only where the value asks for a shell. */
const SHELL = /^(alias\..*|submodule\..*\.update)$/

const FILE_MAX = 1_000_000

/** Everything of a repository that git would run or obey, by name. */
export function readRunningParts(gitDir: string): RunningParts {
  const parts: Record<string, string> = {}
  for (const file of ['config', 'config.worktree']) {
    for (const { key, value } of parseConfig(readPlain(join(gitDir, file), { maxBytes: FILE_MAX })?.toString() ?? '')) {
      if (!runs(key, value)) continue
      // a key may be given more than once; each value counts
      parts[key] = key in parts ? `${parts[key]}\n${value}` : value
    }
  }
  for (const name of hookNames(join(gitDir, 'hooks'))) parts[`hooks/${name}`] = digestOf(join(gitDir, 'hooks', name))
  if (existsSync(join(gitDir, 'info', 'attributes')))
    parts['info/attributes'] = digestOf(join(gitDir, 'info/attributes'))
  return parts
}

function runs(key: string, value: string): boolean {
  return RUNNING.some((pattern) => pattern.test(key)) || (SHELL.test(key) && value.startsWith('!'))
}

function hookNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.sample'))
  } catch {
    return [] // what is no folder, or cannot be read, holds no hook for this user
  }
}

/** Of what it holds; of a link, where it leads. */
function digestOf(path: string): string {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return `link to ${readlinkSync(path)}`
  if (!stat.isFile()) return 'no file'
  const content = readPlain(path, { maxBytes: FILE_MAX })?.toString('latin1') ?? `${stat.size} ${stat.mtimeMs}`
  return `file ${sha256(content).slice(0, 12)}`
}

/** Entries in their order. */
export function parseConfig(text: string): readonly ConfigEntry[] {
  const entries: ConfigEntry[] = []
  let section = ''
  for (const line of joinLines(text)) {
    const header = /^\s*\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]/.exec(line)
    if (header !== null) {
      const [, name = '', sub] = header
      section = sub === undefined ? name.toLowerCase() : `${name.toLowerCase()}.${sub.replace(/\\(.)/g, '$1')}`
    }
    // a variable may stand behind the header, on its line
    const rest = header === null ? line : line.slice(header[0].length)
    const variable = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$/s.exec(rest)
    if (variable === null || section === '') continue
    const [, name = '', value] = variable
    entries.push({ key: `${section}.${name.toLowerCase()}`, value: value === undefined ? 'true' : parseValue(value) })
  }
  return entries
}

/** A backslash at the end of a line goes on in the next one. */
function joinLines(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n/g, '\n')
    .replace(/(?<!\\)((?:\\\\)*)\\\n/g, '$1')
    .split('\n')
}

/** Quotes and escapes undone, comments outside of quotes cut off. */
function parseValue(text: string): string {
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b' }
  let value = ''
  let kept = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (char === '"') quoted = !quoted
    else if (char === '\\') {
      i++
      value += escapes[text[i] ?? ''] ?? text[i] ?? ''
    } else if (!quoted && (char === '#' || char === ';')) break
    else value += char
    // spaces at the end count only within quotes
    if (quoted || !/\s/.test(char)) kept = value.length
  }
  return value.slice(0, kept)
}
