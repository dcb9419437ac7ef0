/**
 * When a workspace was used last, by whatever came in through a door of this machine: `run/activity/<id>`, whose mtime it is; and
 * beside it how often clients without a terminal had it started since then, for nothing (`<id>.starts`; the rules are in
 * `workspace/door/wake.ts`), and when its door was last there to be knocked at (`<id>.door`).
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
  dropNote(doorOf(home, id))
}

/** Starts by clients without a terminal that nobody has used since. */
export function unusedStarts(home: HomePaths, id: WorkspaceId): number {
  return readCount(startsOf(home, id))
}

export function noteUnusedStart(home: HomePaths, id: WorkspaceId): void {
  noteCount(startsOf(home, id), unusedStarts(home, id) + 1)
}

/** It was none: there was nothing to start. */
export function takeBackUnusedStart(home: HomePaths, id: WorkspaceId): void {
  const count = unusedStarts(home, id)
  if (count > 0) noteCount(startsOf(home, id), count - 1)
}

/** The last start was of use. */
export function forgetUnusedStarts(home: HomePaths, id: WorkspaceId): void {
  dropNote(startsOf(home, id))
}

/** Its containers run: from now on a connection finds the server, or finds it getting ready. */
export function noteDoorThere(home: HomePaths, id: WorkspaceId): void {
  stamp(doorOf(home, id), true)
}

/** True when that was after a moment, in milliseconds since 1970. */
export function isDoorThere(home: HomePaths, id: WorkspaceId, since: number): boolean {
  return (stampedAt(doorOf(home, id))?.getTime() ?? 0) >= since
}

function stampOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, id)
}

function doorOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, `${id}.door`)
}

function startsOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, `${id}.starts`)
}
