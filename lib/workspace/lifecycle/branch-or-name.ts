/**
 * What a text with a slash means where a workspace is to be made: `<alias>/<name>` or `<repo>/<name>`, else a branch as `feature/login`. A
 * mistyped repository never becomes a branch: where other repositories are known, an unknown word before the slash is refused, unless
 * branches are customarily called so. `--repo` ends the matter: then the whole text names the branch.
 */
import { basename } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { nameOfBranch, nearest } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { findHere, type Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { aliasRoots } from '../names/find.ts'
import { repoWordsOf } from '../names/pick.ts'

/** What people and tools put before the slash of a branch. */
const CUSTOMARY = new Set(
  [
    'feature features feat fix fixes bug bugs bugfix hotfix release releases support chore task tasks issue issues topic',
    'doc docs test tests perf ci build style refactor revert wip spike experiment dev user users agent nexus pr',
    'dependabot renovate',
  ]
    .join(' ')
    .split(' '),
)

export interface Meant {
  /** An alias or a path, for `findRepo`; undefined for the repository of the current folder. */
  readonly repo: string | undefined
  readonly given: string | undefined
}

/**
 * @throws {NexusError} REPOSITORY_NOT_FOUND for a word that is neither repository nor branch folder; NAME_AMBIGUOUS for one that
 * is both
 */
export async function splitRepository(app: App, text: string | undefined, repo: string | undefined): Promise<Meant> {
  const slash = text?.indexOf('/') ?? -1
  if (text === undefined || repo !== undefined || slash < 1) return { repo, given: text }
  const [left, rest] = [text.slice(0, slash), text.slice(slash + 1)]
  const whole = { repo, given: text }
  const aliases = await aliasRoots(app)
  if (aliases.has(left)) return { repo: left, given: rest }
  const records = await app.records.list()
  const here = findHere(app.cwd)
  const known = knownRepositories(records, here)
  const named = known.get(left)
  const isCustomary = CUSTOMARY.has(left.toLowerCase())
  if (named === undefined && isCustomary) return whole
  const near = nearest(left, [...aliases.keys(), ...known.keys()])
  const others = aliases.size > 0 || records.some((record) => record.repo !== here?.root)
  if (named === undefined && near === undefined && !others) return whole
  const branches = here === undefined ? 'none' : await branchesOf(app, here, text, left)
  if (branches === 'the branch' || (here !== undefined && isThere(records, here, text))) return whole
  const [root, ...more] = named ?? []
  if (root === undefined) {
    if (branches === 'its folder') return whole
    throw unknownWord(app, { text, left, rest, near })
  }
  if (more.length > 0 || branches === 'its folder' || isCustomary)
    throw ambiguous(app, { text, left, rest }, [root, ...more])
  return { repo: root, given: rest }
}

/** What repositories with workspaces, and the current one, are called: the word and the main worktrees that have it. */
function knownRepositories(records: readonly WorkspaceRecord[], here: Repository | undefined) {
  const known = new Map<string, readonly string[]>()
  const add = (word: string, root: string) => known.set(word, [...new Set([...(known.get(word) ?? []), root])])
  for (const record of records) for (const word of repoWordsOf(record)) add(word, record.repo)
  if (here !== undefined) add(basename(here.root), here.root)
  return known
}

async function branchesOf(app: App, here: Repository, text: string, left: string) {
  const refs = await app.git.listRefs(here.root, ['refs/heads', 'refs/remotes'])
  const names = refs.flatMap(({ name }) => [
    name.replace(/^refs\/(heads|remotes)\//, ''),
    ...(name.startsWith('refs/remotes/') ? [name.split('/').slice(3).join('/')] : []),
  ])
  if (names.includes(text)) return 'the branch'
  return names.some((name) => name.startsWith(`${left}/`)) ? 'its folder' : 'none'
}

/** A workspace of this repository that was made from the same text. */
function isThere(records: readonly WorkspaceRecord[], here: Repository, text: string): boolean {
  return records.some(({ repo, name }) => repo === here.root && name === nameOfBranch(text))
}

interface Words {
  readonly text: string
  readonly left: string
  readonly rest: string
}

function unknownWord({ asking }: App, { text, left, rest, near }: Words & { readonly near: string | undefined }) {
  const command = asking?.command
  const asBranch =
    command === undefined ? 'give the field repo' : `run \`nexus ${command} ${shellWord(text)} --repo .\``
  const begin =
    near === undefined
      ? 'For'
      : `To mean ${near}, run \`nexus ${command ?? 'up'} ${shellWord(`${near}/${rest}`)}\`; for`
  return new NexusError(
    'REPOSITORY_NOT_FOUND',
    `${JSON.stringify(left)} is neither a repository that has workspaces nor an alias, and there is no branch ${JSON.stringify(text)}.`,
    {
      hint: `${begin} a new branch of that name, ${asBranch}`,
      details: { given: text, ...(near === undefined ? {} : { nearest: near }) },
    },
  )
}

function ambiguous({ asking }: App, { text, left, rest }: Words, roots: readonly string[]): NexusError {
  const command = asking?.command ?? 'up'
  const asBranch = `nexus ${command} ${shellWord(text)} --repo .`
  const repositories = roots.map((root) => `\`nexus ${command} ${shellWord(rest)} --repo ${shellWord(root)}\``)
  return new NexusError(
    'NAME_AMBIGUOUS',
    `${JSON.stringify(left)} is a repository (${roots.join(', ')}), and branches here can begin so too.`,
    {
      hint: `For a workspace there, run ${repositories.join(' or ')}; for a new branch here, \`${asBranch}\``,
      details: { given: text, repositories: roots },
    },
  )
}
