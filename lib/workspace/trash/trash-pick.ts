/**
 * Which entry of the trash a typed text means: a key, the id of a workspace, or a name by the same rules as for workspaces. Names of one
 * repository never mean an entry of another.
 */
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId } from '../../core/names.ts'
import { findHere, findRepository, type Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { aliasRoots, placesOf } from '../names/find.ts'
import { pickWorkspace } from '../names/pick.ts'
import { listTrash, TRASH_REFS, type TrashEntry } from './trash.ts'

/**
 * @param repo the repository that was named; what was in the trash before that was moved counts as its own
 * @throws {NexusError} WORKSPACE_NOT_FOUND; NAME_AMBIGUOUS with the candidates
 */
export async function chooseEntry(app: App, given: string, repo: Repository | undefined): Promise<TrashEntry> {
  const entries = await listTrash(app)
  const exact = entries.find(({ key }) => key === given)
  if (exact !== undefined) return exact
  const [first, ...others] = isWorkspaceId(given)
    ? entries.filter(({ record }) => record.id === given)
    : await entriesNamed(app, entries, given, repo)
  if (first === undefined) throw nothingOf(given)
  if (others.length === 0) return first
  const matching = [first, ...others]
  throw new NexusError('NAME_AMBIGUOUS', `${JSON.stringify(given)} is ${matching.length} times in the trash.`, {
    hint: `To restore the newest of them, run \`nexus trash restore ${first.key}\``,
    details: { candidates: matching.map(({ key, deletedAt, record }) => ({ key, deletedAt, repo: record.repo })) },
    output: matching.map(({ key, record }) => `${key}  ${record.repo}`).join('\n'),
  })
}

async function entriesNamed(app: App, entries: readonly TrashEntry[], given: string, repo: Repository | undefined) {
  const own = repo === undefined ? entries : entries.filter(({ record }) => record.repo === repo.root)
  const moved = repo === undefined ? [] : entries.filter(({ record }) => findRepository(record.repo) === undefined)
  const picked = await pick(app, own, given, repo)
  if (!(picked instanceof NexusError)) return own.filter(({ record }) => isSame(record, picked))
  const before = moved.length === 0 ? picked : await pick(app, moved, given, undefined, true)
  if (before instanceof NexusError) throw picked
  return moved.filter(({ record }) => isSame(record, before))
}

type Named = TrashEntry['record']
const isSame = (one: Named, other: Named) => one.repo === other.repo && one.name === other.name

/** Returns the refusal, as there may be something else to try. */
async function pick(
  app: App,
  entries: readonly TrashEntry[],
  given: string,
  repo: Repository | undefined,
  anywhere = false,
): Promise<Named | NexusError> {
  const records = entries.map(({ record }) => record)
  const distinct = records.filter((record, i) => records.findIndex((one) => isSame(one, record)) === i)
  const places = placesOf(await app.records.list(), repo ?? findHere(app.cwd))
  const fallsBack = anywhere || (app.asking?.command === undefined && places.root === undefined)
  const aliases = given.includes('/') ? await aliasRoots(app) : new Map<string, string>()
  const only = repo !== undefined
  try {
    return pickWorkspace(distinct, given, { ...places, only, aliases, fallsBack, command: 'trash restore' })
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    if (error.code !== 'WORKSPACE_NOT_FOUND') return error
    return error.details?.candidates === undefined ? nothingOf(given) : nothingOf(given, error.hint)
  }
}

function nothingOf(given: string, elsewhere?: string): NexusError {
  const where = elsewhere === undefined ? 'in the trash' : 'of this repository in the trash'
  return new NexusError('WORKSPACE_NOT_FOUND', `There is nothing of ${JSON.stringify(given)} ${where}.`, {
    hint: elsewhere ?? 'To see what there is, run `nexus trash list`',
  })
}

/** @throws {NexusError} INVALID_ARGUMENT for a repository that the entry is not of, wherever that is now */
export async function refuseOtherRepository(app: App, { key, record, head }: TrashEntry, repo: Repository) {
  if (repo.root === record.repo || head === null) return
  if ((await app.git.findCommit(repo.root, `${TRASH_REFS}${key}`)) !== undefined) return
  // on a full disk an entry gets no ref
  const isGone = findRepository(record.repo) === undefined
  if (isGone && (await app.git.findCommit(repo.root, head)) !== undefined) return
  throw new NexusError('INVALID_ARGUMENT', `${repo.root} is not the repository of ${key}, which was ${record.repo}.`, {
    hint: isGone
      ? `To restore it, run \`nexus trash restore ${key} --repo <where that is now>\``
      : `To restore it there, run \`nexus trash restore ${key}\``,
    details: { key, repo: record.repo },
  })
}
