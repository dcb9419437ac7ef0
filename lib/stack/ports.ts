/**
 * Which ports a compose project publishes and what they are called: `web`, `api` and `database` for the first service
 * of each sort, so that they get the offsets of these names, then the services' own names in the order of the file. The
 * configuration's `ports` win over the guess. Pure.
 */
import type { Protocol } from '../core/modes.ts'
import type { StackRecord } from '../core/workspace.ts'
import type { WantedPort } from '../ports/blocks.ts'
import { type ComposeModel, type ComposeService, type PublishedPort, replicas } from './model.ts'

type Role = 'web' | 'api' | 'database'

/** Checked by image, then by the service's name, then by port. */
const DATABASE_IMAGE =
  /(^|[/-])(postgres|postgis|timescaledb|pgvector|mysql|mariadb|mongo|cockroach|mssql|couchdb|percona)/
const NAMES: readonly (readonly [Role, RegExp])[] = [
  ['database', /^(db|database|postgres(ql)?|pg|mysql|mariadb|mongo(db)?|maria)([-_]?\d*)$/],
  ['web', /^(web|www|frontend|front|ui|client|site|webapp|nginx|proxy|app)([-_]?(web|app|server))?$/],
  ['api', /^(api|backend|back|server|graphql|gateway|rest)([-_]?(api|server|web))?$/],
]
const DATABASE_PORTS = new Set([5432, 3306, 27017, 1433, 26257])
const WEB_PORTS = new Set([80, 3000, 4200, 5173, 8080])
const API_PORTS = new Set([4000, 5000, 8000])

/** A port of the configuration. */
export interface ConfiguredPort {
  readonly name: string
  readonly container: number
  readonly protocol: Protocol
  readonly host?: number
  readonly service?: string
}

/** Services that run: without profiles, or with an active one. */
export function activeServices(model: ComposeModel, profiles: readonly string[]): ReadonlyMap<string, ComposeService> {
  const all = profiles.includes('*')
  return new Map(
    Object.entries(model.services).filter(
      ([, { profiles: own = [] }]) => own.length === 0 || all || own.some((profile) => profiles.includes(profile)),
    ),
  )
}

/** Services that run for this workspace alone: it neither publishes nor writes shared ones. */
export function ownServices(model: ComposeModel, stack: StackRecord | undefined): ReadonlyMap<string, ComposeService> {
  const active = activeServices(model, stack?.profiles ?? [])
  return new Map([...active].filter(([name]) => stack?.shared?.services.includes(name) !== true))
}

/**
 * The configured ports, then those that services publish; `main` has the workspace's own ports. What was published
 * before keeps its name.
 */
export function stackPorts(
  services: ReadonlyMap<string, ComposeService>,
  main: string,
  configured: readonly ConfiguredPort[],
  before: readonly WantedPort[] = [],
): readonly WantedPort[] {
  // one leased port cannot lead to several containers
  const published = [...services].flatMap(([service, definition]) =>
    replicas(definition) > 1 ? [] : unique(definition.ports ?? []).map((port) => ({ service, ...port })),
  )
  const taken = new Set<string>()
  const wanted: WantedPort[] = []
  for (const { name, container, protocol, host, service } of configured) {
    const owner =
      service ?? published.find((port) => port.container === container && port.protocol === protocol)?.service
    wanted.push({
      name,
      container,
      protocol,
      ...(host === undefined ? {} : { canonical: host }),
      ...ownedBy(owner, main),
    })
    taken.add(keyOf(owner ?? main, container, protocol))
  }
  const isThere = new Set(published.map(({ service, container, protocol }) => keyOf(service, container, protocol)))
  for (const { name, container, protocol, service = main } of before) {
    const key = keyOf(service, container, protocol)
    if (!isThere.has(key) || taken.has(key) || wanted.some((port) => port.name === name)) continue
    wanted.push({ name, container, protocol, ...ownedBy(service, main) })
    taken.add(key)
  }
  const rest = published.filter(({ service, container, protocol }) => !taken.has(keyOf(service, container, protocol)))
  const names = nameServices(services, rest, new Set(['ssh', ...wanted.map(({ name }) => name)]))
  const used = new Set(['ssh', ...wanted.map(({ name }) => name)])
  for (const { service, container, protocol } of rest) {
    const plain = names.get(service) ?? slug(service)
    const choices = [plain, `${plain}-${container}`, `${plain}-${container}-${protocol}`]
    const name = choices.find((one) => !used.has(one)) ?? `${plain}-${used.size}`
    used.add(name)
    wanted.push({ name, container, protocol, ...ownedBy(service, main) })
  }
  return wanted
}

function ownedBy(service: string | undefined, main: string): { service?: string } {
  return service === undefined || service === main ? {} : { service }
}

function keyOf(service: string, container: number, protocol: string): string {
  return `${service}\0${container}\0${protocol}`
}

function unique(ports: readonly PublishedPort[]) {
  const seen = new Map(
    ports.map(({ target, protocol }) => {
      const port = { container: target, protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const) }
      return [`${target}/${port.protocol}`, port]
    }),
  )
  return [...seen.values()]
}

/** The first service of each role gets the role's name. */
function nameServices(
  services: ReadonlyMap<string, ComposeService>,
  ports: readonly { readonly service: string; readonly container: number }[],
  taken: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const publishing = [...new Set(ports.map(({ service }) => service))]
  const names = new Map<string, string>()
  for (const role of ['database', 'web', 'api'] as const) {
    if (taken.has(role)) continue
    const free = publishing.filter((service) => !names.has(service))
    const isRole = (judge: Judge) =>
      free.find((service) => judge(service, services.get(service), portsOf(ports, service)) === role)
    const chosen = isRole(byWhatRuns) ?? isRole(byPort)
    if (chosen !== undefined) names.set(chosen, role)
  }
  return names
}

function portsOf(ports: readonly { readonly service: string; readonly container: number }[], service: string) {
  return ports.filter((port) => port.service === service).map(({ container }) => container)
}

type Judge = (name: string, service: ComposeService | undefined, ports: readonly number[]) => Role | undefined

function byWhatRuns(name: string, service: ComposeService | undefined, _ports: readonly number[]): Role | undefined {
  if (DATABASE_IMAGE.test(service?.image ?? '')) return 'database'
  return NAMES.find(([, pattern]) => pattern.test(name.toLowerCase()))?.[0]
}

function byPort(name: string, service: ComposeService | undefined, ports: readonly number[]): Role | undefined {
  if (byWhatRuns(name, service, ports) !== undefined) return undefined
  if (ports.some((port) => DATABASE_PORTS.has(port))) return 'database'
  if (ports.some((port) => WEB_PORTS.has(port))) return 'web'
  return ports.some((port) => API_PORTS.has(port)) ? 'api' : undefined
}

/** A service's name as the name of a port: lower-case words with single dashes. */
function slug(service: string): string {
  const words = service
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return words === '' ? 'service' : words
}
