/**
 * When a workspace was used last: the one notion of it, for the idle timeout, `status`, `prune` and the budget. Three
 * sources tell: logins and verbs (the mtime of `run/activity/<id>`), connections in the kernel's table, and the times
 * of its record, its worktree and git's files about it. Neither the engine nor the workspace is asked.
 *
 * `<id>.starts` beside it counts starts by clients without a terminal that were not used (the rules are in
 * `workspace/ssh/wake.ts`); `<id>.ready` has the time when the ssh server was last ready.
 */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { WorkspaceId } from '../core/names.ts'
import { type HomePaths, workspacePaths } from '../core/paths.ts'
import { worktreeOf } from '../core/record-parts.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { readPlain } from '../system/read.ts'
import { dropNote, noteCount, readCount, stamp, stampedAt } from '../system/stamp.ts'

/** A verb of ours or a person at a terminal goes in now, which counts as use. */
export function noteUse(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), true)
  dropNote(startsOf(home, id))
}

/** Something connects now. */
export function noteConnection(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), true)
}

/** A connection ends now; writes nothing for a deleted workspace. */
export function noteEnd(home: HomePaths, id: WorkspaceId): void {
  stamp(stampOf(home, id), false)
}

/** When something last came in or went out; undefined for never. */
export function lastEntry(home: HomePaths, id: WorkspaceId): Date | undefined {
  return stampedAt(stampOf(home, id))
}

/**
 * Milliseconds since 1970: when it was made, when something last came in or went out, and what was last written of it.
 */
export function lastUsed(home: HomePaths, record: WorkspaceRecord): number {
  const { id } = record
  const worktree = worktreeOf(record)
  // git writes HEAD's log at each commit and checkout, and the index at each add
  const admin = worktree === null ? [] : ['index', 'logs/HEAD'].map((name) => adminFile(worktree, name))
  const files = [workspacePaths(home, id).record, ...(worktree === null ? [] : [worktree]), ...admin]
  const entered = lastEntry(home, id)?.getTime() ?? 0
  return Math.max(Date.parse(record.createdAt), entered, ...files.map(modifiedAt))
}

export interface Use {
  readonly record: WorkspaceRecord
  /** An SSH connection is open, Nexus's own included, which stays for ten minutes after a command. */
  readonly connected: boolean
  /** Milliseconds since 1970. */
  readonly lastUsed: number
}

/** Longest idle first; workspaces with a connection last. */
export function orderByIdleness(home: HomePaths, records: readonly WorkspaceRecord[]): readonly Use[] {
  const ports = connectedPorts([readText('/proc/net/tcp'), readText('/proc/net/tcp6')].join('\n'))
  const uses = records.map((record) => {
    const port = record.ports.find(({ name }) => name === 'ssh')?.host
    return { record, connected: ports.has(port ?? 0), lastUsed: lastUsed(home, record) }
  })
  return uses.sort((a, b) => Number(a.connected) - Number(b.connected) || a.lastUsed - b.lastUsed)
}

/** Ports at either end of established connections, from the text of /proc/net/tcp. Exported for tests. */
export function connectedPorts(text: string): ReadonlySet<number> {
  const ESTABLISHED = '01'
  const rows = [...text.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) /gm)]
  return new Set(
    rows
      .filter(([, , , state]) => state === ESTABLISHED)
      .flatMap(([, own = '', other = '']) => [Number.parseInt(own, 16), Number.parseInt(other, 16)]),
  )
}

export function forgetActivity(home: HomePaths, id: WorkspaceId): void {
  dropNote(stampOf(home, id))
  dropNote(startsOf(home, id))
  dropNote(readyOf(home, id))
}

/** Starts by clients without a terminal that were not used since. */
export function unusedStarts(home: HomePaths, id: WorkspaceId): number {
  return readCount(startsOf(home, id))
}

export function noteUnusedStart(home: HomePaths, id: WorkspaceId): void {
  noteCount(startsOf(home, id), unusedStarts(home, id) + 1)
}

/** Takes a start back that did not begin. */
export function takeBackUnusedStart(home: HomePaths, id: WorkspaceId): void {
  const count = unusedStarts(home, id)
  if (count > 0) noteCount(startsOf(home, id), count - 1)
}

/** The last start was of use. */
export function forgetUnusedStarts(home: HomePaths, id: WorkspaceId): void {
  dropNote(startsOf(home, id))
}

/** Its containers run: from now on a connection finds the server, or finds it getting ready. */
export function noteServerReady(home: HomePaths, id: WorkspaceId): void {
  stamp(readyOf(home, id), true)
}

/** True when that was after a moment, in milliseconds since 1970. */
export function wasServerReady(home: HomePaths, id: WorkspaceId, since: number): boolean {
  return (stampedAt(readyOf(home, id))?.getTime() ?? 0) >= since
}

function stampOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, id)
}

function readyOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, `${id}.ready`)
}

function startsOf(home: HomePaths, id: WorkspaceId): string {
  return join(home.activity, `${id}.starts`)
}

function adminFile(worktree: string, name: string): string {
  const folder = /^gitdir: (.+)$/m.exec(readText(join(worktree, '.git')))?.[1] ?? ''
  return join(folder, name)
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function readText(path: string): string {
  // an unreadable table counts as empty; the kernel's table is long on a busy machine
  return readPlain(path, { maxBytes: 64 * 1024 * 1024 })?.toString() ?? ''
}
