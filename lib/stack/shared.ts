/**
 * Services that run once for all workspaces of a repository: taken out of each workspace's stack, put into a compose project
 * of the repository's own, and reached by their names over a network that both are on. Each workspace has a database of its
 * own in them. Pure.
 */
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { StackRecord } from '../core/workspace.ts'
import { Override, type Yaml, type YamlMap } from '../system/render.ts'
import type { ComposeModel, ComposeService, Fields } from './model.ts'

/** The network in the files of a workspace, and the profile that takes a shared service out of its stack. */
export const SHARED_NETWORK = 'nexus-shared'

export type SharedDatabase = NonNullable<NonNullable<StackRecord['shared']>['database']>

/** @throws {NexusError} CONFIG_INVALID for a name that the compose files do not have */
export function requireShared(names: readonly string[], model: ComposeModel | undefined): void {
  const known = Object.keys(model?.services ?? {})
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new NexusError(
    'CONFIG_INVALID',
    `shared names ${JSON.stringify(unknown)}, which the compose files do not have.`,
    {
      hint: `To share another, run \`nexus config set --project shared ${nearest(unknown, known) ?? known[0] ?? '<service>'}\``,
      details: { key: 'shared', value: unknown, known },
    },
  )
}

/** The first shared service that is a database, with the name of the workspace's own one. */
export function sharedDatabase(
  names: readonly string[],
  model: ComposeModel,
  name: string,
): SharedDatabase | undefined {
  for (const service of names) {
    const engine = engineOf(service, model.services[service])
    if (engine !== undefined) return { service, engine, name }
  }
  return undefined
}

export function engineOf(name: string, service: ComposeService | undefined): SharedDatabase['engine'] | undefined {
  const variables = Object.keys((service?.environment ?? {}) as Fields)
  const words = `${service?.image ?? ''} ${name}`
  if (/postgres|postgis|timescale|pgvector/.test(words) || variables.some((word) => word.startsWith('POSTGRES_')))
    return 'postgres'
  if (/mysql|mariadb|percona/.test(words) || variables.some((word) => /^(MYSQL|MARIADB)_/.test(word))) return 'mysql'
  return undefined
}

/** Additions to the override of a workspace: shared services do not run in it, all others reach them. */
export function withoutShared(services: YamlMap, model: ComposeModel, shared: readonly string[]): YamlMap {
  const entries = Object.entries(services).map(([name, service]): [string, Yaml] => {
    const definition = model.services[name]
    if (shared.includes(name)) return [name, { ...(service as YamlMap), profiles: new Override([SHARED_NETWORK]) }]
    return [name, { ...(service as YamlMap), ...reaching(definition, service as YamlMap, shared) }]
  })
  return Object.fromEntries(entries)
}

function reaching(definition: ComposeService | undefined, service: YamlMap, shared: readonly string[]): YamlMap {
  const needed = Object.entries(definition?.depends_on ?? {}).filter(([name]) => shared.includes(name))
  const dependencies = Object.fromEntries(
    needed.map(([name, fields]) => [name, { ...fields, required: false } as Yaml]),
  )
  const join = { [SHARED_NETWORK]: {} }
  const joined = definition?.network_mode === undefined
  const networks =
    service.networks instanceof Override
      ? (service.networks.value as YamlMap)
      : (definition?.networks ?? (service.networks as YamlMap | undefined) ?? {})
  const present = Object.fromEntries(Object.keys(networks).map((name) => [name, (networks as YamlMap)[name] ?? {}]))
  return {
    ...(needed.length === 0 ? {} : { depends_on: dependencies }),
    ...(joined ? { networks: new Override({ ...present, ...join } as Yaml) } : {}),
  }
}

export interface SharedFacts {
  readonly model: ComposeModel
  readonly names: readonly string[]
  readonly project: string
  readonly labels: Readonly<Record<string, string>>
  /** Folder of the workspace whose files the model is of, and the main worktree that takes its place: it stays. */
  readonly worktree: string
  readonly repo: string
}

/** The compose file of the repository's shared services. */
export function sharedModel({ model, names, project, labels, worktree, repo }: SharedFacts): YamlMap {
  const move = (value: unknown): Yaml => plain(value, (text) => moved(text, worktree, repo))
  const services = names.map((name): [string, Yaml] => {
    const {
      ports: _p,
      container_name: _c,
      profiles: _o,
      networks: _n,
      depends_on: _d,
      ...rest
    } = model.services[name] ?? {}
    const build =
      rest.build === undefined
        ? {}
        : { image: `${project}-${name}`, build: { ...(move(rest.build) as YamlMap), labels: { ...labels } } }
    const kept = move(rest) as YamlMap
    return [name, { ...kept, ...build, labels: { ...((kept.labels as YamlMap) ?? {}), ...labels } }]
  })
  const used = new Set(names.flatMap((name) => (model.services[name]?.volumes ?? []).map(({ source }) => source)))
  const volumes = Object.entries(model.volumes ?? {}).filter(([name]) => used.has(name))
  return {
    name: project,
    services: Object.fromEntries(services),
    networks: { default: { name: project, labels: { ...labels } } },
    volumes: Object.fromEntries(
      volumes.map(([name, volume]): [string, Yaml] => {
        if (volume?.external === true) return [name, move(volume)]
        const { name: _, ...fields } = volume ?? {}
        return [name, { ...(move(fields) as YamlMap), labels: { ...labels } }]
      }),
    ),
    ...pick('secrets', model.secrets, move),
    ...pick('configs', model.configs, move),
  }
}

function pick(key: string, value: unknown, move: (value: unknown) => Yaml): YamlMap {
  return value === undefined ? {} : { [key]: move(value) }
}

function moved(text: string, from: string, to: string): string {
  return text === from || text.startsWith(`${from}/`) ? `${to}${text.slice(from.length)}` : text
}

/** `docker compose config` doubles every `$`, and so does our own writer. */
function plain(value: unknown, change: (text: string) => string): Yaml {
  if (typeof value === 'string') return change(value.replaceAll('$$', '$'))
  if (Array.isArray(value)) return value.map((item) => plain(item, change))
  if (value === null || typeof value !== 'object') return value as Yaml
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner, change)]))
}
