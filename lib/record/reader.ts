/**
 * The one reader of records: whatever lies in a file as a record (a workspace's own, the copy beside it, a note in the trash) is brought
 * to the present schema and checked here, before anybody has it as a `WorkspaceRecord`. The check is generated from
 * `lib/core/record-shape.ts` while bundling. Pure.
 */
import { problemOf } from 'shape:record'
import type { WorkspaceId } from '../core/names.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { migrateRecord } from './migrate.ts'

export const RECORD_SCHEMA = 2

/** A text that parses may still be another file's, or half of one. Of the present schema. */
export function isRecord(data: unknown): data is WorkspaceRecord {
  return problemOf(data) === undefined
}

export function isRecordOf(data: unknown, id: WorkspaceId): data is WorkspaceRecord {
  return isRecord(data) && data.id === id
}

/** Written by a newer Nexus, which alone can say whether it is whole. */
export function isNewer({ schema }: { readonly schema?: unknown }): boolean {
  return typeof schema === 'number' && schema > RECORD_SCHEMA
}

/** For looks that change and report nothing. Undefined for what is no record, damaged or of a newer Nexus. */
export function parseRecord(data: unknown, id: WorkspaceId): WorkspaceRecord | undefined {
  const now = typeof data === 'object' && data !== null ? migrateRecord(data) : data
  return isRecordOf(now, id) ? now : undefined
}
