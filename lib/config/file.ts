/**
 * Reads one configuration file: YAML to flat keys, each with its line, or an error that names file, line and column. The
 * only module that loads the YAML parser for configuration, so it is itself loaded only when a file exists.
 */
import { isAlias, isMap, isPair, isScalar, LineCounter, type Node, parseAllDocuments, parseDocument } from 'yaml'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import { CHOSEN_NAME, CHOSEN_NAME_MAX, findKey, isSection, type KeySpec, wordsBelow } from './keys.ts'

export type FileScope = 'system' | 'user' | 'project'

export interface Entry {
  readonly value: unknown
  readonly line: number
}

interface Problem {
  readonly line: number
  readonly column: number
  readonly text: string
  readonly hint?: string
}

/** Entries of a file by dotted key, in the order of the file. @throws {NexusError} CONFIG_INVALID */
export function parseConfigFile(file: string, text: string, scope: FileScope): ReadonlyMap<string, Entry> {
  const lines = new LineCounter()
  const problems: Problem[] = []
  const at = (offset: number, what: string, hint?: string) => {
    const { line, col } = lines.linePos(offset)
    problems.push({ line, column: col, text: what, ...(hint === undefined ? {} : { hint }) })
  }
  const source = text.replace(/^\uFEFF/, '')
  const documents = parseAllDocuments(source, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const [document, second] = Array.isArray(documents) ? documents : []
  const entries = new Map<string, Entry>()
  for (const error of document?.errors ?? []) at(error.pos[0], error.message.replace(/\.$/, ''))
  if (second !== undefined) at(second.range?.[0] ?? 0, 'a configuration is one YAML document, not several')
  if (problems.length === 0 && document?.contents) {
    walk(document.contents as Node, '', { scope, lines, at, entries })
  }
  if (problems.length > 0) throw invalid(file, problems)
  return entries
}

interface Walk {
  readonly scope: FileScope
  readonly lines: LineCounter
  readonly at: (offset: number, what: string, hint?: string) => void
  readonly entries: Map<string, Entry>
}

function walk(node: Node | null, key: string, context: Walk): void {
  const offset = node?.range?.[0] ?? 0
  const where = key === '' ? 'the configuration' : key
  if (isAlias(node)) {
    context.at(offset, `${where} must not be an alias`)
    return
  }
  if (!isMap(node)) {
    // a section that is left empty says nothing
    if (isScalar(node) && node.value === null) return
    context.at(offset, `${where} must be a map of keys`)
    return
  }
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) {
      context.at(offset, `${where} holds a key that is not a plain word`)
      continue
    }
    visit(String(pair.key.value), pair.key.range?.[0] ?? offset, pair.value as Node | null, key, context)
  }
}

function visit(word: string, offset: number, value: Node | null, parent: string, context: Walk): void {
  const key = parent === '' ? word : `${parent}.${word}`
  const known = wordsBelow(parent)
  if (known.includes('*')) {
    const problem = chosenNameProblem(parent, word)
    if (problem !== undefined) {
      context.at(offset, problem)
      return
    }
  } else if (!known.includes(word)) {
    const near = nearest(word, known)
    const hint =
      near === undefined
        ? `To see the known keys, run \`nexus config show\``
        : `The nearest known key is ${parent === '' ? near : `${parent}.${near}`}; to set it, run \`nexus config set ${parent === '' ? near : `${parent}.${near}`} <value>\``
    context.at(offset, `unknown key ${key}`, hint)
    return
  }
  const spec = findKey(key)
  if (spec !== undefined) {
    note(spec, key, offset, value, context)
    return
  }
  // `web: 3000` is short for `web: {container: 3000}`
  const short = findKey(`${key}.container`)
  if (short !== undefined && isScalar(value)) {
    note(short, `${key}.container`, offset, value, context)
    return
  }
  if (isSection(key)) walk(value, key, context)
}

function chosenNameProblem(parent: string, word: string): string | undefined {
  if (!CHOSEN_NAME.test(word) || word.length > CHOSEN_NAME_MAX) {
    return `${JSON.stringify(word)} is not a name for ${parent}: lower-case letters, digits and single dashes, at most ${CHOSEN_NAME_MAX}`
  }
  return parent === 'ports' && word === 'ssh' ? 'the port name ssh is reserved' : undefined
}

function note(spec: KeySpec, key: string, offset: number, node: Node | null, context: Walk): void {
  const position = node?.range?.[0] ?? offset
  if (isAlias(node)) {
    context.at(position, `${key} must not be an alias`)
    return
  }
  const outcome = spec.type.check(node === null ? null : (node.toJSON() as unknown))
  if ('problem' in outcome) {
    context.at(position, `${key} ${outcome.problem}`)
    return
  }
  const misplaced = misplacement(spec, key, outcome.value, context.scope)
  if (misplaced !== undefined) {
    context.at(offset, misplaced)
    return
  }
  context.entries.set(key, { value: outcome.value, line: context.lines.linePos(offset).line })
}

function misplacement(spec: KeySpec, key: string, value: unknown, scope: FileScope): string | undefined {
  if (scope !== 'project' && spec.scope === 'project') return `${key} belongs into the project's .nexus/config.yaml`
  if (scope !== 'project') return undefined
  if (spec.scope === 'user') return `${key} belongs into the user's config.yaml: a project may not set it`
  if (spec.projectMaySet !== undefined && spec.projectMaySet !== value) {
    return `${key} can only be tightened by a project, to ${JSON.stringify(spec.projectMaySet)}`
  }
  return undefined
}

function invalid(file: string, problems: readonly Problem[]): NexusError {
  const [first] = problems
  if (first === undefined) throw new Error('no problem to tell')
  return new NexusError('CONFIG_INVALID', `${file}:${first.line}:${first.column}: ${first.text}.`, {
    hint: first.hint ?? `To see the keys and their values, run \`nexus config show --origin\``,
    details: { file, problems },
  })
}

/**
 * The file's text with one key set (or, with undefined, removed); comments, order and everything else stay as they are.
 * @throws {NexusError} CONFIG_INVALID when the whole would not be valid
 */
export function editConfigText(file: string, text: string, scope: FileScope, key: string, value: unknown): string {
  parseConfigFile(file, text, scope)
  const document = parseDocument(text)
  const path = key.split('.')
  if (value === undefined) document.deleteIn(path)
  else if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    document.contents = document.createNode(
      path.reduceRight<unknown>((inner, word) => ({ [word]: inner }), value),
    ) as never
  } else {
    expandShort(document, path)
    document.setIn(path, value)
  }
  const edited = document.contents === null ? '' : document.toString({ lineWidth: 0 })
  parseConfigFile(file, edited, scope)
  return edited
}

/** `web: 3000` must become a map before a second key is set beside its container port. */
function expandShort(document: ReturnType<typeof parseDocument>, path: readonly string[]): void {
  const parent = path.slice(0, -1)
  const present = parent.length === 0 ? undefined : document.getIn(parent)
  if (typeof present === 'number') document.setIn(parent, document.createNode({ container: present }))
  else if (present === null) document.deleteIn(parent)
}
