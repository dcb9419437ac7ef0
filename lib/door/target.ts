/**
 * What a client needs of a workspace's record: where its door is, and whether anybody is behind it. Read anew whenever it may have
 * changed, without the checks and repairs of those who work with records: a damaged one is left to them.
 */

import type { WorkspaceId } from '../core/names.ts'
import { type HomePaths, workspacePaths } from '../core/paths.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { requirePlain } from '../system/read.ts'

export interface DoorTarget {
  readonly name: string
  /** Null while it has none. */
  readonly port: number | null
  /**
   * `now`: it should run. `later`: it is paused, and a connection is answered when it goes on. `no`: it does not run, and
   * whoever listens on its port may be somebody else.
   */
  readonly answers: 'now' | 'later' | 'no'
}

const ANSWERS = { running: 'now', paused: 'later', stopped: 'no' } as const

/** Undefined when there is no such workspace (any more). */
export function readTarget(home: HomePaths, id: WorkspaceId): DoorTarget | undefined {
  const text = requirePlain(workspacePaths(home, id).record)?.toString()
  return text === undefined ? undefined : parseTarget(text, id)
}

/** Of a record that nobody could read: no port, until it is repaired. */
export function parseTarget(text: string, id: WorkspaceId): DoorTarget {
  try {
    const record = JSON.parse(text) as WorkspaceRecord
    const port = record.ports.find(({ name }) => name === 'ssh')?.host
    return { name: record.name, port: typeof port === 'number' ? port : null, answers: ANSWERS[record.desired] ?? 'no' }
  } catch {
    return { name: id, port: null, answers: 'no' }
  }
}
