/**
 * Data outside of a workspace that its services write: external volumes, folders, devices behind volumes. As soon as
 * another branch runs the same services, two databases write the same files. Pure: the caller hands in the look at the
 * disk.
 */
import type { WorkspaceRecord } from '../core/workspace.ts'
import { type ComposeModel, plainText, type ServiceVolume } from './model.ts'
import { createPlaces, isWithin, type Where } from './places.ts'
import { ownServices } from './ports.ts'

export interface OutsideData {
  /** Where in the model, such as `volumes.data`. */
  readonly path: string
  readonly service: string
  readonly kind: 'external volume' | 'folder' | 'device' | 'container'
  /** Name of the volume or the container, real path of the folder. */
  readonly id: string
  /** As people read it: `external volume shop-db`. */
  readonly text: string
}

export interface OutsideFacts extends Where {
  /** False for a socket or a file; a folder that is not there is made by Docker. */
  readonly isFolder: (path: string) => boolean
}

/** Folders of the machine itself, with sockets and devices in them. */
const MACHINE = ['/dev', '/proc', '/sys', '/run', '/var/run', '/tmp/.X11-unix']

export function outsideData(record: WorkspaceRecord, model: ComposeModel, facts: OutsideFacts): readonly OutsideData[] {
  return [...ownServices(model, record.docker?.stack)].flatMap(([service, { volumes = [], volumes_from: from }]) => {
    const mounted = volumes.filter(({ read_only: readOnly }) => readOnly !== true)
    const found = [
      ...mounted.flatMap((one) => ofMount(service, one, record, model, facts)),
      ...ofContainers(service, from),
    ]
    return found.map((one) => ({ ...one, service }))
  })
}

type Found = Omit<OutsideData, 'service'>

function ofMount(
  service: string,
  { type, source = '' }: ServiceVolume,
  record: WorkspaceRecord,
  model: ComposeModel,
  facts: OutsideFacts,
): readonly Found[] {
  if (type === 'bind') return ofFolder(`services.${service}.volumes`, source, facts)
  const volume = type === 'volume' ? model.volumes?.[source] : undefined
  if (volume === undefined || volume === null) return []
  const path = `volumes.${source}`
  if (volume.external === true) {
    const id = plainText(volume.name ?? source)
    const isShared = record.docker?.stack?.external !== 'private'
    return isShared ? [{ path, kind: 'external volume', id, text: `external volume ${id}` }] : []
  }
  const { device, type: kind, o = '' } = (volume.driver_opts ?? {}) as Readonly<Record<string, string | undefined>>
  if (device === undefined || kind === 'tmpfs') return []
  if (/(^|,)r?bind(,|$)/.test(o)) return ofFolder(path, device, facts)
  return [{ path, kind: 'device', id: `${kind} ${o} ${device}`, text: `device ${plainText(device)}` }]
}

function ofFolder(path: string, source: string, facts: OutsideFacts): readonly Found[] {
  const { name, outside } = createPlaces(facts)
  const given = plainText(source)
  const id = facts.realpath?.(given) ?? given
  const isData = outside(given) !== undefined && !MACHINE.some((one) => isWithin(id, one))
  return isData && facts.isFolder(id) ? [{ path, kind: 'folder', id, text: `folder ${name(given)}` }] : []
}

/** Of containers outside whose volumes a service takes over, those that it may write. */
function ofContainers(service: string, from: unknown): readonly Found[] {
  const names = [from ?? []].flat().flatMap((one) => /^container:([^:]+)(:rw)?$/.exec(String(one))?.[1] ?? [])
  const path = `services.${service}.volumes_from`
  return names.map((id) => ({ path, kind: 'container', id, text: `volumes of the container ${id}` }))
}

/** The entries of the first list that overlap with one of the second. */
export function sharedData(own: readonly OutsideData[], others: readonly OutsideData[]): readonly OutsideData[] {
  return own.filter((one) => others.some((other) => isSame(one, other)))
}

export function isSame(one: OutsideData, other: OutsideData): boolean {
  if (one.kind !== other.kind) return false
  return one.kind === 'folder' ? isWithin(one.id, other.id) || isWithin(other.id, one.id) : one.id === other.id
}

export interface CopiedVolume {
  readonly key: string
  /** Name of the volume outside. */
  readonly from: string
}

/** External volumes that the workspace has a copy of; not those of shared services alone. */
export function copiedVolumes(record: WorkspaceRecord, model: ComposeModel): readonly CopiedVolume[] {
  if (record.docker?.stack?.external !== 'private') return []
  const shared = record.docker?.stack.shared?.services ?? []
  const own = Object.entries(model.services).filter(([name]) => !shared.includes(name))
  const used = new Set(own.flatMap(([, { volumes = [] }]) => volumes.map(({ source }) => source)))
  return Object.entries(model.volumes ?? {}).flatMap(([key, volume]) =>
    volume?.external === true && used.has(key) ? [{ key, from: plainText(volume.name ?? key) }] : [],
  )
}

/** Copies that the workspace would no longer use: it would write the original volume instead. */
export function leftCopies(
  before: WorkspaceRecord,
  after: WorkspaceRecord,
  model: ComposeModel,
): readonly CopiedVolume[] {
  const kept = new Set(copiedVolumes(after, model).map(({ key }) => key))
  return copiedVolumes(before, model).filter(({ key }) => !kept.has(key))
}
