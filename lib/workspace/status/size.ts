/** How much each workspace takes on the disk: measured side by side, ten seconds at most, null where it cannot be told. */

import type { Usage } from '../../backends/housekeeping.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceId } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { sumSizes } from '../../core/sizes.ts'
import type { WorkspaceRecord, WorkspaceSize } from '../../core/workspace.ts'
import { measureFolder } from '../../tools/disk.ts'
import type { App } from '../app.ts'

const TIMEOUT_MS = 10_000
/** A disk gets slower by more. */
const SIDE_BY_SIDE = 8
const UNKNOWN: Usage = { layers: null, volumes: null }
const NOTHING: Usage = { layers: 0, volumes: 0 }

export async function measureAll(app: App, records: readonly WorkspaceRecord[]): Promise<readonly WorkspaceSize[]> {
  const names = [...new Set(records.map(({ backend }) => backend))]
  const usages = new Map(names.map((name) => [name, usageOf(app, name)] as const))
  const deadline = performance.now() + TIMEOUT_MS
  const sizes: WorkspaceSize[] = []
  let next = 0
  const work = async () => {
    for (let i = next++; i < records.length; i = next++) {
      const record = records[i]
      if (record !== undefined) sizes[i] = await measure(app, record, usages.get(record.backend), deadline)
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
  return sizes
}

async function measure(
  app: App,
  record: WorkspaceRecord,
  asked: Promise<ReadonlyMap<WorkspaceId, Usage> | undefined> | undefined,
  deadline: number,
): Promise<WorkspaceSize> {
  const { local, id } = record
  const sizeOf = (folder: string) => measureFolder(app.runner, folder, deadline - performance.now())
  const [worktree, state, used] = await Promise.all([
    local === null ? 0 : sizeOf(local.worktree),
    sizeOf(workspacePaths(app.home, id).dir),
    asked,
  ])
  const { layers, volumes } = used === undefined ? UNKNOWN : (used.get(id) ?? NOTHING)
  return { worktree, state, layers, volumes, total: sumSizes([worktree, state, layers, volumes]) }
}

/** Undefined when the backend cannot tell, or not in time. */
async function usageOf(app: App, name: string): Promise<ReadonlyMap<WorkspaceId, Usage> | undefined> {
  try {
    return await (await (await app.backend(name)).upkeep?.())?.usage()
  } catch (error) {
    if (error instanceof NexusError) return undefined
    throw error
  }
}
