/** The ready services of a workspace, from its record. Pure. */
import type { ReadyRecord, WorkspaceRecord } from '../core/workspace.ts'
import { type ReadyServices, readyServices } from './catalogue.ts'
import { databaseName } from './shared.ts'

/** What the configuration asks for, with the password that the workspace has already, or a new one. */
export function readyRecord(
  wanted: readonly string[],
  images: ReadonlyMap<string, string>,
  password: string,
): { ready?: ReadyRecord } {
  return wanted.length === 0 ? {} : { ready: { wanted, images: Object.fromEntries(images), password } }
}

/** @throws {NexusError} CONFIG_INVALID; see `readyServices` */
export function readyOf(
  record: Pick<WorkspaceRecord, 'id' | 'name' | 'ready'>,
  facts: { readonly services?: readonly string[]; readonly ports?: readonly string[]; readonly startInterval: boolean },
): ReadyServices | undefined {
  const { ready } = record
  if (ready === undefined) return undefined
  return readyServices(ready.wanted, new Map(Object.entries(ready.images)), {
    password: ready.password,
    database: databaseName(record.name, record.id),
    ...facts,
  })
}
