/**
 * Which record a typed name means: the decision alone, from records. A bare name means the current repository. A verb that only looks may
 * take the one workspace of that name from another repository and says so; a verb that changes something refuses and names it. Pure.
 */
import { basename } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { labelInAlias, nameOfBranch, nearest, parseName, repoLabel, type WorkspaceName } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import { escapePattern, joinWords } from '../../core/words.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'

/** Candidates that a refusal names at most. */
const NAMED_MAX = 5

export interface Picking {
  /** The main worktree of the repository that a bare name means; undefined outside of any. */
  readonly root: string | undefined
  /** Where it was, by its records, when it was moved. */
  readonly movedFrom?: string | undefined
  /** The repository was named: no other one is looked at. */
  readonly only?: boolean
  /** Aliases of the user's configuration, each with its repository's main worktree. */
  readonly aliases?: ReadonlyMap<string, string> | undefined
  /** A bare name that only another repository has is taken from there. */
  readonly fallsBack?: boolean
  /** The verb that was typed and its whole line, for the hints. */
  readonly command?: string | undefined
  readonly line?: string | undefined
}

/** @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS with the candidates, INVALID_ARGUMENT for an impossible name */
export function pickWorkspace(records: readonly WorkspaceRecord[], given: string, picking: Picking): WorkspaceRecord {
  const { root, only = false, aliases = new Map(), fallsBack = false } = picking
  const name = nameOrUndefined(given)
  if (only) return hereOf(records, name, root) ?? refuseUnknown(records, given, picking)
  const slash = given.indexOf('/')
  const aliased = slash < 1 ? undefined : aliases.get(given.slice(0, slash))
  if (aliased !== undefined) {
    const rest = given.slice(slash + 1)
    const found = hereOf(records, nameOrUndefined(rest), aliased)
    return found ?? refuseUnknown(records, rest, { ...picking, root: aliased, only: true })
  }
  const here = hereOf(records, name, root) ?? hereOf(records, name, picking.movedFrom)
  if (here !== undefined) return here
  const qualified = qualifiedBy(records, given)
  if (qualified.length > 0) return theOnly(qualified, given, picking)
  const elsewhere = records.filter((record) => record.name === name)
  if (elsewhere.length > 0 && !fallsBack) return refuseElsewhere(records, elsewhere, given, picking)
  if (elsewhere.length > 0) return theOnly(elsewhere, given, picking, 'none here, and ')
  parseName(given)
  return refuseUnknown(records, given, picking)
}

function hereOf(records: readonly WorkspaceRecord[], name: WorkspaceName | undefined, root: string | undefined) {
  return root === undefined ? undefined : records.find((record) => record.repo === root && record.name === name)
}

/** @param before what is known of the current repository */
function theOnly(
  candidates: readonly WorkspaceRecord[],
  given: string,
  picking: Picking,
  before = '',
): WorkspaceRecord {
  const [first, ...others] = candidates
  if (first !== undefined && others.length === 0) return first
  const some = candidates.slice(0, NAMED_MAX)
  const more = candidates.length - some.length
  const names = some.map((record) => `${record.project}/${record.name} (${record.id}, ${record.repo})`)
  if (more > 0) names.push(`${more} more`)
  throw new NexusError(
    'NAME_AMBIGUOUS',
    `${JSON.stringify(given)} names ${before}${candidates.length} workspaces${before === '' ? '' : ' elsewhere'}: ${names.join('; ')}.`,
    {
      hint: `To mean one of them, use its id: \`${retyped(given, first?.id ?? '', picking)}\``,
      details: { candidates: candidates.map(({ id, project, name, repo }) => ({ id, project, name, repo })) },
    },
  )
}

/** `<repo>/<name>`; the name may have slashes, and so may the project's word for itself. */
function qualifiedBy(records: readonly WorkspaceRecord[], given: string): readonly WorkspaceRecord[] {
  const readings = [...given.matchAll(/\//g)].map(
    ({ index }) => [given.slice(0, index), nameOrUndefined(given.slice(index + 1))] as const,
  )
  return records.filter((record) =>
    readings.some(([word, name]) => name === record.name && repoWordsOf(record).includes(word)),
  )
}

/** What a repository is called: by the project, in the aliases of ssh, and by its folder. */
export function repoWordsOf(record: WorkspaceRecord): readonly string[] {
  return [record.project, repoLabel(record.project), labelInAlias(record), basename(record.repo)]
}

/** What names this workspace from anywhere: `<repo>/<name>` where that is no other one's too, else its id. */
export function fullNameOf(records: readonly WorkspaceRecord[], record: WorkspaceRecord): string {
  const plain = repoWordsOf(record).filter((word) => /^[\w.-]+$/.test(word))
  const full = plain.map((word) => `${word}/${record.name}`)
  return full.find((text) => qualifiedBy(records, text).length === 1) ?? record.id
}

/** What a repository is called in a sentence. */
export function repositoryWord(records: readonly WorkspaceRecord[], root: string): string {
  return records.find(({ repo }) => repo === root)?.project ?? basename(root)
}

function refuseElsewhere(
  records: readonly WorkspaceRecord[],
  elsewhere: readonly WorkspaceRecord[],
  given: string,
  picking: Picking,
): never {
  const { root } = picking
  const some = elsewhere.slice(0, NAMED_MAX)
  const full = some.map((record) => fullNameOf(records, record))
  const more = elsewhere.length - some.length
  const owners = [...some.map(({ project }) => project), ...(more === 0 ? [] : [`${more} more`])]
  const where = root === undefined ? 'here, outside of any repository' : `in ${repositoryWord(records, root)}`
  const have = `${joinWords(owners, 'and')} ${owners.length === 1 ? 'has one' : 'have one each'}`
  throw new NexusError('WORKSPACE_NOT_FOUND', `There is no workspace ${some[0]?.name} ${where}; ${have}.`, {
    hint: `To mean ${some.length === 1 ? 'it' : 'one of them'}, run ${joinWords(
      full.map((text) => `\`${retyped(given, text, picking)}\``),
      'or',
    )}`,
    details: { candidates: some.map(({ id, project, name, repo }) => ({ id, project, name, repo })) },
  })
}

/** The command as it was typed, with another name; its verb and the name alone where the line does not tell which word is the name. */
function retyped(given: string, word: string, { command = 'status', line = '' }: Picking): string {
  const verb = `nexus ${command}`
  const rest = line.startsWith(`${verb} `) ? line.slice(verb.length) : ''
  // of `cp`, the name stands before a colon, perhaps twice
  const after = command === 'cp' ? '(?=:)' : '(?= |$)'
  const name = new RegExp(`(?<= )${escapePattern(shellWord(given))}${after}`, 'g')
  const [own = '', ...inside] = rest.split(' -- ')
  const count = own.match(name)?.length ?? 0
  if (count === 0 || (count > 1 && command !== 'cp')) return `${verb} ${word}`
  return `${verb}${[own.replace(name, word), ...inside].join(' -- ')}`
}

function nameOrUndefined(given: string): WorkspaceName | undefined {
  try {
    return nameOfBranch(given)
  } catch {
    return undefined // told when nothing else fits
  }
}

/** The nearest name of this repository is meant before one of another; with `only`, none of another. */
export function refuseUnknown(records: readonly WorkspaceRecord[], given: string, { root, only }: Picking): never {
  const wordsOf = ({ name, project }: WorkspaceRecord): readonly string[] => [name, `${project}/${name}`]
  const nearIn = (some: readonly WorkspaceRecord[]) => {
    const word = nearest(given, some.flatMap(wordsOf))
    return word === undefined ? undefined : some.find((record) => wordsOf(record).includes(word))
  }
  const near = nearIn(records.filter(({ repo }) => repo === root)) ?? (only === true ? undefined : nearIn(records))
  const isPlain = near !== undefined && near.repo === root && only !== true
  const word = near === undefined ? '' : isPlain ? near.name : fullNameOf(records, near)
  throw new NexusError('WORKSPACE_NOT_FOUND', `There is no workspace ${JSON.stringify(given)}.`, {
    hint:
      near === undefined
        ? 'To see what there is, run `nexus list --all`'
        : `To mean ${near.name}${near.repo === root ? '' : ` of ${near.repo}`}, run \`nexus status ${word}\``,
    details: { given, ...(near === undefined ? {} : { nearest: near.name }) },
  })
}
