/**
 * Reads one configuration file: YAML to flat keys, each with its line, or an error that names file, line and column. It is
 * loaded only when a file exists, as it brings the YAML parser with it.
 */

import { isAlias, isMap, isScalar, type Node } from 'yaml'
import { chosenNameProblem, findKey, isSection, nearestKey, requiredBelow, shortFormOf, wordsBelow } from './keys.ts'
import { invalidFile, nameKey, type Problem } from './problem.ts'
import type { KeySpec } from './types.ts'
import { keyText, parseYaml } from './yaml-text.ts'

export type FileScope = 'system' | 'user' | 'project'

export interface FileEntry {
  readonly value: unknown
  readonly line: number
}

/** That many are enough to work on, and bound what a hostile file costs. */
const PROBLEMS_MAX = 20

interface Walk {
  readonly scope: FileScope
  readonly position: (offset: number) => { readonly line: number; readonly column: number }
  readonly problems: Problem[]
  readonly entries: Map<string, FileEntry>
}

/** Entries of a file by dotted key, in the order of the file. @throws {NexusError} CONFIG_INVALID */
export function parseConfigFile(file: string, text: string, scope: FileScope): ReadonlyMap<string, FileEntry> {
  const { document, problems, position } = parseYaml(text.replace(/^\uFEFF/, ''))
  if (problems.length > 0) throw invalidFile(file, problems)
  const context: Walk = { scope, position, problems: [], entries: new Map() }
  if (document?.contents) walk(document.contents as Node, '', context)
  if (context.problems.length > 0) throw invalidFile(file, context.problems)
  return context.entries
}

function tell(context: Walk, offset: number, text: string, hint?: string): void {
  context.problems.push({ ...context.position(offset), text, ...(hint === undefined ? {} : { hint }) })
}

function walk(node: Node | null, key: string, context: Walk): void {
  const offset = node?.range?.[0] ?? 0
  const where = key === '' ? 'the configuration' : key
  // a section that is left empty says nothing
  if (isScalar(node) && node.value === null) return
  if (!isMap(node)) {
    tell(context, offset, isAlias(node) ? `${where} must not be an alias` : `${where} must be a map of keys`)
    return
  }
  const seen = new Set<string>()
  for (const pair of node.items) {
    if (context.problems.length >= PROBLEMS_MAX) return
    const word = keyText(pair.key)
    const at = (pair.key as Node | null)?.range?.[0] ?? offset
    if (word === undefined) tell(context, at, `${where} holds a key that is not a plain word`)
    else if (seen.has(word)) tell(context, at, `${nameKey(join(key, word))} is there twice`)
    else visit(word, at, pair.value as Node | null, key, context)
    if (word !== undefined) seen.add(word)
  }
}

function join(parent: string, word: string): string {
  return parent === '' ? word : `${parent}.${word}`
}

function visit(word: string, offset: number, value: Node | null, parent: string, context: Walk): void {
  const key = join(parent, word)
  const known = wordsBelow(parent)
  const chosen = known.includes('*')
  const misnamed = chosen ? chosenNameProblem(parent, word) : undefined
  if (misnamed !== undefined) {
    tell(context, offset, misnamed)
    return
  }
  if (!chosen && !known.includes(word)) {
    tell(context, offset, `unknown key ${nameKey(key)}`, hintFor(key))
    return
  }
  const spec = findKey(key)
  if (spec !== undefined) {
    note(spec, key, offset, value, context)
    return
  }
  const short = shortFormOf(key)
  const shortSpec = short === undefined ? undefined : findKey(short)
  if (short !== undefined && shortSpec !== undefined && isScalar(value) && value.value !== null) {
    note(shortSpec, short, offset, value, context)
    return
  }
  if (!isSection(key)) return
  const before = context.problems.length
  walk(value, key, context)
  // a misspelt word is told alone, without what is missing for it
  if (chosen && context.problems.length === before) requireComplete(key, offset, value, context)
}

function hintFor(key: string): string {
  const near = nearestKey(key)
  if (near === undefined) return 'To see the known keys, run `nexus config show`'
  const use = isSection(near)
    ? 'to see all keys, run `nexus config show`'
    : `to set it, run \`nexus config set ${near} <value>\``
  return `The nearest known key is ${near}; ${use}`
}

function requireComplete(entry: string, offset: number, node: Node | null, context: Walk): void {
  const present = isMap(node) ? node.items.map((pair) => keyText(pair.key)) : []
  const missing = requiredBelow(entry).find((word) => !present.includes(word))
  if (missing !== undefined) tell(context, offset, `${entry} needs a ${missing}`)
}

function note(spec: KeySpec, key: string, offset: number, node: Node | null, context: Walk): void {
  const position = node?.range?.[0] ?? offset
  if (isAlias(node)) {
    tell(context, position, `${key} must not be an alias`)
    return
  }
  const outcome = spec.type.check(node === null ? null : (node.toJSON() as unknown))
  if ('problem' in outcome) {
    tell(context, position, `${key} ${outcome.problem}`)
    return
  }
  const misplaced = misplacement(spec, key, outcome.value, context.scope)
  if (misplaced === undefined) context.entries.set(key, { value: outcome.value, line: context.position(offset).line })
  else tell(context, offset, misplaced)
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
