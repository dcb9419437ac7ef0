/**
 * Removes and moves folders of this machine in which a container's root may have made files: by this process where it may, else
 * through the workspace's backend.
 */
import { dirname, join } from 'node:path'
import type { AsRootFacet } from '../backends/backend.ts'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { printable } from '../core/visible.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { mountsBelow } from '../system/mounts.ts'
import { realPathOf } from '../system/real-path.ts'
import { moveTree, removeTree } from '../system/store.ts'
import type { App } from './app.ts'

const REFUSED = new Set(['EACCES', 'EPERM'])

/** @throws {NexusError} WORKSPACE_DIRTY where something is mounted below: what it leads to is not the folder's */
export function refuseMounts(path: string): void {
  const mounts = mountsBelow(path)
  if (mounts.length === 0) return
  const [first = ''] = mounts
  throw new NexusError('WORKSPACE_DIRTY', `Something is mounted at ${printable(first)}, and would be emptied.`, {
    hint: `To take it away from there, run \`sudo umount ${shellWord(first)}\``,
    details: { mounts: mounts.slice(0, 100) },
  })
}

/** Removes a folder with all that is in it; missing is fine. @throws {NexusError} as `refuseMounts` does */
export async function removeFolder(app: App, record: WorkspaceRecord, path: string): Promise<void> {
  refuseMounts(path)
  try {
    await removeTree(path)
  } catch (error) {
    await elseByBackend(app, record, error, 'empty', path)
    await removeTree(path)
  }
}

/** Moves a folder in one step; false when the new place is on another file system. */
export async function moveFolder(app: App, record: WorkspaceRecord, from: string, to: string): Promise<boolean> {
  try {
    return await moveTree(from, to)
  } catch (error) {
    // what is in it needs no right of its own, but the folder's `..` changes with it
    await elseByBackend(app, record, error, 'own', from)
    return moveTree(from, to)
  }
}

async function elseByBackend(
  app: App,
  record: WorkspaceRecord,
  error: unknown,
  verb: keyof AsRootFacet,
  path: string,
): Promise<void> {
  const cause = (error as Error).cause ?? error
  const { code } = await app.backend(record.backend)
  const act = code.kind === 'mounted' ? code.asRoot?.[verb] : undefined
  if (!REFUSED.has((cause as NodeJS.ErrnoException).code ?? '') || act === undefined) throw error
  await act(record, path)
}

/** Paths below a folder. What is inside may have put a link in the way of one, and that one stays; so does one that cannot be removed. */
export async function removeBelow(
  app: App,
  record: WorkspaceRecord,
  folder: string,
  paths: readonly string[],
): Promise<void> {
  const top = realPathOf(folder)
  for (const path of paths) {
    if (top === undefined || realPathOf(join(folder, dirname(path))) !== join(top, dirname(path))) continue
    try {
      await removeFolder(app, record, join(folder, path))
    } catch (error) {
      // it takes room until its entry goes, and nothing else
      if (!(error instanceof NexusError)) throw error
    }
  }
}
