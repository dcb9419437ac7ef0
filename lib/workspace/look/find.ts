/**
 * From what a user typed to a workspace: an id, a name (first in the repository of the current folder, then anywhere), or
 * `<repo>/<name>`. Reads records and the file system; starts nothing.
 */

import { existsSync } from 'node:fs'
import { basename, isAbsolute, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId, labelInAlias, nearest, parseName, repoLabel, type WorkspaceName } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { realPathOf } from '../../project/real-path.ts'
import { isWithin } from '../../stack/places.ts'
import { findHere, planted, type Repository, requireRepository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { listMoved, refuseMoved } from '../drift.ts'
import { CURRENT, requireCurrent } from './current.ts'

/** The repository named by `--repo` (a path, or an alias of the user's configuration), else that of the current folder. */
export async function findRepo(app: App, given: string | undefined): Promise<Repository> {
  const found = await chooseRepo(app, given)
  // by the records too: whoever is inside may have moved git's own files out of the way
  for (const { repo, gitDir, worktree } of await app.records.list()) {
    if (worktree === null || gitDir === null || !isWithin(found.worktree, realPathOf(worktree) ?? worktree)) continue
    if (realPathOf(gitDir) !== realPathOf(found.gitDir)) throw planted(found.worktree, worktree, repo)
  }
  return found
}

async function chooseRepo(app: App, given: string | undefined): Promise<Repository> {
  if (given === undefined) return requireRepository(app.cwd)
  const path = isAbsolute(given) ? given : resolve(app.cwd, given)
  if (!existsSync(path)) {
    const { workspaces } = (await app.config()).settings
    const alias = Object.hasOwn(workspaces, given) ? workspaces[given] : undefined
    if (alias !== undefined) return requireRepository(alias.path)
    throw new NexusError(
      'REPOSITORY_NOT_FOUND',
      `${JSON.stringify(given)} is neither a folder nor a repository alias.`,
      {
        hint: `To make it an alias, run \`nexus config set workspaces.${repoLabel(given)}.path <path>\``,
      },
    )
  }
  return requireRepository(path)
}

/** `<alias>/<name>` where the alias is one of the user's configuration; else the text is a name, slashes and all. */
export async function splitAlias(
  app: App,
  text: string | undefined,
): Promise<{ readonly repoName: string | undefined; readonly given: string | undefined }> {
  const slash = text?.indexOf('/') ?? -1
  if (text === undefined || slash < 1) return { repoName: undefined, given: text }
  const alias = text.slice(0, slash)
  const { workspaces } = (await app.config()).settings
  if (!Object.hasOwn(workspaces, alias)) return { repoName: undefined, given: text }
  return { repoName: alias, given: text.slice(slash + 1) }
}

/** The workspace of a repository by the text that would make it, undefined when there is none yet. */
export async function findWorkspace(app: App, given: string, repo: Repository): Promise<WorkspaceRecord | undefined> {
  const records = await app.records.list()
  if (isWorkspaceId(given)) return records.find((record) => record.id === given) ?? refuseUnknown(given, records)
  const name = parseName(given)
  const found = records.find((record) => record.repo === repo.root && record.name === name)
  if (found === undefined) {
    const moved = listMoved(records, repo)
    refuseMoved(
      moved.filter((record) => record.name === name),
      repo,
    )
  }
  return found
}

/**
 * The workspace that `given` names; `current` is that of the current folder.
 * @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS with the candidates, INVALID_ARGUMENT for an impossible name
 */
export async function requireWorkspace(app: App, given: string, repo?: string): Promise<WorkspaceRecord> {
  if (given === CURRENT) return requireCurrent(app)
  const records = await app.records.list()
  if (isWorkspaceId(given)) return records.find((record) => record.id === given) ?? refuseUnknown(given, records)
  const root = repo === undefined ? findHere(app.cwd)?.root : (await findRepo(app, repo)).root
  return pickWorkspace(records, given, root, repo !== undefined)
}

/** The decision alone, from records. `only` looks nowhere but in `root`. */
export function pickWorkspace(
  records: readonly WorkspaceRecord[],
  given: string,
  root: string | undefined,
  only = false,
): WorkspaceRecord {
  const name = nameOrUndefined(given)
  const here = records.find((record) => record.repo === root && record.name === name)
  if (here !== undefined) return here
  if (only) return refuseUnknown(given, records, root, true)
  const slash = given.lastIndexOf('/')
  const qualified = slash < 1 ? [] : inProject(records, given.slice(0, slash), given.slice(slash + 1))
  const elsewhere = records.filter((record) => record.name === name)
  const candidates = qualified.length > 0 ? qualified : elsewhere
  const [first, ...others] = candidates
  if (first === undefined) return name === undefined ? refuseName(given) : refuseUnknown(given, records, root)
  if (others.length === 0) return first
  const names = candidates.map((record) => `${record.project}/${record.name} (${record.id}, ${record.repo})`)
  throw new NexusError(
    'NAME_AMBIGUOUS',
    `${JSON.stringify(given)} names ${candidates.length} workspaces: ${names.join('; ')}.`,
    {
      hint: `To mean one of them, use its id: \`nexus status ${first.id}\``,
      details: { candidates: candidates.map(({ id, project, name, repo }) => ({ id, project, name, repo })) },
    },
  )
}

function inProject(records: readonly WorkspaceRecord[], project: string, name: string): readonly WorkspaceRecord[] {
  return records.filter(
    (record) =>
      record.name === nameOrUndefined(name) &&
      [record.project, repoLabel(record.project), labelInAlias(record), basename(record.repo)].includes(project),
  )
}

function nameOrUndefined(given: string): WorkspaceName | undefined {
  try {
    return parseName(given)
  } catch {
    return undefined // told by refuseName when nothing else fits
  }
}

function refuseName(given: string): never {
  parseName(given)
  throw new Error(`${given} is a name after all`)
}

/** The nearest name of this repository is meant before one of another, which is said; with `only`, none of another. */
function refuseUnknown(given: string, records: readonly WorkspaceRecord[], root?: string, only = false): never {
  const nearIn = (some: readonly WorkspaceRecord[]) => {
    const name = nearest(
      given,
      some.map((record) => record.name),
    )
    return some.find((record) => record.name === name)
  }
  const near = nearIn(records.filter(({ repo }) => repo === root)) ?? (only ? undefined : nearIn(records))
  throw new NexusError('WORKSPACE_NOT_FOUND', `There is no workspace ${JSON.stringify(given)}.`, {
    hint: near === undefined ? 'To see what there is, run `nexus list --all`' : hintFor(near, root, only),
    details: { given, ...(near === undefined ? {} : { nearest: near.name }) },
  })
}

function hintFor({ name, repo }: WorkspaceRecord, root: string | undefined, only: boolean): string {
  const where = repo === root || root === undefined ? '' : ` of ${repo}`
  return `To mean ${name}${where}, run \`nexus status ${name}${only ? ` --repo ${shellWord(repo)}` : ''}\``
}
