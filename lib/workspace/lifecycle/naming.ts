/** Names of workspaces are given under one lock for all repositories: unique in each, and aliases on the machine. */
import { NexusError } from '../../core/errors.ts'
import { aliasLabels, labelInAlias, repoLabel } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { withLock } from '../../system/lock.ts'
import type { App } from '../app.ts'

/**
 * Saves a record that is new, or has a new name or repository.
 * @throws {NexusError} WORKSPACE_ALREADY_EXISTS when another workspace of the repository has the name
 */
export async function claimName(app: App, record: WorkspaceRecord): Promise<WorkspaceRecord> {
  return withLock(`${app.home.locks}/names`, async () => {
    const others = await requireFreeName(app, record)
    const claimed = withAliases(record, others, await app.records.load(record.id))
    await app.records.removeEmpty()
    await app.records.save(claimed)
    return claimed
  })
}

/**
 * The short alias is the first one's of a name; the label in the long one is a repository's own, the same in all its workspaces. What a
 * workspace has it keeps, also when its repository was moved, unless its new name would make it another's.
 */
export function withAliases(
  record: WorkspaceRecord,
  others: readonly WorkspaceRecord[],
  before?: WorkspaceRecord,
): WorkspaceRecord {
  const { aliasLabel: _, ...plain } = record
  const twins = others.filter(({ name }) => name === record.name)
  const isKept = before !== undefined && twins.every((twin) => labelInAlias(twin) !== labelInAlias(before))
  const label = isKept ? labelInAlias(before) : newLabel(record, others)
  return {
    ...plain,
    shortAlias: before?.name === record.name ? before.shortAlias : twins.length === 0,
    ...(label === repoLabel(record.project) ? {} : { aliasLabel: label }),
  }
}

function newLabel({ id, repo, project }: WorkspaceRecord, others: readonly WorkspaceRecord[]): string {
  const taken = new Set(others.filter((other) => other.repo !== repo).map(labelInAlias))
  const own = others.filter((other) => other.repo === repo && other.project === project).map(labelInAlias)
  return [...own, ...aliasLabels(project, repo)].find((label) => !taken.has(label)) ?? id
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
