/** The ready services of a workspace, from its record. Pure. */
import type { DockerPart, WorkspaceRecord } from '../core/workspace.ts'
import { type ReadyServices, readyServices } from './catalogue.ts'
import { databaseName } from './database.ts'

/** What names them and says which they are. */
export type HasReady = Pick<WorkspaceRecord, 'id' | 'name' | 'madeAs'> & { readonly docker?: Pick<DockerPart, 'ready'> }

/** @throws {NexusError} CONFIG_INVALID; see `readyServices` */
export function readyOf(
  record: HasReady,
  facts: { readonly services?: readonly string[]; readonly ports?: readonly string[]; readonly startInterval: boolean },
): ReadyServices | undefined {
  const ready = record.docker?.ready
  if (ready === undefined) return undefined
  return readyServices(ready.wanted, new Map(Object.entries(ready.images)), {
    password: ready.password,
    database: ready.database ?? databaseName(record),
    ...facts,
  })
}
