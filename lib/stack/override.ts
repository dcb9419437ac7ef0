/**
 * The override that makes a project's own compose files safe to run once per branch, without changing them: leased
 * ports on loopback instead of published ones, no fixed names, no image tags, addresses or subnets that two branches
 * would share, and our labels and variables on everything. It is merged behind the project's files by `include`
 * (engine: compose >= 2.24.4).
 *
 * `external` objects are shared on purpose, with approval, and stay unchanged, except volumes that the workspace has a
 * copy of. Pure.
 */
import type { PortMapping } from '../core/workspace.ts'
import { Override, Reset, type Yaml, type YamlMap } from '../system/render.ts'
import type { BuildArgs } from './caches.ts'
import {
  type ComposeModel,
  type ComposeService,
  type ModelFields,
  own,
  ownNetworks,
  plainText,
  replicas,
} from './model.ts'

/** By service: images whose layers its build may begin with; a service in it keeps its layers' cache in its image. */
export type BuildLayers = ReadonlyMap<string, readonly string[]>

export interface OverrideFacts {
  readonly model: ComposeModel
  /** Compose project of the workspace. */
  readonly project: string
  /** Services that run; the others keep their profiles and publish nothing. */
  readonly active: ReadonlySet<string>
  /** Leased ports that belong to services of the project. */
  readonly ports: readonly PortMapping[]
  /** Loopback addresses to publish on. */
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Further labels of networks. */
  readonly networkLabels?: Readonly<Record<string, string>>
  /** Variables that every service gets. */
  readonly environment: Readonly<Record<string, string>>
  /** CIDR block of each network that is the project's own. */
  readonly subnets: ReadonlyMap<string, string>
  readonly layers?: BuildLayers | undefined
  readonly buildArgs: BuildArgs
  /** External volumes that are the workspace's own here. */
  readonly copied?: readonly string[]
  /** Whether the engine knows `start_interval` of health checks. */
  readonly startInterval?: boolean | undefined
}

export function makeOverride(facts: OverrideFacts): YamlMap {
  const services = Object.entries(facts.model.services)
  const { copied = [] } = facts
  return {
    services: Object.fromEntries(services.map(([name, service]) => [name, overrideService(name, service, facts)])),
    networks: Object.fromEntries(ownNetworks(facts.model).map((name) => [name, overrideNetwork(name, facts)])),
    volumes: Object.fromEntries([
      ...own(facts.model.volumes).map((name) => [name, { name: new Reset(), labels: { ...facts.labels } }]),
      ...copied.map((name) => [name, { external: new Reset(), name: new Reset(), labels: { ...facts.labels } }]),
    ]),
  }
}

function overrideNetwork(name: string, { model, labels, networkLabels, subnets }: OverrideFacts): Yaml {
  const present = model.networks?.[name]
  const subnet = subnets.get(name)
  return {
    ...(present === undefined || present === null ? {} : { name: new Reset() }),
    labels: { ...labels, ...networkLabels },
    ...overrideAddresses(subnet, present?.ipam !== undefined),
    // a fixed IPv6 subnet would be the same in every branch
    ...(present?.enable_ipv6 === true ? { enable_ipv6: new Reset() } : {}),
  }
}

function overrideAddresses(subnet: string | undefined, configured: boolean): YamlMap {
  if (subnet !== undefined) return { ipam: new Override({ config: [{ subnet }] }) }
  return configured ? { ipam: new Reset() } : {}
}

function overrideService(name: string, service: ComposeService, facts: OverrideFacts): Yaml {
  const { labels, environment, active } = facts
  const runs = active.has(name)
  return {
    labels: { ...labels },
    environment: { ...environment },
    ...(service.container_name === undefined ? {} : { container_name: new Reset() }),
    ...overrideImage(name, service, facts),
    ...(service.ports === undefined && !runs ? {} : overridePorts(name, service, facts)),
    ...overrideNetworks(service, ownNetworks(facts.model)),
    ...overrideBinds(service),
    ...(runs && service.profiles !== undefined ? { profiles: new Reset() } : {}),
    // `always` would start a stopped workspace's service again when the engine starts
    ...(service.restart === 'always' ? { restart: 'unless-stopped' } : {}),
    ...(facts.startInterval === true && isCheckedLate(service) ? { healthcheck: { start_interval: '1s' } } : {}),
  }
}

const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 }

/**
 * The first check comes after an interval, and `up` waits for it. Within the start period failures count for nothing,
 * so that more checks there only find out sooner. A health check in the image itself is not in the model and stays
 * unchanged.
 */
function isCheckedLate({ healthcheck = {} }: ComposeService): boolean {
  const { test, interval, start_period: period, start_interval: own } = healthcheck
  if (!Array.isArray(test) || test[0] === 'NONE' || healthcheck.disable === true || own !== undefined) return false
  return secondsOf(period) > 1 && secondsOf(interval) > 1
}

/** As compose resolves a duration: `1m30s`. */
function secondsOf(text: unknown): number {
  const parts = typeof text === 'string' ? [...text.matchAll(/([\d.]+)(h|ms|us|ns|m|s)/g)] : []
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (SECONDS[unit] ?? 0), 0)
}

/** An image that the stack builds is named after the workspace; all branches would share a tag of the project. */
function overrideImage(name: string, service: ComposeService, facts: OverrideFacts): YamlMap {
  const { model, project, labels, layers, buildArgs } = facts
  if (service.build !== undefined) {
    const build = overrideBuild(service, labels, buildArgs, layers?.get(name))
    return service.image === undefined ? { build } : { build, image: new Reset() }
  }
  const builder = builderOf(model, service)
  return builder === undefined ? {} : { image: `${project}-${builder}`, pull_policy: 'never' }
}

/** The service that builds the image which this one runs. */
function builderOf(model: ComposeModel, { image }: ComposeService): string | undefined {
  return Object.entries(model.services).find(
    ([, other]) => other.build !== undefined && other.image !== undefined && other.image === image,
  )?.[0]
}

/** The image that a service of the project's runs in a workspace. */
export function imageOf(model: ComposeModel, project: string, name: string): string {
  const service = model.services[name] ?? {}
  const builder = service.build === undefined ? builderOf(model, service) : name
  return builder === undefined ? (service.image ?? '') : `${project}-${builder}`
}

/** What every build of the project's gets. */
export function overrideBuild(
  service: ComposeService,
  labels: Readonly<Record<string, string>>,
  args: BuildArgs,
  layers: readonly string[] | undefined,
): YamlMap {
  return { labels: { ...labels }, args: { ...args }, ...buildCache(service, layers) }
}

/** BuildKit's inline cache, the one kind that every engine can write. A project with its own `cache_to` keeps it. */
export function buildCache({ build }: ComposeService, layers: readonly string[] | undefined): YamlMap {
  if (layers === undefined || build?.cache_to !== undefined) return {}
  return { ...(layers.length === 0 ? {} : { cache_from: [...layers] }), cache_to: ['type=inline'] }
}

function overridePorts(name: string, service: ComposeService, { ports, addresses, active }: OverrideFacts): YamlMap {
  const leased = active.has(name) ? ports.filter((port) => port.service === name) : []
  if (leased.length === 0) return service.ports === undefined ? {} : { ports: new Reset() }
  return { ports: new Override(publishedPorts(leased, addresses)) }
}

/** Ports as compose writes them, on each address, the leased one and the canonical one. */
export function publishedPorts(ports: readonly PortMapping[], addresses: readonly string[]): readonly Yaml[] {
  return ports.flatMap((port) => {
    if (port.host === null) throw new Error(`port ${port.name} has no lease`)
    const hosts = port.canonical === undefined ? [port.host] : [port.host, port.canonical]
    return hosts.flatMap((host) =>
      addresses.map((address) => ({
        mode: 'host',
        host_ip: address,
        published: String(host),
        target: port.container,
        protocol: port.protocol,
      })),
    )
  })
}

/**
 * Compose passes a bind mount with `create_host_path` to Docker as one text, `source:target`, so a colon in the path
 * breaks it. For such a path the flag is dropped, and the folder has to exist.
 */
function overrideBinds({ volumes = [] }: ComposeService): YamlMap {
  const split = volumes.filter(
    ({ type, source, bind }) => type === 'bind' && source?.includes(':') && bind?.create_host_path !== false,
  )
  if (split.length === 0) return {}
  const whole = split.map(({ source, target, bind, ...volume }): Yaml => {
    const fields = { ...volume, source: plainText(source ?? ''), target: plainText(target) } as YamlMap
    return { ...fields, bind: { ...(bind as YamlMap), create_host_path: false } }
  })
  return { volumes: whole }
}

const FIXED_ADDRESS = ['ipv4_address', 'ipv6_address', 'link_local_ips', 'mac_address']

/**
 * Networks without fixed addresses, which lie in a subnet that the override replaces. A `container_name` stays usable
 * as an alias within the workspace. A service that is on external networks alone joins a network of the workspace:
 * there it meets the workspace's container and the ready services, which never join an external network, as their names
 * would mean those of every branch there.
 */
function overrideNetworks(service: ComposeService, ours: readonly string[]): YamlMap {
  const networks = Object.entries(service.networks ?? {})
  const fixed = networks.some(([, fields]) => FIXED_ADDRESS.some((key) => fields?.[key] !== undefined))
  const alone = networks.length > 0 && !networks.some(([network]) => ours.includes(network))
  const { container_name: name } = service
  if (!fixed && name === undefined && !alone) return {}
  const changed = networks.map(([network, fields]): [string, Yaml] => {
    const { aliases, ...kept } = withoutKeys(fields ?? {}, FIXED_ADDRESS)
    const all = [...((aliases ?? []) as readonly string[]), ...(name === undefined ? [] : [name])]
    return [network, { ...kept, ...(all.length === 0 ? {} : { aliases: all }) } as Yaml]
  })
  const meeting: readonly [string, Yaml][] = alone ? ours.slice(0, 1).map((network) => [network, {}]) : []
  return { networks: new Override(Object.fromEntries([...changed, ...meeting])) }
}

function withoutKeys(fields: ModelFields, keys: readonly string[]): ModelFields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)))
}

/** What the override takes away that a project may rely on, as warnings for the user. */
export function overrideNotes(model: ComposeModel): readonly string[] {
  const fixed = Object.entries(model.services).filter(([, { networks }]) =>
    Object.values(networks ?? {}).some(
      (fields) => fields?.ipv4_address !== undefined || fields?.ipv6_address !== undefined,
    ),
  )
  const scaled = Object.entries(model.services).filter(
    ([, service]) => replicas(service) > 1 && (service.ports?.length ?? 0) > 0,
  )
  return [
    ...fixed.map(([name]) => `service ${name} has a fixed address, which is not kept: use its name instead`),
    ...scaled.map(
      ([name]) => `service ${name} runs ${replicas(model.services[name] ?? {})} times, so its ports are not published`,
    ),
  ]
}
