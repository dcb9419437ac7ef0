/**
 * What a client needs of a workspace's record: where its SSH server is, and whether it is there. Read anew whenever it may have
 * changed, without the checks and repairs of those who work with records: a damaged one is left to them.
 */

import type { WorkspaceId } from '../../core/names.ts'
import { type HomePaths, workspacePaths } from '../../core/paths.ts'
import { type Reach, sshOf } from '../../core/reach.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { migrateRecord } from '../../record/migrate.ts'
import { requirePlain } from '../../system/read.ts'

export interface ProxyTarget {
  readonly name: string
  /** Undefined while it has none. */
  readonly reach: Reach | undefined
  /**
   * `now`: it should run. `later`: it is paused, and a connection is answered when it goes on. `no`: it does not run, and
   * whoever listens on its port may be somebody else.
   */
  readonly answers: 'now' | 'later' | 'no'
}

const ANSWERS = { running: 'now', paused: 'later', stopped: 'no' } as const

/** Undefined when there is no such workspace (any more). */
export function readTarget(home: HomePaths, id: WorkspaceId): ProxyTarget | undefined {
  const text = requirePlain(workspacePaths(home, id).record)?.toString()
  return text === undefined ? undefined : parseTarget(text, id)
}

/** Of a record that nobody could read: no port, until it is repaired. */
export function parseTarget(text: string, id: WorkspaceId): ProxyTarget {
  try {
    const record = migrateRecord(JSON.parse(text) as WorkspaceRecord)
    const reach = sshOf(record)
    const isPort = Number.isInteger(reach?.port)
    return { name: record.name, reach: isPort ? reach : undefined, answers: ANSWERS[record.desired] ?? 'no' }
  } catch {
    return { name: id, reach: undefined, answers: 'no' }
  }
}
