/** The steps of an `up` for a workspace that has a git dir of its own; for others they do nothing, and load nothing. */
import { existsSync } from 'node:fs'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import type { OwnGit } from './private-git.ts'

async function load({ gitMode }: WorkspaceRecord) {
  if (gitMode !== 'private') return undefined
  const modules = [import('./private-git.ts'), import('./moved.ts'), import('./bring-back.ts')] as const
  const [made, moved, back] = await Promise.all(modules)
  return { ...made, ...moved, ...back }
}

/** A worktree that was removed by hand leaves its commits in the git dir. */
export async function rescueCommits(app: App, record: WorkspaceRecord): Promise<void> {
  const own = await load(record)
  if (own === undefined || !own.isBegun(app, record)) return
  if ((await own.findMoved(app, record)) !== undefined) await own.bringBack(app, record, false)
}

async function make(app: App, record: WorkspaceRecord): Promise<void> {
  await (await load(record))?.makePrivateGit(app, record)
}

/** Beside the checkout; nothing of it goes on when the other has failed. */
export async function makeBeside(app: App, record: WorkspaceRecord, filling: Promise<void>): Promise<void> {
  const both = [make(app, record), filling]
  await Promise.allSettled(both)
  await Promise.all(both)
}

export async function adoptOwnGit(app: App, record: WorkspaceRecord): Promise<void> {
  const own = await load(record)
  await own?.adoptWorktree(app, record)
  await own?.noteBeginning(app, record)
}

/** For a worktree that came back, or was taken over, without it. */
export async function beginAnew(app: App, record: WorkspaceRecord): Promise<void> {
  const own = await load(record)
  if (own === undefined || own.isBegun(app, record) || record.local === null || !existsSync(record.local.worktree))
    return
  await make(app, record)
  await adoptOwnGit(app, record)
}

/** From the trash. */
export async function restore(app: App, record: WorkspaceRecord, from: OwnGit, had: { admin: string; before: string }) {
  await (await load(record))?.restoreOwnGit(app, record, from, had)
}

/** The commit of its branch that came back last from inside. */
export async function lastBroughtBack(app: App, record: WorkspaceRecord): Promise<string | undefined> {
  const own = await load(record)
  if (own === undefined) return undefined
  const names = [own.refsOf(record, 'heads', record.branch), own.refsOf(record, 'synced')]
  const refs = await app.git.listRefs(record.repo, names)
  return names.flatMap((name) => refs.find((ref) => ref.name === name)?.commit ?? [])[0]
}

/** After nobody is inside any more, and something was moved. */
export async function follow(app: App, record: WorkspaceRecord): Promise<void> {
  await (await load(record))?.followWorktree(app, record)
}

export async function forget(app: App, record: WorkspaceRecord): Promise<void> {
  await (await load(record))?.forgetRefs(app, record, true)
}
