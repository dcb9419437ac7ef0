/**
 * The volumes in which services of a workspace have data, with their sizes: what a delete keeps for a while. Not among them are what
 * editors install, the worktree held by the engine, and what other workspaces use too (caches, shared services, external volumes).
 */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type ContainerSummary, createDockerApi, type DockerApi, type VolumeSummary } from '../../tools/docker-api.ts'
import { ANONYMOUS } from '../../tools/docker-objects.ts'
import type { BackendContext } from '../context.ts'
import type { DataVolume } from '../making.ts'
import { EDITORS_VOLUME, HELD_LABEL, SERVICE_LABEL, VOLUME_LABEL } from './labels.ts'
import type { Helpers } from './own-container.ts'
import { hasServices } from './target.ts'

/** Prints the numbers of the folders in which there is anything. */
const FILLED = 'cd /volumes; for n in *; do [ -z "$(/bin/ls -A "$n")" ] || echo "$n"; done'

/** Those that are not empty. Nothing is measured for a workspace that has none. */
export async function listDataVolumes(
  { env, instance }: Pick<BackendContext, 'env' | 'instance'>,
  record: WorkspaceRecord,
  helpers: () => Promise<Helpers>,
): Promise<readonly DataVolume[]> {
  const api = createDockerApi(env)
  const labels = [`dev.nexus.workspace=${record.id}`, `dev.nexus.instance=${instance}`]
  const [volumes, containers] = await Promise.all([
    api.volumes(...labels),
    hasServices(record) ? api.list(...labels) : [],
  ])
  const named = volumes.filter(
    ({ Labels }) => Labels?.[HELD_LABEL] === undefined && Labels?.[VOLUME_LABEL] !== EDITORS_VOLUME,
  )
  const nameless = containers.flatMap(({ Mounts = [] }) =>
    Mounts.flatMap(({ Type, Name = '' }) => (Type === 'volume' && ANONYMOUS.test(Name) ? [Name] : [])),
  )
  const folders = describeFolders(record, containers)
  if (named.length + nameless.length === 0) return folders
  const measured = await measure(api)
  const names = [...named.map(({ Name }) => Name), ...nameless]
  const light = names.filter((name) => measured.get(name)?.UsageData?.Size === 0)
  const filled = light.length === 0 ? [] : await findFilled(await helpers(), record, light)
  return [...describeVolumes(record, named, nameless, containers, measured, filled), ...folders]
}

/** Files without a byte, links and folders have no size. In doubt all of them count. */
async function findFilled(
  helpers: Helpers,
  record: WorkspaceRecord,
  volumes: readonly string[],
): Promise<readonly string[]> {
  const mounts = volumes.map(
    (source, i) => ({ type: 'volume', source, target: `/volumes/${i}`, readOnly: true }) as const,
  )
  try {
    const said = await helpers.run(record, {
      user: '0:0',
      capabilities: ['DAC_OVERRIDE'],
      mounts,
      labels: { 'dev.nexus.helper': 'files' },
      argv: ['/bin/sh', '-c', FILLED],
    })
    return said.split('\n').flatMap((n) => (n === '' ? [] : (volumes[Number(n)] ?? [])))
  } catch (error) {
    if (error instanceof NexusError) return volumes
    throw error
  }
}

/** Folders of the worktree that services mount; how much is in them is not the engine's to know. */
function describeFolders({ local }: WorkspaceRecord, containers: readonly ContainerSummary[]): readonly DataVolume[] {
  return containers.flatMap(({ Mounts = [], Labels }) =>
    Mounts.flatMap(({ Type, Source = '' }): readonly DataVolume[] => {
      if (Type !== 'bind' || local === null || !Source.startsWith(`${local.worktree}/`)) return []
      return [{ name: Source, isFolder: true, of: Labels[SERVICE_LABEL] ?? '', bytes: null, nameless: false }]
    }),
  )
}

/** Exported for tests. */
export function describeVolumes(
  { createdAt }: Pick<WorkspaceRecord, 'createdAt'>,
  named: readonly VolumeSummary[],
  nameless: readonly string[],
  containers: readonly ContainerSummary[],
  measured: ReadonlyMap<string, VolumeSummary>,
  filled: readonly string[],
): readonly DataVolume[] {
  const sizeOf = (name: string) => {
    const size = measured.get(name)?.UsageData?.Size ?? -1
    return size < 0 ? null : size
  }
  const usersOf = (name: string) => {
    const mounting = containers.filter(({ Mounts = [] }) => Mounts.some((mount) => mount.Name === name))
    return [...new Set(mounting.map(({ Labels }) => Labels[SERVICE_LABEL] ?? ''))].sort().join(' and ')
  }
  const own = named.map(({ Name, Labels }) => {
    const of = usersOf(Name) || (Labels?.[VOLUME_LABEL] ?? Name)
    return { name: Name, of, bytes: sizeOf(Name), nameless: false }
  })
  // one that is older came from elsewhere, and stays
  const others = [...new Set(nameless)].filter(
    (name) => Date.parse(measured.get(name)?.CreatedAt ?? '') >= Date.parse(createdAt),
  )
  const all = [...own, ...others.map((name) => ({ name, of: usersOf(name), bytes: sizeOf(name), nameless: true }))]
  return all.filter(({ name, bytes }) => bytes !== 0 || filled.includes(name))
}

/** Sizes are a nicety: without them the volumes count as volumes of unknown size. */
async function measure(api: DockerApi): Promise<ReadonlyMap<string, VolumeSummary>> {
  try {
    return new Map((await api.measureVolumes()).map((volume) => [volume.Name, volume]))
  } catch (error) {
    if (error instanceof NexusError) return new Map()
    throw error
  }
}
