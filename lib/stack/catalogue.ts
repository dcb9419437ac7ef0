/**
 * Ready services: `services: [postgres, redis:7]` becomes compose services with volumes, health checks and credentials,
 * and variables that lead the workspace to them. compose/services has a hand-written compose file for each; this file
 * sets image, password and database, and puts the services beside the project's. Pure.
 */
import mariadb from '../../compose/services/mariadb.yml'
import mysql from '../../compose/services/mysql.yml'
import postgres from '../../compose/services/postgres.yml'
import redis from '../../compose/services/redis.yml'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { PortMapping } from '../core/workspace.ts'
import type { WantedPort } from '../ports/blocks.ts'
import { parseCompose, type Yaml, type YamlMap } from '../system/render.ts'
import { publishedPorts } from './override.ts'

/** The user that databases are made for; stands in the pieces too. */
const USER = 'nexus'

type Variables = Readonly<Record<string, string>>

interface Entry {
  /** Text of the compose file, with one service and its default image. */
  readonly piece: string
  readonly port: number
  readonly database: boolean
  readonly variables: (host: string, port: number, context: ReadyContext) => Variables
}

const CATALOGUE: ReadonlyMap<string, Entry> = new Map([
  ['postgres', { piece: postgres, port: 5432, database: true, variables: postgresVariables }],
  ['mysql', { piece: mysql, port: 3306, database: true, variables: mysqlVariables }],
  ['mariadb', { piece: mariadb, port: 3306, database: true, variables: mysqlVariables }],
  ['redis', { piece: redis, port: 6379, database: false, variables: redisVariables }],
])

export interface ReadyContext {
  /** The workspace's own, for all its databases: letters and digits, at least 8. */
  readonly password: string
  /** Made by `databaseName`. */
  readonly database: string
  /** Names of the project's services. */
  readonly services?: readonly string[]
  /** Names of ports that the workspace has already. */
  readonly ports?: readonly string[]
  /** Whether the engine knows `start_interval` of health checks (25 and newer); compose refuses it on an older one. */
  readonly startInterval: boolean
}

export interface ReadyServices {
  /** Compose services by name, without ports, labels and networks; a `$` is a `$`. */
  readonly services: Readonly<Record<string, YamlMap>>
  /** Their volumes, for the top level of the file. */
  readonly volumes: Readonly<Record<string, YamlMap>>
  /** For the workspace's own container. */
  readonly environment: Variables
  /** The first database is `database`, the others have their services' names. */
  readonly ports: readonly WantedPort[]
}

/**
 * @param wanted `settings.services`, such as `postgres` or `postgres:16`
 * @param images `settings.images`
 * @throws {NexusError} CONFIG_INVALID for a name that is not in the catalogue, asked for twice or taken by the project,
 * for a version that cannot be one, and for an image that cannot be one
 */
export function readyServices(
  wanted: readonly string[],
  images: ReadonlyMap<string, string>,
  context: ReadyContext,
): ReadyServices {
  if (!/^[A-Za-z0-9]{8,}$/.test(context.password)) throw new Error('not a password that needs no quotes anywhere')
  requireImages(images)
  const ready: Required<Mutable<ReadyServices>> = { services: {}, volumes: {}, environment: {}, ports: [] }
  for (const text of wanted) {
    const { name, entry, version } = parseWanted(text)
    requireFree(name, Object.keys(ready.services), context.services ?? [])
    const { services, volumes } = fill(parseCompose(entry.piece), context) as Record<string, Record<string, YamlMap>>
    const service = services?.[name] ?? {}
    ready.services = {
      ...ready.services,
      [name]: { ...checkedSoon(service, context), image: imageOf(service, version, images.get(name)) },
    }
    ready.volumes = { ...ready.volumes, ...volumes }
    // a variable of an earlier service stays
    ready.environment = { ...entry.variables(name, entry.port, context), ...ready.environment }
    ready.ports = [...ready.ports, portOf(name, entry, ready.ports, context.ports ?? [])]
  }
  return ready
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] }

export interface PlaceFacts {
  /** Leased ports of the workspace. */
  readonly ports: readonly PortMapping[]
  /** Loopback addresses to publish on. */
  readonly addresses: readonly string[]
  readonly labels: Variables
  /** Variables that every service gets. */
  readonly environment: Variables
  /** All networks of the stack, like the workspace's container, so that every service reaches them. */
  readonly networks: readonly string[]
}

/** Ready services as they stand in a workspace's compose file: with labels, variables and leased ports. */
export function placeServices(
  ready: Pick<ReadyServices, 'services' | 'volumes'>,
  facts: PlaceFacts,
): { readonly services: YamlMap; readonly volumes: YamlMap } {
  const { ports, addresses, labels, environment } = facts
  const networks = Object.fromEntries(facts.networks.map((name): [string, Yaml] => [name, {}]))
  const place = ([name, service]: readonly [string, YamlMap]): [string, Yaml] => {
    const leased = ports.filter((port) => port.service === name)
    return [
      name,
      {
        ...service,
        labels: { ...labels },
        environment: { ...environment, ...((service.environment ?? {}) as YamlMap) },
        networks,
        ports: publishedPorts(leased, addresses),
      },
    ]
  }
  const volumes = Object.entries(ready.volumes).map(([name, volume]): [string, Yaml] => {
    return [name, { ...volume, labels: { ...labels } }]
  })
  return {
    services: Object.fromEntries(Object.entries(ready.services).map(place)),
    volumes: Object.fromEntries(volumes),
  }
}

function parseWanted(text: string): { name: string; entry: Entry; version: string | undefined } {
  const colon = text.indexOf(':')
  const name = colon === -1 ? text : text.slice(0, colon)
  const version = colon === -1 ? undefined : text.slice(colon + 1)
  const entry = CATALOGUE.get(name)
  if (entry === undefined) throw unknownService('services', text, name)
  // what Docker allows as a tag
  if (version !== undefined && !/^\w[\w.-]{0,127}$/.test(version)) {
    throw invalid(
      'services',
      text,
      `${JSON.stringify(version)} is not a version`,
      `To choose one, run \`nexus config set --project services ${name}:${defaultVersion(entry)}\``,
    )
  }
  return { name, entry, version }
}

function unknownService(key: string, text: string, name: string): NexusError {
  const known = [...CATALOGUE.keys()]
  const near = nearest(name.toLowerCase(), known)
  return invalid(
    key,
    text,
    `there is no ready service of that name; there are ${known.join(', ')}`,
    key === 'services'
      ? `To have ${near ?? known[0]}, run \`nexus config set --project services ${near ?? known[0]}\`; others go into a compose file`
      : `To see where it is set, run \`nexus config show --origin\``,
  )
}

function requireFree(name: string, chosen: readonly string[], projects: readonly string[]): void {
  if (chosen.includes(name)) {
    throw invalid('services', name, 'it is asked for twice', `To see where, run \`nexus config show --origin\``)
  }
  if (projects.includes(name)) {
    throw invalid(
      'services',
      name,
      'the compose files have a service of that name',
      `To use that one, take it out of the list: \`nexus config set --project services <others>\``,
    )
  }
}

/** A whole reference: the configuration may name a mirror, a digest, another build of the same program. */
function requireImages(images: ReadonlyMap<string, string>): void {
  for (const [name, image] of images) {
    if (!CATALOGUE.has(name)) throw unknownService(`images.${name}`, image, name)
    if (!/^[A-Za-z0-9][\w.:/@-]*$/.test(image)) {
      throw invalid(
        `images.${name}`,
        image,
        "it is not an image's name",
        `To see the images that are here, run \`docker image ls\``,
      )
    }
  }
}

function invalid(key: string, value: string, problem: string, hint: string): NexusError {
  return new NexusError('CONFIG_INVALID', `${key}: ${JSON.stringify(value)} cannot be used: ${problem}.`, {
    hint,
    details: { key, value, known: [...CATALOGUE.keys()] },
  })
}

function defaultVersion({ piece }: Entry): string {
  const [service] = Object.values(parseCompose(piece).services as Record<string, YamlMap>)
  return String(service?.image).split(':')[1] ?? ''
}

function imageOf(service: YamlMap, version: string | undefined, replaced: string | undefined): string {
  const standard = String(service.image)
  if (replaced !== undefined) return replaced
  return version === undefined ? standard : `${standard.split(':')[0]}:${version}`
}

/** Without `start_interval`, the first look would come after half a minute: it comes often then, and stays so. */
function checkedSoon(service: YamlMap, { startInterval }: ReadyContext): YamlMap {
  if (startInterval) return service
  const { start_interval: _, ...check } = service.healthcheck as YamlMap
  return { ...service, healthcheck: { ...check, interval: '3s' } }
}

function portOf(name: string, entry: Entry, chosen: readonly WantedPort[], taken: readonly string[]): WantedPort {
  const used = [...taken, ...chosen.map((port) => port.name)]
  const choices = [...(entry.database ? ['database'] : []), name]
  const free = choices.find((choice) => !used.includes(choice)) ?? `${name}-${entry.port}`
  return { name: free, container: entry.port, protocol: 'tcp', service: name }
}

function postgresVariables(host: string, port: number, { password, database }: ReadyContext): Variables {
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: USER,
    PGPASSWORD: password,
    PGDATABASE: database,
    DATABASE_URL: `postgresql://${USER}:${password}@${host}:${port}/${database}`,
    NEXUS_WS_DB: database,
  }
}

function mysqlVariables(host: string, port: number, { password, database }: ReadyContext): Variables {
  return {
    MYSQL_HOST: host,
    MYSQL_TCP_PORT: String(port),
    MYSQL_USER: USER,
    MYSQL_PASSWORD: password,
    MYSQL_DATABASE: database,
    DATABASE_URL: `mysql://${USER}:${password}@${host}:${port}/${database}`,
    NEXUS_WS_DB: database,
  }
}

function redisVariables(host: string, port: number): Variables {
  return { REDIS_HOST: host, REDIS_PORT: String(port), REDIS_URL: `redis://${host}:${port}` }
}

/** The pieces are compose files: `${NAME}` is one of our two variables, `$$` a `$`. */
function fill(value: Yaml, context: ReadyContext): Yaml {
  if (typeof value === 'string')
    return value.replace(/\$(\$|\{(\w+)\})?/g, (text, _, name) => word(text, name, context))
  if (Array.isArray(value)) return value.map((item) => fill(item, context))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner as Yaml, context)]))
}

function word(text: string, name: string | undefined, { password, database }: ReadyContext): string {
  if (text === '$$') return '$'
  if (name === 'NEXUS_SERVICE_PASSWORD') return password
  if (name === 'NEXUS_SERVICE_DATABASE') return database
  throw new Error(`a ready service has an unknown variable: ${text}`)
}
