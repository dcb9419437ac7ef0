/**
 * Turns a workspace's compose file into a guarded one: all networks are internal, without an address of this machine,
 * and one more service, the network gate, is the way out (a proxy) and the way in (a relay of the leased ports). In
 * isolation `agent` the project's services also lose capabilities. Pure.
 */

import { NexusError } from '../core/errors.ts'
import { dockerOf } from '../core/record-parts.ts'
import type { PortMapping, WorkspaceRecord } from '../core/workspace.ts'
import { sideCarName } from '../stack/detect.ts'
import { capLimits } from '../stack/limits.ts'
import type { ComposeModel, ComposeService } from '../stack/model.ts'
import { publishedPorts } from '../stack/override.ts'
import { Override, type Yaml, type YamlMap } from '../system/render.ts'
import { guardedSysctls } from '../trust/sysctls.ts'
import { GATE_SERVICE, hasGate, proxyVariables } from './network.ts'

/** The gate alone is on it; it leads outside. */
export const OUTSIDE_NETWORK = 'nexus-outside'

/** Docker's default capabilities that a development workspace has no use for. */
export const DROPPED_CAPABILITIES: readonly string[] = ['NET_RAW', 'MKNOD', 'SETFCAP']

/** No address of this machine on the bridge: what listens on all addresses would be reached there. */
const NO_HOST = { 'com.docker.network.bridge.inhibit_ipv4': 'true' }

export interface GateFacts {
  readonly record: WorkspaceRecord
  readonly image: string
  /** Loopback addresses to publish on. */
  readonly addresses: readonly string[]
  /** Folder on this machine with the gate's configuration. */
  readonly folder: string
  readonly labels: Readonly<Record<string, string>>
  /** The service of the workspace's own container. */
  readonly main: string
  /** The project's resolved files; undefined without any. */
  readonly model: ComposeModel | undefined
}

export interface Relay {
  readonly port: number
  readonly udp: boolean
  /** `<service>:<port>` */
  readonly target: string
}

/** Leased ports and where they lead; the gate listens on the numbers that are leased, which are all different. */
export function relaysOf(ports: readonly PortMapping[], main: string): readonly Relay[] {
  return ports.flatMap(({ host, container, protocol, service = main }) =>
    host === null ? [] : [{ port: host, udp: protocol === 'udp', target: `${service}:${container}` }],
  )
}

/** How many networks a workspace has beside its own. */
export function gateNetworks(record: Pick<WorkspaceRecord, 'network'>): number {
  return hasGate(record) ? 1 : 0
}

/**
 * @param model a compose file's data, whose services publish nothing; over the project's files when `facts.model` is
 * there
 * @param subnet the outside network's block
 */
export function addGate(model: YamlMap, facts: GateFacts, subnet: string | undefined): YamlMap {
  const { record, labels } = facts
  const services = model.services as Readonly<Record<string, YamlMap>>
  const names = Object.keys(services)
  const proxy = proxyVariables(record, names)
  const close = (network: YamlMap): YamlMap => ({
    ...network,
    internal: true,
    // an engine may be configured to give all networks an IPv6 subnet, with an address of this machine in it
    enable_ipv6: false,
    driver: 'bridge',
    driver_opts: facts.model === undefined ? NO_HOST : new Override(NO_HOST),
  })
  const networks = Object.entries(model.networks as Readonly<Record<string, YamlMap>>)
  const inner = networks.map(([name]) => name)
  return {
    ...model,
    services: {
      ...Object.fromEntries(names.map((name) => [name, closeService(name, services[name] ?? {}, facts, proxy)])),
      [GATE_SERVICE]: gateService(facts, inner),
    },
    networks: {
      ...Object.fromEntries(networks.map(([name, network]) => [name, close(network)])),
      [OUTSIDE_NETWORK]: { labels: { ...labels }, ...(subnet === undefined ? {} : { ipam: { config: [{ subnet }] } }) },
    },
  }
}

/**
 * Names of services are answered by Docker itself; it would ask this machine's servers for all others. A network of
 * another container is not this one's to configure, but its sysctls would be set there. With raw sockets a service
 * could speak IPv6 to this machine's side of the network without an address of its own.
 */
function closeService(name: string, service: YamlMap, { model }: GateFacts, proxy: YamlMap): YamlMap {
  const definition = model?.services[name]
  const nowhere = ['127.0.0.1']
  return {
    ...service,
    environment: { ...((service.environment ?? {}) as YamlMap), ...proxy },
    ...(definition?.network_mode === undefined ? { dns: model === undefined ? nowhere : new Override(nowhere) } : {}),
    ...(definition?.sysctls === undefined ? {} : { sysctls: new Override(guardedSysctls(definition.sysctls)) }),
    ...(service.cap_drop === undefined ? { cap_drop: ['NET_RAW'] } : {}),
  }
}

function gateService({ record, image, addresses, folder, labels, main }: GateFacts, inner: readonly string[]): YamlMap {
  const published = record.ports.map((port) => ({ ...port, container: port.host ?? 0 }))
  const relays = relaysOf(record.ports, main).map(({ port, target }) => `${port}=${target}`)
  return {
    image,
    pull_policy: 'never',
    init: true,
    restart: 'no',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    // it stands on both sides and must not route between them
    sysctls: { 'net.ipv4.ip_forward': '0' },
    pids_limit: 256,
    mem_limit: 512 * 1024 ** 2,
    // it has no state, so a stop need not wait for it
    stop_signal: 'SIGKILL',
    tmpfs: ['/tmp:mode=1777,size=16m', '/run:mode=1777,size=1m', '/var/lib/nginx:mode=1777,size=16m'],
    logging: { driver: 'json-file', options: { 'max-size': '2m', 'max-file': '2' } },
    // not read: another list is another container
    environment: { NEXUS_GATE_RELAYS: relays.join(' ') },
    ports: publishedPorts(published, addresses),
    volumes: [
      {
        type: 'bind',
        source: folder,
        target: '/etc/nexus-gate',
        read_only: true,
        bind: { create_host_path: false },
      },
    ],
    labels: { ...labels },
    networks: Object.fromEntries([...inner, OUTSIDE_NETWORK].map((name): [string, Yaml] => [name, {}])),
  }
}

/**
 * What services of the project's get in isolation `agent`; the workspace's own container has its own, stricter rules.
 */
export function restrainServices(
  services: YamlMap,
  record: WorkspaceRecord,
  model: ComposeModel,
  main: string,
): YamlMap {
  if (record.isolation !== 'agent') return services
  const restrained = Object.entries(services).map(([name, service]): [string, Yaml] => {
    const definition = model.services[name]
    if (name === main || definition === undefined) return [name, service as Yaml]
    return [name, { ...(service as YamlMap), cap_drop: [...DROPPED_CAPABILITIES], ...capLimits(definition, record) }]
  })
  return Object.fromEntries(restrained)
}

/**
 * Refuses ways around the gate, approved or not.
 * @throws {NexusError} UNSUPPORTED
 */
export function requireGuardable(record: WorkspaceRecord, model: ComposeModel): void {
  if (!hasGate(record)) return
  const { [GATE_SERVICE]: gate } = model.services
  if (gate !== undefined) throw taken(record, `the service ${GATE_SERVICE}, whose name Nexus needs`)
  const networks = model.networks ?? {}
  const external = Object.keys(networks).find((name) => networks[name]?.external === true)
  if (external !== undefined) throw refusal(record, `the external network ${external}`)
  if (OUTSIDE_NETWORK in networks) throw taken(record, `the network ${OUTSIDE_NETWORK}, whose name Nexus needs`)
  const targets = targetsOf(record, model)
  for (const [name, service] of Object.entries(model.services)) {
    const { network_mode: mode } = service
    const stays = mode === undefined || mode === 'none' || mode.startsWith('service:')
    if (!stays) throw refusal(record, `network_mode: ${mode} of service ${name}`)
    const [word] = takenNames(
      service,
      targets.filter((one) => one !== name),
    )
    if (word !== undefined) throw taken(record, `${word} of service ${name}, a name that Nexus needs`)
    const optioned = Object.entries(service.networks ?? {}).find(([, place]) => place?.driver_opts !== undefined)
    if (optioned !== undefined) throw refusal(record, `driver_opts of service ${name} on the network ${optioned[0]}`)
  }
}

/** What the gate leads to that Nexus adds. */
function targetsOf(record: WorkspaceRecord, model: ComposeModel): readonly string[] {
  const { stack, ready } = dockerOf(record)
  const main = stack?.base.kind === 'service' ? stack.main : sideCarName(Object.keys(model.services))
  return [main, ...(ready?.wanted ?? []).map((text) => text.split(':')[0] ?? '')]
}

/**
 * Where a service takes the gate's name, or on a network one that the gate leads to: it would get what is meant for
 * them.
 * @param targets without its own name
 */
function takenNames(service: ComposeService, targets: readonly string[]): readonly string[] {
  const { hostname, container_name, links, extra_hosts, networks } = service
  const aliases = Object.values(networks ?? {}).map((place) => place?.aliases)
  const words = { aliases, container_name, hostname, links, extra_hosts }
  return Object.entries(words).flatMap(([key, value]) => {
    const names = ['aliases', 'container_name'].includes(key) ? [GATE_SERVICE, ...targets] : [GATE_SERVICE]
    // what follows the first dot may be what a search list adds
    const taken = namesIn(value).filter((name) => names.includes(name.toLowerCase().split('.')[0] ?? ''))
    return taken.map((name) => `${key}: ${name}`)
  })
}

/** `service:name` has its name at the end, `name=address` at the beginning. */
function namesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn)
  if (typeof value === 'object' && value !== null) return Object.keys(value)
  if (typeof value !== 'string') return []
  return [value.includes('=') ? (value.split('=')[0] ?? '') : (value.split(':').at(-1) ?? '')]
}

/** Another name costs nothing, so that the hint begins with it. */
function taken(record: WorkspaceRecord, what: string): NexusError {
  return refusal(record, what, 'To keep this network, choose another name for it in the compose files; to run')
}

function refusal({ name, network }: WorkspaceRecord, what: string, first = 'To run'): NexusError {
  return new NexusError(
    'UNSUPPORTED',
    `The compose files have ${what}, which the network "${network}" does not allow.`,
    {
      hint: `${first} them with an open network, run \`nexus up ${name} --network open\` under a new name`,
      details: { network, what },
    },
  )
}
