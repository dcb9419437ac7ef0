/**
 * Folders inside that all workspaces of a repository share, such as a package manager's cache: volumes of the
 * repository's own, which no delete of a workspace takes along. Pure.
 */
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import { cacheProblem, cacheTarget } from '../core/places-inside.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { isWithin } from './places.ts'

export interface CacheVolume {
  readonly name: string
  /** Absolute path inside. */
  readonly target: string
}

/**
 * Isolation `agent` has separate ones: the next user of a cache runs what an agent left in it.
 * @throws {NexusError} CONFIG_INVALID for a folder that cannot be a mount of its own
 */
export function cacheVolumes(
  instance: string,
  { repo, isolation }: Pick<WorkspaceRecord, 'repo' | 'isolation'>,
  folders: readonly string[],
): readonly CacheVolume[] {
  const whose = isolation === 'agent' ? `${instance}\0${repo}\0agent` : `${instance}\0${repo}`
  const prefix = `nexus-cache-${sha256(whose).slice(0, 8)}`
  return folders.map((folder) => {
    const target = requireFolder(folder, repo)
    const slug = target.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '')
    return { name: `${prefix}-${slug.slice(0, 40)}-${sha256(target).slice(0, 4)}`, target }
  })
}

function requireFolder(folder: string, repo: string): string {
  const target = cacheTarget(folder)
  const ofGit = `${repo}/.git`
  const isOver = [repo, ofGit].some((place) => isWithin(place, target)) || isWithin(target, ofGit)
  const problem = cacheProblem(folder) ?? (isOver ? 'lies over the repository' : undefined)
  if (problem === undefined) return target
  throw new NexusError('CONFIG_INVALID', `caches names ${JSON.stringify(folder)}, which ${problem}.`, {
    hint: 'To share a cache of packages, run `nexus config set caches ~/.npm`',
    details: { key: 'caches', value: folder },
  })
}
