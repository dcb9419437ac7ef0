/**
 * The trash: what deletes kept, until its time is up. An entry is a folder in NEXUS_HOME with the files, the worktree's own part of the
 * git dir (index, unfinished work, submodules) and a note of what it was; a ref in the repository keeps its commits. Everything is
 * moved by renaming: where the worktree lies on another file system, its files stay there, in `.trash` beside it. Volumes stay where
 * they are, and the note names them. `keeping.ts` decides what is kept; `trash-restore.ts` brings entries back.
 */

import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { worktreeOf } from '../../core/record-parts.ts'
import { formatSize } from '../../core/sizes.ts'
import { parseDuration, timestamp } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { copyTree, listFolder, moveTree, removeTree, writeJson } from '../../system/store.ts'
import { findAdminDir, isLinked, readBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { moveFolder, removeBelow, removeFolder } from '../foreign-files.ts'
import { lastCommit } from '../git/last-commit.ts'
import { readDetached } from '../git/losses.ts'
import { relinkNested } from '../git/nested-worktrees.ts'
import { forgetBorrowed, isBegun, moveOwnGit, type OwnGit } from '../git/private-git.ts'
import { withRepository } from '../operation/operate.ts'
import { isUnderWay, leadTo, noteOf, readNotes, type TrashNote } from '../status/restoring.ts'
import { removeEmptyFolders } from '../worktree-place.ts'
import { findOverfull, formatData, type Keeping, type KeptData } from './kept-data.ts'

/** As far as a clock is set right from time to time. */
const CLOCK_STEP_MS = 60_000
export const TRASH_REFS = 'refs/nexus/trash/'

/** Its `key` is `<workspace id>-<time>`, its folder's name; its `record` the workspace as it was. */
export interface TrashEntry extends TrashNote {
  /** RFC 3339 UTC. */
  readonly deletedAt: string
  /** Where the files lie; null when none are kept: a restore has them from the commit. */
  readonly files: string | null
  /** The branch that was checked out; null for none. */
  readonly branch: string | null
  /** The commit that was checked out. */
  readonly head: string | null
  /** What the delete would have refused for without `--force`, at most a thousand lines. */
  readonly lost: readonly string[]
  /** It has the git dir of the workspace's own, in which the worktree's part has this name. */
  readonly ownGit?: string
  /** What else it has: ignored files, data of services. */
  readonly data?: readonly KeptData[]
  /** A clock that jumped may be why its time is up: no delete drops it, `nexus gc` does. */
  readonly doubtful?: true
}

export const folderOf = (app: App, { key }: Pick<TrashEntry, 'key'>) => join(app.home.trash, key)
/** The worktree's own part of the git dir. */
export const adminOf = (app: App, entry: Pick<TrashEntry, 'key'>) => join(folderOf(app, entry), 'git')
/** The git dir of the workspace's own, with stashes and unfinished work, and the note of what had come back from it. */
export const ownGitOf = (app: App, entry: Pick<TrashEntry, 'key'>): OwnGit => ({
  privateGit: join(folderOf(app, entry), 'own-git'),
  broughtBack: join(folderOf(app, entry), 'brought-back.json'),
})

/** All entries, newest first. */
export async function listTrash(app: App): Promise<readonly TrashEntry[]> {
  const entries = await readNotes<TrashEntry>(app)
  return entries.toSorted((a, b) => b.deletedAt.localeCompare(a.deletedAt) || a.key.localeCompare(b.key))
}

/** Ids of the workspaces that entries are of, those too whose note cannot be read. */
export async function listTrashed(app: App): Promise<readonly string[]> {
  return (await listFolder(app.home.trash)).map((key) => key.replace(/-[^-]+$/, ''))
}

export async function saveEntry(app: App, entry: TrashEntry): Promise<void> {
  await writeJson(noteOf(app, entry), entry)
}

/** When a delete drops an entry; undefined for never. */
async function expiryOf(app: App, { deletedAt, doubtful }: TrashEntry): Promise<string | undefined> {
  if (doubtful) return undefined
  const keepMs = parseDuration((await app.config()).settings.trash.keep)
  return keepMs === undefined ? undefined : timestamp(new Date(Date.parse(deletedAt) + keepMs))
}

/** An entry as answers show it. */
export async function describeEntry(app: App, entry: TrashEntry) {
  const { deletedAt, record, branch, head, lost } = entry
  const { id, name, repo } = record
  const { key, until, files, data } = await describeKept(app, entry)
  return { key, id, name, repo, branch, head, deletedAt, until, files, changes: lost.length, data }
}

/** The same in the answer of the delete that made it. */
export async function describeKept(app: App, entry: TrashEntry) {
  const { key, files, data = [] } = entry
  const until = (await expiryOf(app, entry)) ?? null
  return { key, files, until, data: data.map(({ what, bytes, volume = null }) => ({ what, bytes, volume })) }
}

export async function nameInTrash(app: App, entry: TrashEntry): Promise<string> {
  return leadTo(app, await readNotes(app), entry)
}

/** An entry that a delete of this workspace began and did not finish. */
export async function findUnfinished(app: App, { id, local }: WorkspaceRecord): Promise<TrashEntry | undefined> {
  const mine = (await listTrash(app)).filter((entry) => entry.record.id === id && entry.restoring === undefined)
  return mine.find(({ files }) => files === null || !existsSync(files) || local === null || !existsSync(local.worktree))
}

/** Moves a worktree to the trash. What an earlier attempt did is not done again. */
export async function putInTrash(app: App, record: WorkspaceRecord, keeping: Keeping): Promise<TrashEntry> {
  const { local, repo } = record
  const linked = local !== null && isLinked(local.gitDir, local.worktree)
  const entry = (await findUnfinished(app, record)) ?? (await newEntry(app, record, keeping, linked))
  if (entry.ownGit !== undefined) await moveOwnGit(app, record, ownGitOf(app, entry))
  if (local === null || !existsSync(local.gitDir)) return moveFiles(app, entry)
  const { gitDir, worktree } = local
  return withRepository(app, gitDir, async () => {
    const from = linked ? worktree : undefined
    const detached = linked ? undefined : readDetached({ gitDir, worktree })
    const commits = [keeping.branchCommit, entry.head, detached].flatMap((commit) => commit ?? [])
    if (linked || commits.length > 0) await keepState(app, repo, from, entry, commits)
    const moved = await moveFiles(app, entry)
    const admin = entry.files === null ? undefined : findAdminDir(gitDir, worktree)
    if (admin !== undefined) await moveAcross(admin.path, adminOf(app, entry))
    // what tools make again, or has no room, takes none in the trash
    if (moved.files !== null) await removeBelow(app, record, moved.files, keeping.dropped)
    if (moved.files !== null) await relinkNested(app, { root: repo, gitDir }, [worktree], moved.files)
    return moved
  })
}

/** On a full disk the files can be moved, and a ref cannot be made: then git keeps what it knows of them for two weeks. */
async function keepState(
  app: App,
  repo: string,
  from: string | undefined,
  { key }: TrashEntry,
  more: readonly string[],
) {
  try {
    await app.git.keepState(repo, from, `${TRASH_REFS}${key}`, more)
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'DISK_FULL') throw error
    const text = `there is no room for the ref that keeps commits and staged files of ${key}: \`git gc --prune=now\` would remove them`
    app.emit({ type: 'warning', text, hint: `To bring it back before that, run \`nexus trash restore ${key}\`` })
  }
}

async function newEntry(app: App, record: WorkspaceRecord, keeping: Keeping, linked: boolean): Promise<TrashEntry> {
  const deletedAt = timestamp()
  const key = `${record.id}-${deletedAt.replace(/[-:]/g, '')}`
  const { local } = record
  const there = local !== null && existsSync(local.worktree)
  const isThere = local !== null && existsSync(local.gitDir)
  const tip = async () => (!isThere ? undefined : app.git.findCommit(record.repo, `refs/heads/${record.branch}`))
  const found =
    local !== null && linked
      ? await app.git.findCommit(local.worktree, 'HEAD')
      : (keeping.branchCommit ?? (await tip()))
  // of a branch that was deleted by hand
  const head = found ?? (await lastCommit(app, record))
  const known = local !== null && linked ? readBranch(local.worktree) : undefined
  const hasOwn = keeping.lost.length > 0 && isBegun(app, record)
  const own = hasOwn && local !== null ? findAdminDir(local.gitDir, local.worktree) : undefined
  // the workspace is made later than it is deleted: the clock is behind, and will jump
  const isBehind = Date.parse(record.createdAt) > Date.now() + CLOCK_STEP_MS
  const entry: TrashEntry = {
    schema: 2,
    key,
    deletedAt,
    record: { ...record, operation: null },
    files: there && keeping.files ? join(app.home.trash, key, 'files') : null,
    branch: known === undefined && local !== null ? record.branch : (known ?? null),
    head: head ?? null,
    lost: keeping.lost.slice(0, 1000),
    ...(own === undefined ? {} : { ownGit: basename(own.path) }),
    ...(keeping.data.length === 0 ? {} : { data: keeping.data }),
    ...(isBehind ? { doubtful: true as const } : {}),
  }
  await saveEntry(app, entry)
  return entry
}

/** To the entry's folder, or beside the worktree where that is on another file system. */
async function moveFiles(app: App, entry: TrashEntry): Promise<TrashEntry> {
  const worktree = worktreeOf(entry.record)
  if (entry.files === null || worktree === null || !existsSync(worktree)) return entry
  if (await moveFolder(app, entry.record, worktree, entry.files)) return entry
  const beside = { ...entry, files: join(dirname(worktree), '.trash', entry.key) }
  await saveEntry(app, beside)
  await moveFolder(app, entry.record, worktree, beside.files)
  return beside
}

/** What is small enough to be copied where it cannot be renamed. */
export async function moveAcross(from: string, to: string): Promise<void> {
  if (await moveTree(from, to)) return
  await copyTree(from, to)
  await removeTree(from)
}

/**
 * Drops the entries whose time is up. One that cannot be dropped is told and stays.
 * @returns the entries that are (or, in a dry run, would be) gone
 */
export async function expireTrash(app: App, dryRun: boolean): Promise<readonly TrashEntry[]> {
  const old = (await findExpired(app)).old
  return dryRun ? old : (await dropAll(app, old)).removed
}

async function findExpired(
  app: App,
): Promise<{ readonly all: readonly TrashEntry[]; readonly old: readonly TrashEntry[] }> {
  const keepMs = existsSync(app.home.trash) ? parseDuration((await app.config()).settings.trash.keep) : undefined
  if (keepMs === undefined) return { all: [], old: [] }
  const all = (await listTrash(app)).filter(({ restoring }) => restoring === undefined)
  return { all, old: all.filter((entry) => isOlder(entry, keepMs)) }
}

/**
 * The same after a delete, which is not about the trash: what a clock that jumped may have made old is told once and stays. That
 * is all that was there before when its time is up at once, and what comes from the future.
 * @param made the entry of this delete
 */
export async function expireAfterDelete(app: App, made: TrashEntry | null): Promise<void> {
  const { all, old } = await findExpired(app)
  const before = all.filter(({ key, doubtful }) => key !== made?.key && doubtful !== true)
  const ahead = before.filter((entry) => isOlder(entry, -CLOCK_STEP_MS) === false)
  const due = before.filter((entry) => old.includes(entry))
  const doubtful = [...ahead, ...(due.length === before.length ? due : [])]
  for (const entry of doubtful) await saveEntry(app, { ...entry, doubtful: true })
  if (doubtful.length === 0) return void (await dropAll(app, due))
  const which = ahead.length === 0 ? 'whose time is up all at once' : 'that a clock of another time put there'
  app.emit({
    type: 'warning',
    text: `the trash keeps ${doubtful.length === 1 ? 'an entry' : `${doubtful.length} entries`} ${which}: the clock may have jumped`,
    hint: 'To remove what is too old, run `nexus gc`; to remove all, `nexus trash empty`',
  })
  if (due.length < before.length) await dropAll(app, due)
}

/** Entries of data alone for which `trash.budget` has no room go, the oldest first, and it is said. */
export async function makeRoom(app: App, made: TrashEntry): Promise<void> {
  const { budget } = (await app.config()).settings.trash
  const all = (await listTrash(app)).filter(({ restoring }) => restoring === undefined)
  const { removed } = await dropAll(app, findOverfull(all, budget, made.key))
  for (const { record, deletedAt, data = [] } of removed) {
    const text = `trash.budget (${formatSize(budget)}) is full: ${formatData(data)} of ${record.name}, deleted ${deletedAt}, went`
    app.emit({ type: 'warning', text, hint: 'To keep more, run `nexus config set trash.budget 50g`' })
  }
}

export interface Emptied {
  /** In a dry run, what would be. */
  readonly removed: readonly TrashEntry[]
  /** What could not be removed, as was told. */
  readonly kept: readonly TrashEntry[]
}

/** Drops entries older than `olderThanMs`, or all, those too that a clock of another time put there. */
export async function emptyTrash(
  app: App,
  request: { readonly olderThanMs: number; readonly dryRun: boolean },
): Promise<Emptied> {
  const [entries, records] = await Promise.all([listTrash(app), app.records.list()])
  const chosen = entries.filter((entry) => request.olderThanMs === 0 || isOlder(entry, request.olderThanMs))
  const unfinished = chosen.filter((entry) => isUnderWay(records, entry))
  for (const { key } of unfinished) {
    const text = `${key} stays in the trash: its restore was interrupted`
    app.emit({ type: 'warning', text, hint: `To finish it, run \`nexus trash restore ${key}\`` })
  }
  const doomed = chosen.filter((entry) => !unfinished.includes(entry))
  const { removed, kept } = request.dryRun ? { removed: doomed, kept: [] } : await dropAll(app, doomed)
  return { removed, kept: [...unfinished, ...kept] }
}

function isOlder({ deletedAt }: TrashEntry, ms: number): boolean {
  return Date.now() - Date.parse(deletedAt) >= ms
}

async function dropAll(app: App, entries: readonly TrashEntry[]): Promise<Emptied> {
  const [removed, kept]: [TrashEntry[], TrashEntry[]] = [[], []]
  for (const entry of entries) {
    try {
      await dropEntry(app, entry)
      removed.push(entry)
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      kept.push(entry)
      app.emit({ type: 'warning', text: `${entry.key} stays in the trash: ${error.message}`, hint: error.hint })
    }
  }
  return { removed, kept }
}

/** The note goes last, so that what is cut short is found again. Volumes of a workspace that is there again are its own. */
export async function dropEntry(app: App, entry: TrashEntry): Promise<void> {
  const { files, record } = entry
  const names = (entry.data ?? []).flatMap(({ volume }) => volume ?? [])
  const isThere = (await app.records.load(record.id)) !== undefined
  if (names.length > 0 && !isThere) await (await app.backend(record.backend)).data?.remove(names)
  if (files !== null) {
    await removeFolder(app, record, files)
    if (basename(dirname(files)) === '.trash') await removeEmptyFolders(dirname(files))
  }
  if (record.local !== null && existsSync(record.local.gitDir)) {
    await app.git.deleteRef(record.repo, `${TRASH_REFS}${entry.key}`)
    if (entry.ownGit !== undefined && !isThere) await forgetBorrowed(app, record)
  }
  await removeFolder(app, record, folderOf(app, entry))
}
