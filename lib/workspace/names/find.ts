/**
 * From what a user typed to a workspace: an id, a name in the repository of the current folder, `<repo>/<name>` or
 * `<alias>/<name>`. Reads records and the file system; starts nothing.
 */

import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId, nameOfBranch, repoLabel } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { isWithin } from '../../stack/places.ts'
import { realPathOf } from '../../system/real-path.ts'
import { findHere, findRepository, planted, type Repository, requireRepository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { listMoved, refuseMoved } from '../drift.ts'
import { CURRENT, requireCurrent, requireCurrentFolder } from './current.ts'
import { fullNameOf, type Picking, pickWorkspace, refuseUnknown, repositoryWord } from './pick.ts'

/** The repository named by `--repo` (a path, or an alias of the user's configuration), else that of the current folder. */
export async function findRepo(
  app: App,
  given: string | undefined,
  records?: readonly WorkspaceRecord[],
): Promise<Repository> {
  const found = await chooseRepo(app, given)
  // by the records too: whoever is inside may have moved git's own files out of the way
  for (const { repo, local } of records ?? (await app.records.list())) {
    if (local === null) continue
    const { gitDir, worktree } = local
    if (!isWithin(found.worktree, realPathOf(worktree) ?? worktree)) continue
    if (realPathOf(gitDir) !== realPathOf(found.gitDir)) throw planted(found.worktree, worktree, repo)
  }
  return found
}

async function chooseRepo(app: App, given: string | undefined): Promise<Repository> {
  if (given === undefined) {
    requireCurrentFolder(app)
    return requireRepository(app.cwd)
  }
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

/** The workspace of a repository by the text that would make it, undefined when there is none yet. */
export async function findWorkspace(app: App, given: string, repo: Repository): Promise<WorkspaceRecord | undefined> {
  const records = await app.records.list()
  if (isWorkspaceId(given))
    return records.find((record) => record.id === given) ?? refuseUnknown(records, given, { root: undefined })
  const name = nameOfBranch(given)
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
 * The workspace that `given` names; `current` is that of the current folder. A bare name means the repository of the current folder, and
 * only a verb that looks takes it from another one. A request without a folder has no current repository: there an unambiguous name does.
 * @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS with the candidates, INVALID_ARGUMENT for an impossible name
 */
export async function requireWorkspace(app: App, given: string, repo?: string): Promise<WorkspaceRecord> {
  const records = await app.records.list()
  const found = await chooseWorkspace(app, records, given, repo)
  await noteNamed(app, found, given, records)
  return found
}

/** How the workspaces of this one's repository are named from the current folder; what is noted of them first holds. */
export async function noteNamed(
  app: App,
  found: WorkspaceRecord,
  given: string,
  records?: readonly WorkspaceRecord[],
): Promise<void> {
  if (app.named === undefined || app.named.some(({ repo }) => repo === found.repo)) return
  const all = records ?? (await app.records.list())
  const places = placesOf(all, findHere(app.cwd))
  const isHere = found.repo === places.root || found.repo === places.movedFrom
  const picking = { ...places, aliases: isHere ? undefined : await aliasRoots(app) }
  const wordOf = (record: WorkspaceRecord) => {
    const words = [...(record.id === found.id ? [given] : []), fullNameOf(all, record)]
    return words.find((text) => means(all, text, picking, record)) ?? record.id
  }
  for (const record of all.filter(({ repo }) => repo === found.repo)) {
    const word = isHere ? record.name : wordOf(record)
    app.named.push({ name: record.name, repo: record.repo, word: shellWord(word) })
  }
}

/** What a bare name means: the repository of the current folder, and where its records have it when it was moved. */
export function placesOf(
  records: readonly WorkspaceRecord[],
  here: Repository | undefined,
): Pick<Picking, 'root' | 'movedFrom'> {
  return { root: here?.root, movedFrom: here === undefined ? undefined : listMoved(records, here)[0]?.repo }
}

function means(records: readonly WorkspaceRecord[], text: string, picking: Picking, record: WorkspaceRecord): boolean {
  try {
    return pickWorkspace(records, text, picking).id === record.id
  } catch (error) {
    if (error instanceof NexusError) return false
    throw error
  }
}

async function chooseWorkspace(
  app: App,
  records: readonly WorkspaceRecord[],
  given: string,
  repo: string | undefined,
): Promise<WorkspaceRecord> {
  if (given === CURRENT) return requireCurrent(app)
  if (isWorkspaceId(given))
    return records.find((record) => record.id === given) ?? refuseUnknown(records, given, { root: undefined })
  const { command, effect, line } = app.asking ?? {}
  if (repo !== undefined)
    return pickWorkspace(records, given, { root: (await findRepo(app, repo, records)).root, only: true })
  const { root, movedFrom } = placesOf(records, findHere(app.cwd))
  const fallsBack = effect === 'looks' || (command === undefined && root === undefined)
  const aliases = given.includes('/') ? await aliasRoots(app) : new Map<string, string>()
  const found = pickWorkspace(records, given, { root, movedFrom, aliases, fallsBack, command, line })
  if (command !== undefined && found.repo !== root && found.repo !== movedFrom && !given.includes('/'))
    tellElsewhere(app, records, found, root)
  return found
}

function tellElsewhere(app: App, records: readonly WorkspaceRecord[], found: WorkspaceRecord, root?: string): void {
  const where = root === undefined ? 'here' : `in ${repositoryWord(records, root)}`
  const text = `there is no workspace ${found.name} ${where}; this is ${fullNameOf(records, found)}`
  app.emit({ type: 'notice', text })
}

/** Aliases of the user's configuration with the main worktree of each one's repository. */
export async function aliasRoots(app: App): Promise<ReadonlyMap<string, string>> {
  const { workspaces } = (await app.config()).settings
  return new Map(
    Object.entries(workspaces).map(([alias, { path }]) => [alias, findRepository(path)?.root ?? path] as const),
  )
}
