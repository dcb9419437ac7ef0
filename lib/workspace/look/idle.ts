/**
 * How long a workspace has been left alone, from what can be seen without asking anybody: connections to its SSH port in the
 * kernel's table, and when its record, its worktree and git's files about it were last written. Good enough to say which one
 * is missed least; never a reason to stop one.
 */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readPlain } from '../../system/read.ts'
import type { App } from '../app.ts'

export interface Use {
  readonly record: WorkspaceRecord
  /** An SSH connection is open, Nexus's own included, which stays for ten minutes after a command. */
  readonly connected: boolean
  /** Milliseconds since 1970. */
  readonly lastUsed: number
}

/** Longest idle first; those that somebody is connected to last. */
export function orderByIdleness(app: App, records: readonly WorkspaceRecord[]): readonly Use[] {
  const ports = connectedPorts([readText('/proc/net/tcp'), readText('/proc/net/tcp6')].join('\n'))
  const uses = records.map((record) => {
    const door = record.ports.find(({ name }) => name === 'ssh')?.host
    return { record, connected: ports.has(door ?? 0), lastUsed: lastUsed(app, record) }
  })
  return uses.sort((a, b) => Number(a.connected) - Number(b.connected) || a.lastUsed - b.lastUsed)
}

/** Milliseconds since 1970: when it was made, and what was last written of it. */
export function lastUsed(app: App, record: WorkspaceRecord): number {
  const { worktree, gitDir } = record
  // git writes HEAD's log at each commit and checkout, and the index at each add
  const admin =
    worktree === null || gitDir === null ? [] : ['index', 'logs/HEAD'].map((name) => adminFile(worktree, name))
  const files = [workspacePaths(app.home, record.id).record, ...(worktree === null ? [] : [worktree]), ...admin]
  return Math.max(Date.parse(record.createdAt), ...files.map(modifiedAt))
}

function adminFile(worktree: string, name: string): string {
  const folder = /^gitdir: (.+)$/m.exec(readText(join(worktree, '.git')))?.[1] ?? ''
  return join(folder, name)
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
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

function readText(path: string): string {
  // what cannot be seen counts as nothing seen; the kernel's table is long on a busy machine
  return readPlain(path, { maxBytes: 64 * 1024 * 1024 })?.toString() ?? ''
}
