/**
 * Services that run once for all workspaces of a repository: taken out of each workspace's stack, put into a compose
 * project of the repository's own, and reached by their names on the networks of each workspace, which they join. One
 * network for all workspaces would not do: every service has its name on every network that it is on, so `web` would
 * lead to another branch's `web`. Each workspace has a database of its own in them. Pure.
 */
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { StackRecord } from '../core/workspace.ts'
import { Override, type Yaml, type YamlMap } from '../system/render.ts'
import type { BuildArgs } from './caches.ts'
import { type ComposeModel, type ComposeService, type ModelFields, plainTexts } from './model.ts'

/** The profile that takes a shared service out of a workspace's stack. */
const SHARED_PROFILE = 'nexus-shared'
/** On networks of workspaces: the compose project whose services join them. */
export const JOINS_LABEL = 'dev.nexus.joins'

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
  const variables = Object.keys((service?.environment ?? {}) as ModelFields)
  const words = `${service?.image ?? ''} ${name}`
  if (/postgres|postgis|timescale|pgvector/.test(words) || variables.some((word) => word.startsWith('POSTGRES_')))
    return 'postgres'
  if (/mysql|mariadb|percona/.test(words) || variables.some((word) => /^(MYSQL|MARIADB)_/.test(word))) return 'mysql'
  return undefined
}

/** Additions to the override of a workspace: shared services do not run in it, and none waits for them. */
export function withoutShared(services: YamlMap, model: ComposeModel, shared: readonly string[]): YamlMap {
  const entries = Object.entries(services).map(([name, service]): [string, Yaml] => {
    if (shared.includes(name)) return [name, { ...(service as YamlMap), profiles: new Override([SHARED_PROFILE]) }]
    const needed = Object.entries(model.services[name]?.depends_on ?? {}).filter(([other]) => shared.includes(other))
    if (needed.length === 0) return [name, service]
    const dependencies = needed.map(([other, fields]) => [other, { ...fields, required: false } as Yaml])
    return [name, { ...(service as YamlMap), depends_on: Object.fromEntries(dependencies) }]
  })
  return Object.fromEntries(entries)
}

export interface SharedFacts {
  readonly model: ComposeModel
  readonly names: readonly string[]
  readonly project: string
  readonly labels: Readonly<Record<string, string>>
  readonly buildArgs: BuildArgs
  /** Folder of the workspace whose files the model is of, and the main worktree that takes its place: it stays. */
  readonly worktree: string
  readonly repo: string
}

/** The compose file of the repository's shared services. */
export function sharedModel({ model, names, project, labels, buildArgs, worktree, repo }: SharedFacts): YamlMap {
  // our own writer doubles each `$` again
  const move = (value: unknown): Yaml => plainTexts(value, (text) => moved(text, worktree, repo))
  const ownBuild = (build: Yaml): YamlMap => {
    const { args, ...fields } = build as YamlMap
    return { ...fields, args: { ...(args as YamlMap), ...buildArgs }, labels: { ...labels } }
  }
  const services = names.map((name): [string, Yaml] => {
    const {
      ports: _p,
      container_name: _c,
      profiles: _o,
      networks: _n,
      depends_on: _d,
      ...rest
    } = model.services[name] ?? {}
    const build = rest.build === undefined ? {} : { image: `${project}-${name}`, build: ownBuild(move(rest.build)) }
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
