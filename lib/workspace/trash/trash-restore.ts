/**
 * Brings a worktree back from the trash: git makes the worktree anew on its branch, then the files and what belonged to it in
 * the git dir (index, unfinished work, submodules) go where they were. The workspace is there again, stopped; its containers are
 * made by the next start, which finds the volumes that were kept, as they have the names that it would give them.
 */

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { newWorkspaceId, parseName, type WorkspaceName } from '../../core/names.ts'
import { localOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { LocalPart, WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent, removeIfEmpty, removeTree, writeFileAtomic } from '../../system/store.ts'
import { lastLogged } from '../../tools/branch-log.ts'
import {
  findAdminDir,
  isLinked,
  MARKER,
  type Repository,
  readBranch,
  requireRepository,
} from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'
import { moveFolder } from '../foreign-files.ts'
import { markWorktree } from '../git/marker.ts'
import { relinkNested } from '../git/nested-worktrees.ts'
import * as ownGit from '../git/own-git.ts'
import { relinkSubmodules } from '../git/submodules.ts'
import { requireFreeFolder } from '../lifecycle/draft.ts'
import { alreadyExists, claimName } from '../lifecycle/naming.ts'
import { refuseRelativePrograms } from '../lifecycle/origin.ts'
import { withRepository } from '../operation/operate.ts'
import { closeWorktrees } from '../worktree-place.ts'
import { adminOf, dropEntry, moveAcross, ownGitOf, saveEntry, type TrashEntry } from './trash.ts'
import { chooseEntry, refuseOtherRepository } from './trash-pick.ts'

export interface RestoreRequest {
  /** Key of an entry, id or name of its workspace, `<repo>/<name>` or `<alias>/<name>`. */
  readonly given: string
  /** Another name than it had. */
  readonly as: string | undefined
  /** Where its repository is now; undefined for where it was. */
  readonly repo: Repository | undefined
  readonly dryRun: boolean
}

export interface RestoreResult {
  readonly entry: TrashEntry
  readonly record: WorkspaceRecord
  /** The branch that it is on now; null when it was on none. */
  readonly branch: string | null
}

/** What git makes the worktree from. */
interface Place {
  readonly repo: Repository
  readonly name: WorkspaceName
  readonly worktree: string
  readonly branch: string | null
  /** The branch is not there and is made at this commit. */
  readonly makeAt: string | undefined
}

export async function restoreTrash(app: App, request: RestoreRequest): Promise<RestoreResult> {
  const entry = withHead(app, await chooseEntry(app, request.given, request.repo))
  const done = await findRestored(app, entry)
  if (done !== undefined && !request.dryRun) await dropEntry(app, entry)
  if (done !== undefined) return { entry, record: done, branch: currentBranch(app.home, done) ?? null }
  const place = await findPlace(app, entry, request)
  const record = await revive(app, entry, place)
  const result = { entry, record, branch: place.branch }
  const { head: commit, files } = entry
  // the files come back as they were, or from their commit
  if (files === null && commit !== null)
    await refuseRelativePrograms(app, place.repo, { branch: record.branch, commit })
  if (request.dryRun) return result
  await saveEntry(app, { ...entry, restoring: { worktree: place.worktree, name: place.name } })
  await closeWorktrees(app, record, (await app.config()).settings)
  try {
    await withRepository(app, place.repo.gitDir, () => bringBack(app, entry, place, record))
  } catch (error) {
    // nothing has left the trash: it is as if it had not begun
    if (!existsSync(place.worktree)) await saveEntry(app, entry)
    throw error
  }
  const claimed = await claimName(app, record)
  await dropEntry(app, {
    ...entry,
    record: { ...entry.record, repo: place.repo.root, local: localAt(entry.record, place) },
  })
  return { ...result, record: claimed }
}

/** One of an older Nexus may not know it where the branch had been deleted before. */
function withHead(app: App, entry: TrashEntry): TrashEntry {
  const { head, record } = entry
  return head === null ? { ...entry, head: lastLogged(adminOf(app, entry)) ?? record.base } : entry
}

/** The workspace where a restore was cut off when all but the entry was done. */
async function findRestored(app: App, { record, files, restoring }: TrashEntry): Promise<WorkspaceRecord | undefined> {
  if (restoring === undefined || (files !== null && existsSync(files))) return undefined
  const there = await app.records.load(record.id)
  return there?.local?.worktree === restoring.worktree ? there : undefined
}

async function findPlace(app: App, entry: TrashEntry, { as, repo: given }: RestoreRequest): Promise<Place> {
  const { record } = entry
  const repo = given ?? requireRepository(record.repo)
  await refuseOtherRepository(app, entry, repo)
  const name = as === undefined ? record.name : parseName(as)
  const twin = (await app.records.list()).find((one) => one.repo === repo.root && one.name === name)
  if (twin !== undefined) throw alreadyExists(twin)
  if (record.local?.adopted === true) return { repo, name, ...requireAdopted(record) }
  const worktree = placeOf(record, repo, name)
  // what a restore that was cut off made there is ours
  if (entry.restoring?.worktree !== worktree) requireFreeFolder(worktree, repo)
  return { repo, name, worktree, ...(await findBranch(app, entry, repo, worktree)) }
}

/** It was there before the workspace and stayed: only its data was kept. @throws {NexusError} REPOSITORY_NOT_FOUND */
function requireAdopted(record: WorkspaceRecord) {
  const { worktree, gitDir } = localOf(record)
  if (isLinked(gitDir, worktree)) return { worktree, branch: readBranch(worktree) ?? null, makeAt: undefined }
  throw new NexusError('REPOSITORY_NOT_FOUND', `The worktree ${worktree} is not there any more.`, {
    hint: `To see what there is, run \`git worktree list\``,
  })
}

/** It stays one that was there before. */
function localAt({ local }: WorkspaceRecord, { repo, worktree }: Place): LocalPart {
  return { worktree, gitDir: repo.gitDir, adopted: local?.adopted === true }
}

/** Where it was; under another name beside that, in a repository that was moved in the same place of it. */
function placeOf(record: WorkspaceRecord, repo: Repository, name: WorkspaceName): string {
  const was = record.local?.worktree ?? join(record.repo, '.worktree', record.name)
  const path = name === record.name ? was : join(dirname(was), name)
  return path.startsWith(`${record.repo}/`) ? join(repo.root, path.slice(record.repo.length)) : path
}

/**
 * Its own branch while that is as it was and nobody has it; else a new one at the same commit, as the files are to be seen
 * against the commit that they were made on.
 */
async function findBranch(app: App, entry: TrashEntry, repo: Repository, worktree: string) {
  const { branch, head } = entry
  const at = head === null ? undefined : await app.git.findCommit(repo.root, head)
  const refs = await app.git.listRefs(repo.root, ['refs/heads'])
  const find = (name: string) => refs.find((ref) => ref.name === `refs/heads/${name}`)
  const own = branch === null ? undefined : find(branch)
  if (at === undefined && own === undefined) throw lostHead(entry)
  if (branch === null) return { branch, makeAt: undefined }
  if (own === undefined) return { branch, makeAt: at }
  if (at === undefined) return { branch, makeAt: undefined }
  if (own.commit === head && (own.worktree === '' || own.worktree === worktree)) return { branch, makeAt: undefined }
  for (let n = 1; ; n++) {
    const other = `${branch}-restored${n === 1 ? '' : `-${n}`}`
    const there = find(other)
    if (there === undefined) return { branch: other, makeAt: at }
    if (there.worktree === worktree) return { branch: other, makeAt: undefined }
  }
}

/** Registered, filled, and told what was unfinished. Whatever an earlier attempt did is not done again. */
async function bringBack(app: App, entry: TrashEntry, place: Place, record: WorkspaceRecord): Promise<void> {
  const { repo, worktree, branch, makeAt } = place
  const { head, files } = entry
  if (record.local?.adopted === true) {
    await markWorktree(record)
    return giveOwnGit(app, entry, record)
  }
  const waiting = files !== null && existsSync(files)
  if (waiting || findAdminDir(repo.gitDir, worktree) === undefined) {
    await removeHalfMade(app, repo, worktree)
    if (branch !== null && makeAt !== undefined) await app.git.makeBranch(repo.root, branch, makeAt)
    if (branch !== null) await app.git.addWorktree(repo.root, worktree, existingBranch(branch), 'other')
    else if (head !== null) await app.git.addDetached(repo.root, worktree, head)
    else throw lostHead(entry)
  }
  if (waiting) await putFiles(app, entry, worktree, files)
  const admin = findAdminDir(repo.gitDir, worktree)
  if (admin === undefined) throw new Error(`${worktree} is not registered`)
  await carryOver(adminOf(app, entry), admin.path)
  if (!existsSync(join(admin.path, 'index'))) await app.git.readHead(worktree)
  await relinkSubmodules(app, admin.path, worktree)
  await relinkNested(
    app,
    repo,
    [files, entry.record.local?.worktree].flatMap((place) => place ?? []),
    worktree,
  )
  if (files === null) await app.git.checkOut(worktree, (text) => app.emit({ type: 'progress', text }), 'other')
  await markWorktree(record)
  await giveOwnGit(app, entry, record)
}

/** The one that it had, where the trash has that. */
async function giveOwnGit(app: App, entry: TrashEntry, record: WorkspaceRecord): Promise<void> {
  const { ownGit: admin, record: before } = entry
  if (admin !== undefined) await ownGit.restore(app, record, ownGitOf(app, entry), { admin, before: before.branch })
  await ownGit.beginAnew(app, record)
}

function existingBranch(name: string) {
  return { name, create: false, commit: '', again: false }
}

function lostHead({ key, head }: TrashEntry): NexusError {
  const why = head === null ? `${key} knows no commit` : `git has the commit ${head} of ${key} no more`
  return new NexusError('GIT_ERROR', `${why}, so that it cannot make the worktree again.`, {
    hint: `To have its files alone, run \`nexus trash list --json\`: they lie in \`files\``,
  })
}

/** A worktree that was registered and never got its files, or had its folder taken away to make room for them. */
async function removeHalfMade(app: App, repo: Repository, worktree: string): Promise<void> {
  if (!existsSync(worktree) && findAdminDir(repo.gitDir, worktree) === undefined) return
  const there = existsSync(worktree) ? await readdir(worktree) : []
  if (there.some((name) => name !== '.git')) {
    throw new NexusError('WORKSPACE_ALREADY_EXISTS', `The folder ${worktree} is already there and not empty.`, {
      hint: 'To restore under another name, add `--as <name>`',
    })
  }
  await app.git.removeWorktree(repo.root, worktree)
}

/** They are given git's new link first, so that the worktree is whole from the moment it is there. */
async function putFiles(app: App, entry: TrashEntry, worktree: string, files: string): Promise<void> {
  const link = (await readIfPresent(join(worktree, '.git'))) ?? ''
  await writeFileAtomic(join(files, '.git'), link, 0o644)
  await removeTree(join(worktree, '.git'))
  await removeIfEmpty(worktree)
  if (!(await moveFolder(app, entry.record, files, worktree))) {
    throw new NexusError('UNSUPPORTED', `${files} is on another file system than ${worktree}.`, {
      hint: `To have the files, copy them: \`cp -a ${shellWord(files)} <folder>\``,
    })
  }
  if (basename(dirname(files)) === '.trash') await removeIfEmpty(dirname(files))
}

/** What git wrote itself stays: the links, and what HEAD says. */
async function carryOver(from: string, to: string): Promise<void> {
  const names = existsSync(from) ? await readdir(from) : []
  for (const name of names) {
    if (['HEAD', 'gitdir', 'commondir', 'locked', MARKER].includes(name)) continue
    await removeTree(join(to, name))
    await moveAcross(join(from, name), join(to, name))
  }
}

/** The workspace as the next start finds it: without containers, image and ports. */
async function revive(app: App, { record }: TrashEntry, place: Place): Promise<WorkspaceRecord> {
  const { subnets: _, madeAs = record.name, ...kept } = record
  const taken = (await app.records.list()).some(({ id }) => id === record.id)
  return {
    ...kept,
    id: taken ? newWorkspaceId() : record.id,
    name: place.name,
    // the name that is in those of its volumes
    ...(madeAs === place.name ? {} : { madeAs }),
    repo: place.repo.root,
    local: localAt(record, place),
    branch: place.branch ?? record.branch,
    ports: record.ports.map((port) => ({ ...port, host: null })),
    hostKeyFingerprint: null,
    desired: 'stopped',
    operation: null,
    pendingHooks: true,
  }
}
