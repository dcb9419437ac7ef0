/**
 * Prepared data as volumes, by the hash of what it follows from: saved once from a workspace whose service is stopped for that
 * moment, cloned into the empty volumes of later ones. A marker volume, made last, says that a seed is complete; the two newest
 * seeds of a repository are kept.
 */
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Seed } from '../../stack/seed.ts'
import { withLock } from '../../system/lock.ts'
import type { ComposeTarget, Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'
import type { Helpers } from './own-container.ts'

const KEPT = 2
const SCRIPT = '/usr/bin/find /to -mindepth 1 -delete && /bin/cp -a --reflink=auto /from/. /to/'

export interface SeedPlaces {
  readonly target: ComposeTarget
  /** Name of a workspace's volume by its key. */
  readonly volume: (key: string) => string
}

export function createSeeds(docker: Docker, context: BackendContext, helpers: Helpers) {
  const prefix = `nexus-seed-${context.instance.slice(0, 8)}`
  const nameOf = ({ hash }: Seed, key: string) => `${prefix}-${hash}-${key.replace(/[^A-Za-z0-9_.-]/g, '-')}`
  const markerOf = (hash: string) => `${prefix}-${hash}`

  async function has({ hash }: Seed): Promise<boolean> {
    return (await docker.listResources('volume', `dev.nexus.seed.done=${hash}`)).includes(markerOf(hash))
  }

  /** The volumes must be there and in no use. */
  async function clone(record: WorkspaceRecord, seed: Seed, { volume }: SeedPlaces): Promise<void> {
    await Promise.all(seed.volumes.map((key) => helpers.copy(record, nameOf(seed, key), volume(key), SCRIPT)))
  }

  async function save(record: WorkspaceRecord, seed: Seed, { target, volume }: SeedPlaces): Promise<void> {
    const labels = {
      'dev.nexus.instance': context.instance,
      'dev.nexus.repo': record.repo,
      'dev.nexus.seed': seed.hash,
    }
    await withLock(`${context.home.locks}/seed-${seed.hash}`, async () => {
      if (await has(seed)) return
      // a clean stop: what is copied is what the service itself would start from
      await docker.stopServices(target, [seed.service])
      try {
        for (const key of seed.volumes) {
          await docker.makeVolume(nameOf(seed, key), labels)
          await helpers.copy(record, volume(key), nameOf(seed, key), SCRIPT)
        }
        await docker.makeVolume(markerOf(seed.hash), { ...labels, 'dev.nexus.seed.done': seed.hash })
      } finally {
        await docker.startServices(target, [seed.service])
      }
      await removeOld(record, seed)
    })
  }

  /** By the markers, which Docker lists without their age: the newest are asked for by name. */
  async function removeOld(record: WorkspaceRecord, seed: Seed): Promise<void> {
    const markers = await docker.listVolumesByAge(
      'dev.nexus.seed.done',
      `dev.nexus.repo=${record.repo}`,
      `dev.nexus.instance=${context.instance}`,
    )
    for (const marker of markers.slice(KEPT)) {
      const hash = marker.slice(prefix.length + 1)
      if (hash === seed.hash) continue
      await docker.removeResources('volume', [marker])
      await docker.removeResources('volume', await docker.listResources('volume', `dev.nexus.seed=${hash}`))
    }
  }

  return { has, clone, save }
}
