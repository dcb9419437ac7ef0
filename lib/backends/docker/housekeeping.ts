/**
 * Health, leftovers and disk use of the Docker engine, for `doctor`, `gc` and `list --size`. Looks at objects with this
 * instance's label alone.
 */
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId, type WorkspaceId } from '../../core/names.ts'
import { sumSizes } from '../../core/sizes.ts'
import { sshConfigCheck } from '../../ssh/client/config-check.ts'
import type { Docker } from '../../tools/docker.ts'
import type { DiskUse } from '../../tools/docker-facts.ts'
import type { BackendContext } from '../context.ts'
import type { Housekeeping, Leftover, Usage } from '../housekeeping.ts'
import { createDockerChecks } from './diagnosis.ts'
import { describeGateImage, describeImage, type ImageWish } from './image.ts'
import { HELD_LABEL } from './labels.ts'
import { findLeftovers, type SeenResources, WANTED_LABELS } from './leftovers.ts'
import { isPart } from './observation.ts'

/** In the order in which they can be removed. */
const ORDER = ['container', 'network', 'volume', 'image'] as const

export function createHousekeeping(docker: Docker, context: BackendContext, check: () => Promise<void>): Housekeeping {
  const label = `dev.nexus.instance=${context.instance}`

  async function look(): Promise<SeenResources> {
    const [containers, networks, volumes, images] = await Promise.all([
      docker.listRows('container', label, WANTED_LABELS),
      docker.listRows('network', label, WANTED_LABELS),
      docker.listRows('volume', label, WANTED_LABELS),
      docker.listImageRows(label),
    ])
    return { containers, networks, volumes, images }
  }

  const leftovers: Housekeeping['leftovers'] = async (needed, withSizes) => {
    const [seen, disk] = await Promise.all([look(), withSizes ? measure() : undefined])
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    const { instance } = context
    const gateImage = describeGateImage(context).reference
    const facts = {
      instance,
      owner,
      currentImage: (wish: ImageWish) => describeImage(context, wish),
      gateImage,
      now: Date.now(),
    }
    const found = findLeftovers(seen, await needed(), facts)
    const kept = await Promise.all(
      found.map(async (one) => one.kind === 'image' && (await docker.isImageUsed(one.name))),
    )
    return found.filter((_, i) => kept[i] !== true).map((one) => ({ ...one, bytes: one.bytes ?? sizeOf(one, disk) }))
  }

  /** Sizes are a nicety: without them the names are still worth a look. */
  async function measure(): Promise<DiskUse | undefined> {
    try {
      return await docker.diskUse()
    } catch (error) {
      if (error instanceof NexusError) return undefined
      throw error
    }
  }

  async function remove(all: readonly Leftover[]): Promise<void> {
    for (const kind of ORDER) {
      for (const { name } of all.filter((one) => one.kind === kind)) {
        try {
          if (kind === 'image') await docker.removeImages([name])
          else await docker.removeResources(kind, [name])
        } catch (error) {
          if (!(error instanceof NexusError)) throw error
          context.emit({ type: 'warning', text: `${kind} ${name} could not be removed: ${error.message}` })
        }
      }
    }
  }

  async function usage(): Promise<ReadonlyMap<WorkspaceId, Usage>> {
    const { containers, volumes } = await docker.diskUse()
    const ours = (labels: string) => new RegExp(`(^|,)${label}(,|$)`).test(labels)
    const used = new Map<WorkspaceId, { layers: (number | null)[]; volumes: (number | null)[] }>()
    const note = (kind: 'layers' | 'volumes', { labels, bytes }: { labels: string; bytes: number | null }) => {
      const id = /(?:^|,)dev\.nexus\.workspace=([^,]*)/.exec(labels)?.[1] ?? ''
      if (!ours(labels) || !isWorkspaceId(id)) return
      const entry = used.get(id) ?? { layers: [], volumes: [] }
      entry[kind].push(bytes)
      used.set(id, entry)
    }
    for (const container of containers) note('layers', container)
    for (const volume of volumes) if (!volume.labels.includes(`${HELD_LABEL}=`)) note('volumes', volume)
    return new Map(
      [...used].map(([id, { layers, volumes: v }]) => [id, { layers: sumSizes(layers), volumes: sumSizes(v) }]),
    )
  }

  async function published(): Promise<ReadonlyMap<WorkspaceId, readonly number[]>> {
    const all = await docker.inspectContainers(await docker.listResources('container', label))
    const ports = new Map<WorkspaceId, readonly number[]>()
    for (const { labels, ports: own } of all) {
      const id = labels['dev.nexus.workspace'] ?? ''
      if (!isWorkspaceId(id) || !isPart(labels)) continue
      ports.set(id, [...(ports.get(id) ?? []), ...own.map(({ host }) => host)])
    }
    return ports
  }

  const checks: Housekeeping['checks'] = (records) => {
    const own = records.filter(({ backend }) => backend === 'docker')
    return [...createDockerChecks(docker, check), sshConfigCheck(context, own)]
  }

  return { checks, leftovers, remove, published, usage }
}

function sizeOf({ kind, name }: Leftover, disk: DiskUse | undefined): number | null {
  switch (kind) {
    case 'network':
      return 0
    case 'container':
      return disk?.containers.find(({ id }) => id === name)?.bytes ?? null
    default:
      return disk?.volumes.find((volume) => volume.name === name)?.bytes ?? null
  }
}
