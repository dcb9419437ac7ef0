/**
 * The source tree as data, for tests that hold it to its rules (test/unit/guard.test.ts): files, the code without its
 * comments, and what is imported. Reads text with regular expressions, which is enough for code that Biome formatted;
 * where it could be fooled it errs towards finding too much.
 */
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from './process.ts'

export interface SourceFile {
  /** From the root of the repository, with `/`. */
  readonly path: string
  readonly text: string
}

/** Every file that is in git or would be added by `git add`. */
export async function listSourceFiles(root: string): Promise<readonly SourceFile[]> {
  // a checkout of another user's is fine: nothing of it is run
  const argv = ['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { code, stdout, stderr } = await runProcess(argv, { cwd: root })
  if (code !== 0) throw new Error(`git ls-files ended with code ${code}\n${stderr}`)
  const paths = [...new Set(stdout.split('\0').filter(Boolean))].sort()
  const files = await Promise.all(paths.map((path) => readSourceFile(root, path)))
  return files.filter((file) => file !== undefined)
}

/** Undefined for what is no file, or is gone though git still knows it. */
async function readSourceFile(root: string, path: string): Promise<SourceFile | undefined> {
  const full = join(root, path)
  const found = await lstat(full).catch(() => undefined)
  return found?.isFile() ? { path, text: await readFile(full, 'utf8') } : undefined
}

const TOKEN = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

/** The code without comments; strings and line numbers stay. */
export function withoutComments(text: string): string {
  return text.replace(TOKEN, (token, literal: string | undefined) => literal ?? token.replace(/[^\n]+/g, ' '))
}

export interface SourceFunction {
  readonly name: string
  /** Where it begins, from 1. */
  readonly line: number
  /** From the first line of its head to its last brace. */
  readonly text: string
}

/** How the head of a function begins, which may be a method, and how its last line ends. */
const HEAD =
  /^( *)(?:(?:export )?(?:async )?function\*? (\w+)|(?:export )?const (\w+) = (?:async )?[(<]|(\w+): (?:async )?[(<]|(?:async )?(?!if|for|while|switch|catch)(\w+)[<(])/
const HEAD_END = /\).* \{$/

/** Functions with a name and a block, also arrow functions and nested ones, read by the indentation that Biome gives. */
export function listFunctions(text: string): readonly SourceFunction[] {
  const lines = text.split('\n')
  return lines.flatMap((head, index) => {
    const [, indent = '', ...names] = HEAD.exec(head) ?? []
    const name = names.find((one) => one !== undefined)
    if (name === undefined) return []
    const findAfter = (start: number, mark: string) =>
      lines.findIndex((line, at) => at > start && line.startsWith(indent + mark))
    const [, open] = /(\(\{?)$/.exec(head) ?? []
    const opens = open === undefined ? index : findAfter(index, open === '(' ? ')' : '}')
    if (!HEAD_END.test(lines[opens] ?? '')) return []
    const end = findAfter(opens, '}')
    return [{ name, line: index + 1, text: lines.slice(index, end + 1).join('\n') }]
  })
}

export interface Import {
  readonly from: string
  /** What stands before `from`: `type X`, `{ a, b as c }`, `* as x`; '' for `import 'x'`, `*` for `import('x')`. */
  readonly clause: string
}

const IMPORT =
  /\b(?:import|export)\s+(?:([\w*{}\s,$]+?)\s+from\s*)?(['"])([^'"]+)\2|\b(?:import|require)\(\s*(['"])([^'"]+)\4/g

/** Static, dynamic and type-only imports, re-exports and `require`. */
export function listImports(text: string): readonly Import[] {
  return Array.from(withoutComments(text).matchAll(IMPORT), ([, clause = '', , named, , called]) => ({
    from: named ?? called ?? '',
    clause: called === undefined ? clause : '*',
  }))
}

/** The names taken by `{ a, type B, c as d }`: a, c (types are erased); `*` and `default` for the whole module. */
export function importedNames(clause: string): readonly string[] {
  if (/^type\b/.test(clause)) return []
  const [, before = '', braces = ''] = /^([^{]*)(?:\{([^}]*)\})?/.exec(clause) ?? []
  const named = braces.split(',').map((entry) => entry.trim())
  const values = named.filter((entry) => entry !== '' && !entry.startsWith('type '))
  const whole = before.replace(',', '').trim()
  return [
    ...(whole === '' ? [] : [whole.startsWith('*') ? '*' : 'default']),
    ...values.map((entry) => entry.split(' ')[0] ?? ''),
  ]
}
