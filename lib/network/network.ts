/**
 * The network of a guarded workspace (`allowlist` or `none`): which hosts can be reached, by name, and what its sessions and
 * services must know of the way out. The way itself is in `gate.ts`. Pure.
 */
import { stripVTControlCharacters } from 'node:util'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import { kindOf } from '../core/operations.ts'
import type { StackRecord, WorkspaceRecord } from '../core/workspace.ts'
import { NETWORK_PRESETS, REGISTRIES } from './network-presets.ts'

/** The service that is the only way out of a guarded workspace, and into its ports. */
export const GATE_SERVICE = 'nexus-gate'
export const PROXY_PORT = 3128

/** Ports of a host that is named without one: plain HTTP, and TLS by CONNECT. */
const WEB_PORTS = { plain: 80, tls: 443 } as const

export function hasGate({ network }: Partial<Pick<WorkspaceRecord, 'network'>>): boolean {
  return network === 'allowlist' || network === 'none'
}

/**
 * Images of a guarded workspace are built and pulled once, at create, from the commit that the user chose: builds have an open
 * network, and later the files say what whoever works inside wrote into them.
 */
export function hasFixedImages(record: Pick<WorkspaceRecord, 'network' | 'operation'>): boolean {
  return hasGate(record) && kindOf(record.operation)?.makes !== true
}

/** What a workspace runs, with its own container made from what it was made from at first. */
export function withFixedBase(found: StackRecord, present: StackRecord | undefined): StackRecord {
  const { under: _, app: __, ...rest } = found
  const { base, main, under, app } = present ?? { base: { kind: 'default' } as const, main: found.main }
  return {
    ...rest,
    base,
    main: base.kind === 'service' || found.base.kind === 'service' ? main : found.main,
    ...(under === undefined ? {} : { under }),
    ...(app === undefined ? {} : { app }),
  }
}

/** Its image stands on one of the project's, which is not built again. */
export function keepsImage(record: Pick<WorkspaceRecord, 'network' | 'operation' | 'docker'>): boolean {
  return hasFixedImages(record) && (record.docker?.stack?.base.kind ?? 'default') !== 'default'
}

/** Whether two looks at a project's files say the same of the image of the workspace's own container. */
export function hasSameImage(one: StackRecord | undefined, other: StackRecord | undefined): boolean {
  const [a, b] = [one, other].map((stack) => {
    const { base = { kind: 'default' }, main = '', under = '' } = stack ?? {}
    return JSON.stringify([base, base.kind === 'service' ? main : '', under])
  })
  return a === b
}

export interface AllowedHost {
  /** A name, `*.name` for all below it, or `.name` for that and all below it. */
  readonly name: string
  /** Undefined: those of the web. */
  readonly port: number | undefined
}

/**
 * `network.allow` as hosts: presets become their names, each once.
 * @param registries what `registries` stands for on this machine
 * @throws {NexusError} INVALID_ARGUMENT for what is neither a host's name nor a preset
 */
export function expandAllowed(words: readonly string[], registries: readonly string[]): readonly string[] {
  const hosts = words.flatMap((word) => {
    if (word === REGISTRIES) return registries
    return NETWORK_PRESETS[word] ?? [word.toLowerCase()]
  })
  for (const host of hosts) parseAllowed(host)
  return [...new Set(hosts)]
}

/**
 * Where nothing is reached, by whatever name: loopback, link-local, private networks, those that lead into IPv4, multicast.
 */
export const INNER_RANGES: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3'],
  ...['::/128', '::1/128', '64:ff9b::/96', '2001::/32', '2002::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
]

const HOST =
  /^(\*?\.)?(?=.{1,253}(:|$))[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+(:\d{1,5})?$/

/** @throws {NexusError} INVALID_ARGUMENT; an address is no name: what a name leads to is looked at instead */
export function parseAllowed(host: string): AllowedHost {
  const [name = '', port] = host.split(':')
  const number = port === undefined ? undefined : Number(port)
  const isAddress = /^(\*?\.)?[\d.]+$/.test(name)
  if (HOST.test(host) && !isAddress && (number === undefined || (number > 0 && number < 65_536)))
    return { name, port: number }
  const known = [...Object.keys(NETWORK_PRESETS), REGISTRIES]
  const why = isAddress ? 'it is an address, not a name' : `it is neither a host's name nor one of ${known.join(', ')}`
  throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(host.slice(0, 100))} cannot be let through: ${why}.`, {
    hint: `To let one host through, run \`nexus network allow <name> ${nearest(host, known) ?? 'example.org'}\``,
    details: { host, presets: known },
  })
}

/** How programs inside find the way out; `services` are reached directly. */
export function proxyVariables(
  record: Pick<WorkspaceRecord, 'network'>,
  services: readonly string[],
): Readonly<Record<string, string>> {
  if (record.network !== 'allowlist') return {}
  const proxy = `http://${GATE_SERVICE}:${PROXY_PORT}`
  const direct = ['localhost', '127.0.0.1', '::1', ...services].join(',')
  const variables = { http_proxy: proxy, https_proxy: proxy, no_proxy: direct }
  const upper = Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value])
  // Node 24 and newer look at the variables only when told to
  return { ...variables, ...Object.fromEntries(upper), NODE_USE_ENV_PROXY: '1' }
}

/** What the gate's proxy lets through, as its configuration asks for it. */
export interface ProxyRule {
  readonly id: string
  /** A name, or `.name` for that and all below it. */
  readonly name: string
  /** A name that is not let through although the other one stands for it. */
  readonly except: string | undefined
  /** Ports of plain HTTP, and of CONNECT. */
  readonly plain: number
  readonly tls: number
}

export function proxyRules(hosts: readonly string[]): readonly ProxyRule[] {
  return hosts.map(parseAllowed).map(({ name, port }, index) => ({
    id: `host${index}`,
    name: name.replace(/^\*/, ''),
    except: name.startsWith('*.') ? name.slice(2) : undefined,
    plain: port ?? WEB_PORTS.plain,
    tls: port ?? WEB_PORTS.tls,
  }))
}

/** A request that the gate refused. */
export interface RefusedRequest {
  /** RFC 3339 UTC. */
  readonly time: string
  readonly method: string
  readonly host: string
  readonly port: number
  /** `name`: not let through; `port`: the name is, this port is not; `address`: it leads to a private address. */
  readonly reason: 'name' | 'port' | 'address'
}

/** From the lines that the gate printed; others are passed over. What stands in them was chosen inside. */
export function parseRefusals(text: string): readonly RefusedRequest[] {
  return text.split('\n').flatMap((line) => {
    const [time = '', method = '', host = '', port = '', reason = ''] = stripVTControlCharacters(line)
      .trim()
      .split('\t')
    if (!/^\d+\.\d{3}$/.test(time) || !['name', 'port', 'address'].includes(reason)) return []
    return [
      {
        time: new Date(Number(time) * 1000).toISOString(),
        method: method.replace(/[^A-Z]/g, '?').slice(0, 20),
        host: host.replace(/[^\w.:[\]-]/g, '?').slice(0, 253),
        port: Number(port) || 0,
        reason: reason as RefusedRequest['reason'],
      },
    ]
  })
}
