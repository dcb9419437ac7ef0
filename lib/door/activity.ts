/**
 * When a workspace was used last, by whatever came in through a door of this machine: `run/activity/<id>`, whose mtime it is; and
 * beside it how often clients without a terminal had it started since then, for nothing (`<id>.starts`; the rules are in
 * `workspace/wake.ts`).
 */
import { join } from 'node:path'
import type { WorkspaceId } from '../core/names.ts'
import type { HomePaths } from '../core/paths.ts'
import { dropNote, noteCount, readCount, stamp, stampedAt } from '../system/stamp.ts'

/** Somebody goes in now who is known to mean it: a verb of ours, a person at a terminal. */
export function noteUse(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), true)
  dropNote(startsOf(home, id))
}

/** Something connects now. */
export function noteConnection(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), true)
}

/** What went in comes out now; says nothing of a workspace that was deleted under it. */
export function noteEnd(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), false)
}

/** Undefined when it was never used. */
export function lastActivity(home: HomePaths, id: WorkspaceId): Date | undefined {
  return stampedAt(stampOf(home, id))
}

export function forgetActivity(home: HomePaths, id: WorkspaceId): void {
  dropNote(stampOf(home, id))
  dropNote(startsOf(home, id))
}

/** Starts by clients without a terminal that nobody has used since. */
export function unusedStarts(home: HomePaths, id: WorkspaceId): number {
  return readCount(startsOf(home, id))
}

export function noteUnusedStart(home: HomePaths, id: WorkspaceId): void {
  noteCount(startsOf(home, id), unusedStarts(home, id) + 1)
}

/** The last start was of use. */
export function forgetUnusedStarts(home: HomePaths, id: WorkspaceId): void {
  dropNote(startsOf(home, id))
}

function stampOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, id)
}

function startsOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, `${id}.starts`)
}
