/** Notes in the worktree's part of the git dir which workspace it is of, so that it is known again wherever either is moved. */
import { join } from 'node:path'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { removeTree, writeGenerated } from '../../system/store.ts'
import { findAdminDir, MARKER } from '../../tools/repository.ts'

export async function markWorktree({ id, local }: WorkspaceRecord): Promise<void> {
  const admin = local === null ? undefined : findAdminDir(local.gitDir, local.worktree)
  if (admin !== undefined) await writeGenerated(join(admin.path, MARKER), `${id}\n`, 0o644)
}

export async function unmarkWorktree({ id, local }: WorkspaceRecord): Promise<void> {
  const admin = local === null ? undefined : findAdminDir(local.gitDir, local.worktree)
  if (admin?.marker === id) await removeTree(join(admin.path, MARKER))
}
