/**
 * Folders inside that all workspaces of a repository share, such as a package manager's cache: volumes of the repository's own,
 * which no delete of a workspace takes along. Pure.
 */
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'

export interface CacheVolume {
  readonly name: string
  /** Absolute path inside. */
  readonly target: string
}

/**
 * Those of isolation `agent` are others: what an agent leaves in a cache is run by whoever uses it next.
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
    const target = requireFolder(folder)
    const slug = target.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '')
    return { name: `${prefix}-${slug.slice(0, 40)}-${sha256(target).slice(0, 4)}`, target }
  })
}

function requireFolder(folder: string): string {
  const target = folder.replace(/^~(?=\/)/, '/home/nexus').replace(/\/+$/, '')
  const words = target.split('/').slice(1)
  const plain = /^\/[\w./@+-]+$/.test(target) && !words.includes('..') && !words.includes('.') && !words.includes('')
  if (plain && words.length > 1 && !['/home/nexus', '/etc/nexus', '/run/nexus', '/run/secrets'].includes(target))
    return target
  throw new NexusError(
    'CONFIG_INVALID',
    `caches names ${JSON.stringify(folder)}, which cannot be a volume of its own inside.`,
    {
      hint: 'To share a cache of packages, run `nexus config set caches ~/.npm`',
      details: { key: 'caches', value: folder },
    },
  )
}
