/**
 * Folders inside that all workspaces of a repository share, such as a package manager's cache: volumes of the
 * repository's own, which no delete of a workspace takes along. And whose the caches of builds are. Pure.
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

/** BuildKit begins the id of every `RUN --mount=type=cache` with it: alone, that id is only a path, the same in each project. */
export interface BuildArgs {
  readonly BUILDKIT_CACHE_MOUNT_NS: string
}

/** Builds use the repository's own caches, and in isolation `agent` the workspace's own. */
export function buildArgsOf(
  instance: string,
  { id, repo, isolation }: Pick<WorkspaceRecord, 'id' | 'repo' | 'isolation'>,
): BuildArgs {
  return isolation === 'agent' ? buildArgs(id) : repositoryBuildArgs(instance, repo)
}

export function repositoryBuildArgs(instance: string, repo: string): BuildArgs {
  return buildArgs(`nexus-${sha256(`${instance}\0${repo}`).slice(0, 16)}`)
}

/** @param whose what no other build has, except those that use the same caches */
export function buildArgs(whose: string): BuildArgs {
  return { BUILDKIT_CACHE_MOUNT_NS: whose }
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
