/**
 * A workspace's own git dir as the use cases see it: made with the worktree, asked where HEAD is, forgotten with the workspace.
 * `bring-back.ts` has what comes out of it.
 */
import { existsSync } from 'node:fs'
import type { Backend } from '../../backends/backend.ts'
import { requireFacet } from '../../backends/facets.ts'
import { type WorkspacePaths, workspacePaths } from '../../core/paths.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { removeTree } from '../../system/store.ts'
import type { Ref } from '../../tools/git.ts'
import type { Whose } from '../../tools/git-programs.ts'
import { createPrivateGit } from '../../tools/private-git.ts'
import type { App } from '../app.ts'
import { privatePlace } from '../current-branch.ts'
import { moveFolder, removeFolder } from '../foreign-files.ts'

/** After the worktree or the repository was moved. */
export async function followWorktree(app: App, record: WorkspaceRecord): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place !== undefined) await createPrivateGit(app.runner, app.git).follow(place, place.path, place.worktree)
}

/**
 * @throws {NexusError} UNSUPPORTED before anything is changed, when the backend or the repository cannot have it
 */
export async function requirePrivateGit(
  app: App,
  backend: Backend,
  local: { repo: string; gitDir: string },
  commit: string,
  whose: Whose,
) {
  await requireFacet(app, backend, 'git', 'the git mode "private"')
  await createPrivateGit(app.runner, app.git).requireBorrowable(local, commit, whose)
}

/** Everything of the workspace's in the repository lies under this. */
export const refsOf = ({ id }: WorkspaceRecord, ...path: readonly string[]): string =>
  ['refs/nexus', id, ...path].join('/')

/** Somebody may have worked in it. */
export function isBegun(app: App, record: WorkspaceRecord): boolean {
  return existsSync(workspacePaths(app.home, record.id).broughtBack)
}

/** Makes it, while the worktree is being filled; nothing runs inside yet. */
export async function makePrivateGit(app: App, record: WorkspaceRecord): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return
  const branch = `refs/heads/${record.branch}`
  const commit = await app.git.findCommit(record.repo, branch)
  if (commit === undefined) throw new Error(`${branch} names no commit`)
  if (isBegun(app, record)) return
  // what a create that was cut off left: nobody was inside yet
  await removeTree(place.path)
  await createPrivateGit(app.runner, app.git).make(place, place.path, commit, refsOf(record, 'base'))
  const changes = ['synced', 'host'].map((name) => ({ name: refsOf(record, name), to: commit, from: '' }))
  await app.git.updateRefs(record.repo, changes, 'nexus: begun')
}

/** Gives it the filled worktree. */
export async function adoptWorktree(app: App, record: WorkspaceRecord): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return
  await createPrivateGit(app.runner, app.git).adopt(place, place.path, place.worktree, record.branch)
}

/** Where a git dir of the workspace's own lies, and the note of what had come back from it. */
export type OwnGit = Pick<WorkspacePaths, 'privateGit' | 'broughtBack'>

/** Moves it to the trash. The note goes last: it says that all the rest is there. */
export async function moveOwnGit(app: App, record: WorkspaceRecord, to: OwnGit): Promise<void> {
  const from = workspacePaths(app.home, record.id)
  for (const part of ['privateGit', 'broughtBack'] as const)
    if (existsSync(from[part])) await moveFolder(app, record, from[part], to[part])
}

/**
 * Gives a workspace that is restored the git dir that it had, with stashes and unfinished work.
 * @param admin name of the worktree's part of it
 * @param before the branch that the workspace had
 */
export async function restoreOwnGit(
  app: App,
  record: WorkspaceRecord,
  from: OwnGit,
  { admin, before }: { readonly admin: string; readonly before: string },
): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(from.broughtBack)) return
  const paths = workspacePaths(app.home, record.id)
  if (existsSync(from.privateGit)) await moveFolder(app, record, from.privateGit, paths.privateGit)
  const branches = { from: before, to: record.branch }
  await createPrivateGit(app.runner, app.git).takeBack(place, paths.privateGit, place.worktree, { admin, branches })
  // last: it says that all the rest is done
  await moveFolder(app, record, from.broughtBack, paths.broughtBack)
}

/** Removes the workspace's refs, and its git dir with what root made in it; `isKept`: the trash has that, and what it borrows stays. */
export async function forgetPrivateGit(
  app: App,
  record: WorkspaceRecord,
  { all, isKept }: { readonly all: boolean; readonly isKept: boolean },
): Promise<void> {
  await forgetRefs(app, record, all, isKept)
  const path = workspacePaths(app.home, record.id).privateGit
  if (existsSync(path)) await removeFolder(app, record, path)
}

/** Removes the refs that hold what a git dir in the trash borrows. */
export async function forgetBorrowed(app: App, record: WorkspaceRecord): Promise<void> {
  const refs = await app.git.listRefs(record.repo, [refsOf(record)])
  const borrowed = refs.filter(({ name }) => !isWork(record, name))
  await removeRefs(app, record, borrowed)
}

async function removeRefs(app: App, { repo }: WorkspaceRecord, refs: readonly Pick<Ref, 'name' | 'commit'>[]) {
  const changes = refs.map(({ name, commit }) => ({ name, to: null, from: commit }))
  await app.git.updateRefs(repo, changes, 'nexus: the workspace is deleted')
}

/**
 * Removes the workspace's refs from the repository; those with commits that are found nowhere else stay, unless `all`, and, on wish, those
 * that hold what is borrowed.
 */
export async function forgetRefs(app: App, record: WorkspaceRecord, all: boolean, keepBorrowed = false): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(place.gitDir)) return
  const found = await app.git.listRefs(place.repo, [refsOf(record)])
  const work = found.filter(({ name }) => isWork(record, name))
  const kept: string[] = []
  for (const { name } of all ? [] : work) {
    const repository = { root: place.repo, gitDir: place.gitDir, worktree: place.repo }
    if ((await app.inertGit.countUniqueCommits(repository, name, name)) > 0) kept.push(name)
  }
  const gone = (keepBorrowed ? work : found).filter(({ name }) => !kept.includes(name))
  await removeRefs(app, record, gone)
  kept.forEach((name, i) => {
    const text = `${name} stays: it has commits that are found nowhere else`
    const branch = i === 0 ? `${record.name}-rest` : `${record.name}-rest-${i + 1}`
    const hint = `To make it a branch, run \`git -C ${shellWord(place.repo)} branch ${branch} ${shellWord(name)}\``
    app.emit({ type: 'warning', text, hint })
  })
}

/** Work that came from inside; the others only hold what was borrowed. */
function isWork(record: WorkspaceRecord, name: string): boolean {
  return (
    name === refsOf(record, 'HEAD') ||
    ['heads', 'tags', 'notes'].some((kind) => name.startsWith(`${refsOf(record, kind)}/`))
  )
}
