/**
 * Data outside of a workspace that its services write: external volumes, folders, devices behind volumes. A database in them has other
 * programs' writes under it as soon as another branch runs the same services. Pure: what is on the disk is asked of what is given.
 */
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { ComposeModel, ComposeResource, Fields } from './model.ts'
import { createPlaces, isWithin, type Where } from './places.ts'
import { activeServices } from './ports.ts'

export interface OutsideData {
  /** Where in the model, such as `volumes.data`. */
  readonly path: string
  readonly service: string
  readonly kind: 'external volume' | 'folder' | 'device'
  /** Name of the volume, real path of the folder. */
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
  const places = createPlaces(facts)
  const folder = (path: string, service: string, source: string): readonly OutsideData[] => {
    const id = facts.realpath?.(source) ?? source
    const isData = places.outside(source) !== undefined && !MACHINE.some((one) => isWithin(id, one))
    const text = `folder ${places.name(source)}`
    return isData && facts.isFolder(id) ? [{ path, service, kind: 'folder', id, text }] : []
  }
  return servicesOf(record, model).flatMap(([service, { volumes = [] }]) =>
    volumes.flatMap(({ type, source, read_only: readOnly }) => {
      if (source === undefined || readOnly === true) return []
      if (type === 'bind') return folder(`services.${service}.volumes`, service, plain(source))
      const volume = type === 'volume' ? model.volumes?.[source] : undefined
      if (volume === undefined || volume === null) return []
      const path = `volumes.${source}`
      const { device, type: driverType, o } = optionsOf(volume)
      if (volume.external === true) {
        const id = plain(volume.name ?? source)
        const isShared = record.stack?.external !== 'private'
        return isShared ? [{ path, service, kind: 'external volume', id, text: `external volume ${id}` }] : []
      }
      if (device === undefined || driverType === 'tmpfs') return []
      if (/(^|,)r?bind(,|$)/.test(o ?? '')) return folder(path, service, plain(device))
      return [
        {
          path,
          service,
          kind: 'device',
          id: `${driverType ?? ''} ${o ?? ''} ${device}`,
          text: `device ${plain(device)}`,
        },
      ]
    }),
  )
}

/** What of the first list is in the second too, in whole or in part. */
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

/** External volumes that the workspace has a copy of; none of those that only services mount which all workspaces share. */
export function copiedVolumes(record: WorkspaceRecord, model: ComposeModel): readonly CopiedVolume[] {
  if (record.stack?.external !== 'private') return []
  const shared = record.stack.shared?.services ?? []
  const own = Object.entries(model.services).filter(([name]) => !shared.includes(name))
  const used = new Set(own.flatMap(([, { volumes = [] }]) => volumes.map(({ source }) => source)))
  return Object.entries(model.volumes ?? {}).flatMap(([key, volume]) =>
    volume?.external === true && used.has(key) ? [{ key, from: plain(volume.name ?? key) }] : [],
  )
}

/** Those that run for this workspace alone. */
function servicesOf({ stack }: WorkspaceRecord, model: ComposeModel) {
  const active = activeServices(model, stack?.profiles ?? [])
  return [...active].filter(([name]) => stack?.shared?.services.includes(name) !== true)
}

function optionsOf({ driver_opts: options }: ComposeResource): Readonly<Record<string, string | undefined>> {
  return (options ?? {}) as Fields as Readonly<Record<string, string | undefined>>
}

/** Compose doubles every `$` of what it has resolved. */
function plain(text: string): string {
  return text.replaceAll('$$', '$')
}
