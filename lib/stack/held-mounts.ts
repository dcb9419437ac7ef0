/**
 * Docker follows symlinks in a service's bind mount at every start, so an agent could swap a folder of the worktree for
 * a link to the host. With a private git dir we mount such a folder as a subpath of a named volume, which is the
 * worktree: Docker never leaves the volume. The worktree itself stays a bind mount, since nothing inside can replace
 * its folder.
 *
 * The volume is made by Nexus and `external` in the compose file: compose of 2024 drops the subpath of a volume that
 * the file itself defines like a bind (docker/compose#12075). Reads links, changes nothing.
 */
import { posix } from 'node:path'
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import { composeProject } from '../core/names.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { Override, type Yaml, type YamlMap } from '../system/render.ts'
import {
  type ComposeModel,
  type ComposeService,
  type ModelFields,
  plainText,
  plainTexts,
  type ServiceVolume,
} from './model.ts'
import { isWithin } from './places.ts'

/** The key of the volume in the generated file. */
const HELD_VOLUME = 'nexus-worktree'

type Realpath = (path: string) => string | undefined

/** A moved worktree gets another volume. No volume of the project can have this name, as compose puts a `_` there. */
export function heldVolumeName(record: WorkspaceRecord): string {
  return `${composeProject(record)}-worktree-${sha256(record.local?.worktree ?? '').slice(0, 8)}`
}

/** The model with real paths in its mounts, so that a later look finds links that were made since. */
export function settleMounts(model: ComposeModel, worktree: string, realpath: Realpath): ComposeModel {
  const settle = (path: string) => double(settled(plainText(path), worktree, realpath))
  const volumes = (service: ComposeService) =>
    service.volumes?.map((mount) => (isBind(mount) ? { ...mount, source: settle(mount.source) } : mount))
  const files = (objects: ComposeModel['secrets']) =>
    mapValues(objects ?? {}, (one) => (typeof one.file === 'string' ? { ...one, file: settle(one.file) } : one))
  return {
    ...model,
    services: mapValues(model.services, (service) =>
      service.volumes === undefined ? service : { ...service, volumes: volumes(service) ?? [] },
    ),
    ...(model.secrets === undefined ? {} : { secrets: files(model.secrets) }),
    ...(model.configs === undefined ? {} : { configs: files(model.configs) }),
  }
}

/** Within the worktree as the record has it, whatever links lead to the repository. */
function settled(path: string, worktree: string, realpath: Realpath): string {
  const [top, real] = [realpath(worktree), realpath(path)]
  if (top === undefined || real === undefined) return path
  return isWithin(real, top) ? posix.join(worktree, real.slice(top.length)) : real
}

export interface HeldPath {
  readonly path: string
  /** Docker makes a folder where nothing exists. */
  readonly made: boolean
}

/** What services of a settled model mount from below the worktree. */
export function heldPaths(model: ComposeModel, worktree: string): readonly HeldPath[] {
  return Object.values(model.services).flatMap((service) => [
    ...((service.volumes ?? []) as readonly Mount[]).filter(isBind).flatMap(({ source, bind }) => {
      const made = (bind as ModelFields | undefined)?.create_host_path !== false
      return isBelow(plainText(source), worktree) ? [{ path: plainText(source), made }] : []
    }),
    ...fileMounts(service, model, worktree).map(({ source }) => ({ path: source, made: false })),
  ])
}

/** Paths that lead elsewhere than when they were settled. */
export function movedPaths(paths: readonly string[], worktree: string, realpath: Realpath): readonly string[] {
  return paths.filter((path) => settled(path, worktree, realpath) !== path)
}

/**
 * The data of a compose file in which every mount from below the worktree is a subpath of the volume, also those that
 * Nexus added.
 * @param model settled
 * @throws {NexusError} UNSUPPORTED for a volume with the name that is needed here
 */
export function holdMounts(file: YamlMap, record: WorkspaceRecord, model: ComposeModel): YamlMap {
  const { docker, local, name } = record
  if (docker?.stack?.holds !== true || local === null) return file
  if (model.volumes?.[HELD_VOLUME] !== undefined) {
    throw new NexusError('UNSUPPORTED', `The compose files have the volume ${HELD_VOLUME}, whose name Nexus needs.`, {
      hint: `To go on, give it another name, then run \`nexus rebuild ${name}\``,
      details: { volume: HELD_VOLUME },
    })
  }
  const services = mapValues(file.services as Readonly<Record<string, YamlMap>>, (service, key) =>
    holdService(service, model.services[key] ?? {}, model, local.worktree),
  )
  const volumes = {
    ...((file.volumes ?? {}) as YamlMap),
    [HELD_VOLUME]: { external: true, name: heldVolumeName(record) },
  }
  return { ...file, services, volumes }
}

function holdService(service: YamlMap, definition: ComposeService, model: ComposeModel, worktree: string): YamlMap {
  const files = fileMounts(definition, model, worktree)
  const own = (definition.volumes ?? []).map((mount) => plainTexts(mount) as unknown as Mount)
  const added = (service.volumes ?? []) as unknown as readonly Mount[]
  // at the same place the last one counts, as where compose merges them
  const all = [...new Map([...own, ...files, ...added].map((mount) => [mount.target, mount])).values()]
  if (!all.some((mount) => isBind(mount) && isBelow(mount.source, worktree))) return service
  const held = all.map((mount) =>
    isBind(mount) && isBelow(mount.source, worktree) ? holdMount(mount, worktree) : mount,
  )
  return {
    ...service,
    volumes: new Override(held as unknown as Yaml),
    ...remaining('secrets', definition, model, worktree),
    ...remaining('configs', definition, model, worktree),
  }
}

interface Mount extends ServiceVolume, ModelFields {}

function holdMount({ target, source, read_only }: Mount & { readonly source: string }, worktree: string): Mount {
  const subpath = posix.relative(worktree, source)
  const readOnly = read_only === true ? { read_only } : {}
  return { type: 'volume', source: HELD_VOLUME, target, ...readOnly, volume: { nocopy: true, subpath } }
}

/** Where compose puts the files of each kind. */
const FOLDERS = { secrets: '/run/secrets', configs: '/' } as const

type FileKind = keyof typeof FOLDERS

/** Secrets and configs that are files below the worktree, which compose mounts as it mounts folders. */
function fileMounts(service: ComposeService, model: ComposeModel, worktree: string) {
  return (['secrets', 'configs'] as const).flatMap((kind) =>
    usesOf(service, kind).flatMap((use) => {
      const path = fileOf(use, kind, model)
      if (path === undefined || !isBelow(path, worktree)) return []
      const target = plainText(String(use.target ?? use.source))
      return [{ type: 'bind', source: path, target: posix.resolve(FOLDERS[kind], target), read_only: true }]
    }),
  )
}

function remaining(kind: FileKind, service: ComposeService, model: ComposeModel, worktree: string): YamlMap {
  const uses = usesOf(service, kind)
  const kept = uses.filter((use) => {
    const path = fileOf(use, kind, model)
    return path === undefined || !isBelow(path, worktree)
  })
  return kept.length === uses.length ? {} : { [kind]: new Override(kept.map((use) => plainTexts(use))) }
}

function usesOf(service: ComposeService, kind: FileKind): readonly ModelFields[] {
  const uses = (service[kind] ?? []) as readonly (string | ModelFields)[]
  return uses.map((use) => (typeof use === 'string' ? { source: use } : use))
}

function fileOf({ source }: ModelFields, kind: FileKind, model: ComposeModel): string | undefined {
  const file = model[kind]?.[String(source)]?.file
  return typeof file === 'string' ? plainText(file) : undefined
}

function isBind<T extends ServiceVolume>(mount: T): mount is T & { readonly source: string } {
  return mount.type === 'bind' && mount.source !== undefined
}

function isBelow(path: string, folder: string): boolean {
  return isWithin(path, folder) && posix.relative(folder, path) !== ''
}

function double(text: string): string {
  return text.replaceAll('$', '$$$$')
}

function mapValues<T, U>(object: Readonly<Record<string, T>>, change: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}
