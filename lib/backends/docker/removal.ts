/**
 * Takes a workspace's parts away: all of them, by compose and by label, with a look afterwards that none is left; or only what was
 * made for its present places and names.
 */

import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { composeProject } from '../../core/names.ts'
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { updateKnownHosts } from '../../ssh/client/alias-file.ts'
import { isControlSocket } from '../../ssh/client/control-path.ts'
import { addressOf, type createSshAccess, hasSshAddress } from '../../ssh/server/access.ts'
import { listFolder, readIfPresent, removeTree } from '../../system/store.ts'
import type { Docker } from '../../tools/docker.ts'
import type { ResourceKind } from '../../tools/docker-objects.ts'
import type { BackendContext } from '../context.ts'
import type { createImages } from './image.ts'
import type { createImageCache } from './image-cache.ts'
import { removeSecrets, secretFolder } from './secret-files.ts'
import { composeFileOf, hasServices, targetOf } from './target.ts'

const KINDS: readonly ResourceKind[] = ['container', 'network', 'volume']

export function createRemoval(
  docker: Docker,
  context: BackendContext,
  access: ReturnType<typeof createSshAccess>,
  imageCache: (record: WorkspaceRecord) => Promise<ReturnType<typeof createImageCache> | undefined>,
  images: () => Promise<ReturnType<typeof createImages>>,
) {
  const shared = async () => (await import('./shared.ts')).createShared(docker, context)

  /** By compose where its file is there, then by label, and then it looks again. */
  async function remove(record: WorkspaceRecord, kept: readonly string[] = []): Promise<void> {
    await access.closeMaster(record)
    if (record.docker?.stack?.shared !== undefined) await (await shared()).detach(record)
    // the engine leaves those that a container took over from the one before a rebuild
    const containers = hasServices(record) ? await docker.listResources('container', labelOf(record)) : []
    const volumes = await docker.listAnonymousVolumes(containers, record.createdAt)
    if ((await readIfPresent(composeFileOf(context.home, record))) !== undefined)
      await docker.down(targetOf(context.home, record), { keepVolumes: kept.length > 0 })
    await removeByLabel(record, kept)
    await docker.removeUnusedVolumes(volumes)
    await finishRemoval(record)
  }

  async function removeByLabel(record: WorkspaceRecord, kept: readonly string[]): Promise<void> {
    const list = async (kind: ResourceKind) =>
      (await docker.listResources(kind, labelOf(record))).filter((one) => !kept.includes(one))
    const listAll = async () => (await Promise.all(KINDS.map(list))).flat()
    if ((await listAll()).length === 0) return
    const label = labelOf(record)
    for (const kind of KINDS) await docker.removeResources(kind, await list(kind))
    const left = await listAll()
    if (left.length > 0) {
      throw new NexusError(
        'CONTAINER_ERROR',
        `${left.length} parts of ${record.name} could not be removed: ${left.join(', ')}.`,
        { hint: `To see what holds them, run \`docker ps -a --filter label=${label}\``, details: { left } },
      )
    }
  }

  async function dismantle(record: WorkspaceRecord): Promise<void> {
    await access.closeMaster(record)
    await docker.down({ project: composeProject(record) }, { keepVolumes: true })
    await removeSecrets(secretFolder(context, record))
    if (record.docker?.stack?.shared !== undefined) await (await shared()).release(record)
  }

  async function finishRemoval(record: WorkspaceRecord): Promise<void> {
    await removeSecrets(secretFolder(context, record))
    if (record.docker?.stack?.shared !== undefined) await (await shared()).forget(record)
    await (await imageCache(record))?.forgetLayers(record)
    if (record.docker?.stack !== undefined) await docker.removeImages(await docker.listImages(labelOf(record)))
    await removeOldImage(record)
    if (!hasSshAddress(record)) return
    const { controlPath } = access.destinationOf(record)
    if (controlPath !== undefined) await removeTree(controlPath)
    await removeUserMasters(record)
    await updateKnownHosts(context.home, record.id, undefined)
  }

  /** One that was killed leaves its socket. */
  async function removeUserMasters(record: WorkspaceRecord): Promise<void> {
    const { run } = context.home
    const names = (await listFolder(run)).filter((name) => isControlSocket(name, record.id, addressOf(record).port))
    for (const name of names) await removeTree(join(run, name))
  }

  /** The last workspace of an image that this Nexus would not build any more takes it along. */
  async function removeOldImage(record: WorkspaceRecord): Promise<void> {
    const { describeImage, imageWish } = await import('./image.ts')
    const current = describeImage(context, imageWish(record)).reference
    const { image } = dockerOf(record)
    if (image !== null && image !== current) await (await images()).removeUnused(current)
  }

  return { remove, dismantle }
}

function labelOf(record: WorkspaceRecord): string {
  return `dev.nexus.workspace=${record.id}`
}
