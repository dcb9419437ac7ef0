/** Names of workspaces are given under one lock for all repositories: unique in each, and aliases on the machine. */
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { withLock } from '../system/lock.ts'
import type { App } from './app.ts'

/**
 * Saves a record that is new, or has a new name or repository.
 * @throws {NexusError} WORKSPACE_ALREADY_EXISTS when another workspace of the repository has the name
 */
export async function claimName(app: App, record: WorkspaceRecord): Promise<WorkspaceRecord> {
  return withLock(`${app.home.locks}/names`, async () => {
    const others = await requireFreeName(app, record)
    const claimed = { ...record, shortAlias: others.every(({ name }) => name !== record.name) }
    await app.records.removeEmpty()
    await app.records.save(claimed)
    return claimed
  })
}

/** All other records. @throws {NexusError} as `claimName`, which alone is sure of it */
export async function requireFreeName(app: App, record: WorkspaceRecord): Promise<readonly WorkspaceRecord[]> {
  const { id, repo, name } = record
  const others = (await app.records.list()).filter((other) => other.id !== id)
  const twin = others.find((other) => other.repo === repo && other.name === name)
  if (twin !== undefined) throw alreadyExists(twin)
  return others
}

export function alreadyExists(record: WorkspaceRecord): NexusError {
  return new NexusError('WORKSPACE_ALREADY_EXISTS', `Workspace ${record.name} exists already in ${record.repo}.`, {
    hint: `To start it, run \`nexus up ${record.name}\`; to remove it, \`nexus delete ${record.name}\``,
    details: { id: record.id },
  })
}
