/**
 * The last commit of a workspace whose branch was deleted by hand: the worktree's own log tells it, and of a git dir of the workspace's
 * own what came back from it.
 */
import { existsSync } from 'node:fs'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { lastLogged } from '../../tools/branch-log.ts'
import type { App } from '../app.ts'
import { findOwnAdmin } from '../drift.ts'
import * as ownGit from './own-git.ts'

/** What is known at least is the commit at which the branch was made; undefined where git has none of all that any more. */
export async function lastCommit(app: App, record: WorkspaceRecord): Promise<string | undefined> {
  const { repo, local, base } = record
  if (local === null || !existsSync(local.gitDir)) return undefined
  const admin = findOwnAdmin(record, local.gitDir)
  const logged = admin === undefined ? undefined : lastLogged(admin.path)
  const inside = await ownGit.lastBroughtBack(app, record)
  // somebody may have gone on from it on this machine
  const wentOn = logged !== undefined && inside !== undefined && (await isAfter(app, repo, inside, logged))
  for (const commit of [wentOn ? logged : inside, logged, base]) {
    const there = commit == null ? undefined : await app.git.findCommit(repo, commit)
    if (there !== undefined) return there
  }
  return undefined
}

async function isAfter({ git }: App, repo: string, older: string, newer: string): Promise<boolean> {
  return (await git.findCommit(repo, newer)) !== undefined && (await git.isAncestor(repo, older, newer))
}
