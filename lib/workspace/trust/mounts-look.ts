/**
 * A look at what a workspace's containers mount, right before they start: Docker follows links at every start, and whoever was
 * inside may have put one where a folder was. What leads elsewhere than when the user was asked is refused.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import type { Settings } from '../../config/load.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { heldPaths, movedPaths } from '../../stack/held-mounts.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { realPathOf } from '../../system/real-path.ts'
import { makeFolder } from '../../system/store.ts'
import { withoutFindings } from '../../trust/findings.ts'
import type { App } from '../app.ts'
import { admit, findingsOf } from './admit.ts'

/**
 * Returns the model of what is about to start.
 * @param fresh the model, where it was read in this very command; else the one that the containers were made from is asked for
 * @throws {NexusError} APPROVAL_REQUIRED; CONFIG_INVALID for what an agent's workspace held and leads elsewhere in it now
 */
export async function lookAtMounts(
  app: App,
  record: WorkspaceRecord,
  backend: Backend,
  settings: Settings,
  fresh: ComposeModel | undefined,
): Promise<ComposeModel | undefined> {
  const { local, docker: { stack } = {} } = record
  if (local === null || stack === undefined || stack.files.length === 0) return undefined
  const model = fresh ?? (await backend.stack?.startedModel(record)) ?? (await backend.stack?.resolve(record))?.model
  if (model === undefined) return undefined
  await admit(app, record, settings, withoutFindings(findingsOf(app, record, model), stack.admitted ?? []))
  if (stack.holds === true) await holdStill(record, local.worktree, model)
  return model
}

/** Nobody is inside: what is looked at stays so until it is mounted, and from then on the engine sees to it. */
async function holdStill(record: WorkspaceRecord, worktree: string, model: ComposeModel): Promise<void> {
  const held = heldPaths(model, worktree)
  const git = record.gitMode === 'private' ? [join(worktree, '.git')] : []
  const [moved] = movedPaths([...git, ...held.map(({ path }) => path)], worktree, realPathOf)
  if (moved !== undefined) {
    const leadsTo = realPathOf(moved)
    throw new NexusError(
      'CONFIG_INVALID',
      `${moved} was no link when Nexus looked at it, and now leads to ${leadsTo}.`,
      {
        hint: `To have its files looked at anew, run \`nexus rebuild ${record.name}\``,
        details: { path: moved, leadsTo },
      },
    )
  }
  // Docker makes what is missing of a bind mount, and nothing of a volume's path
  for (const { path, made } of held) if (made && !existsSync(path)) await makeFolder(path, 0o755)
}
