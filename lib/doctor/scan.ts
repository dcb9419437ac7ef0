/**
 * What the checks look at, gathered once: the records as they lie on the disk, the configuration, the backends in use,
 * and the machine through a few functions that tests replace. Gathering changes nothing: a damaged record, which every
 * other command sets aside, is only noted here.
 */

import { lookup } from 'node:dns/promises'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../backends/backend.ts'
import { backendNames } from '../backends/registry.ts'
import type { Settings } from '../config/load.ts'
import { NexusError } from '../core/errors.ts'
import { isWorkspaceId, type WorkspaceId } from '../core/names.ts'
import { workspacePaths } from '../core/paths.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { parseRecord } from '../record/reader.ts'
import { readPlain } from '../system/read.ts'
import { listFolder } from '../system/store.ts'
import { freeSpace } from '../tools/disk.ts'
import type { App } from '../workspace/app.ts'
import { observeAll, type Seen } from '../workspace/observe.ts'

export interface Machine {
  /** Text of a file; undefined where there is none, or none to be read. */
  read(path: string): string | undefined
  /** Addresses of a host name; none for one that does not resolve. */
  resolve(host: string): Promise<readonly string[]>
  /** Bytes left; null where that cannot be told. */
  free(folder: string): Promise<number | null>
  now(): Date
}

export interface Scan {
  readonly app: App
  readonly machine: Machine
  /** Oldest first. */
  readonly records: readonly WorkspaceRecord[]
  /** Workspaces that have a folder, with a record that can be read or without. */
  readonly ids: ReadonlySet<WorkspaceId>
  /** Why the configuration cannot be used; its settings are missing then. */
  readonly configFailure: NexusError | undefined
  readonly settings: Settings | undefined
  /** What the backends see of the records' workspaces; asked for once. */
  seen(): Promise<readonly Seen[]>
  /** The default one, and those of the records. */
  readonly backends: readonly Backend[]
}

export const thisMachine: Machine = {
  read: (path) => readPlain(path)?.toString(),
  resolve: async (host) => {
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address)
    } catch {
      return [] // the check says what follows from a name without an address
    }
  },
  free: freeSpace,
  now: () => new Date(),
}

export async function scan(app: App, machine: Machine): Promise<Scan> {
  const ids = (await listFolder(app.home.workspaces)).filter(isWorkspaceId)
  const records = ids
    .map((id) => peekRecord(app, id))
    .filter((record) => record !== undefined)
    .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id))
  let seen: Promise<readonly Seen[]> | undefined
  const config = await loadSettings(app)
  const wanted = [config.settings?.defaults.backend ?? 'docker', ...records.map((record) => record.backend)]
  const known = [...new Set(wanted)].filter((name) => backendNames().includes(name))
  return {
    app,
    machine,
    records,
    seen: () => {
      seen ??= observeAll(app, records)
      return seen
    },
    ids: new Set(ids),
    ...config,
    backends: await Promise.all(known.map((name) => app.backend(name))),
  }
}

async function loadSettings(app: App): Promise<Pick<Scan, 'settings' | 'configFailure'>> {
  try {
    return { settings: (await app.config()).settings, configFailure: undefined }
  } catch (error) {
    if (error instanceof NexusError) return { settings: undefined, configFailure: error }
    throw error
  }
}

/** The record as it is; undefined for one that is missing, damaged or of a newer Nexus. */
export function peekRecord(app: App, id: WorkspaceId): WorkspaceRecord | undefined {
  return parseRecord(peekJson(workspacePaths(app.home, id).record), id)
}

/** More than any state file has. */
const STATE_MAX_BYTES = 64 * 1024 * 1024

/** A JSON file's content; undefined where there is none that can be read. */
export function peekJson(path: string): unknown {
  try {
    return JSON.parse(`${readPlain(path, { maxBytes: STATE_MAX_BYTES })}`)
  } catch {
    return undefined // what is wrong with it is the business of the check for state files
  }
}

/** Git dirs and worktrees have files of others, with the same endings. */
const FOREIGN = ['git', 'checkpoints', 'trash']

/** Files below a folder that a test of names picks, as absolute paths; symbolic links are not followed. */
export function findFiles(folder: string, pick: (name: string) => boolean, depth = 4): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    const below =
      entry.isDirectory() && depth > 0 && !FOREIGN.includes(entry.name) ? findFiles(path, pick, depth - 1) : []
    return pick(entry.name) ? [path, ...below] : below
  })
}
