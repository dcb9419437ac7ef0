/**
 * A compose project as `docker compose config --format json` resolves it: only the parts that Nexus reads are typed,
 * the rest is kept unchanged. Types and small questions about them; pure.
 */
import type { Yaml } from '../system/render.ts'

/** A JSON object of the resolved model with keys that Nexus does not read. */
export type ModelFields = Readonly<Record<string, unknown>>

export interface PublishedPort {
  readonly target: number
  /** As text; absent when Docker would choose; a range stays one entry. */
  readonly published?: string
  readonly host_ip?: string
  readonly protocol?: string
  readonly mode?: string
}

export interface ServiceVolume {
  readonly type: string
  /** Absolute path of a bind mount, key of a named volume; absent for an anonymous one. */
  readonly source?: string
  readonly target: string
  /** Of a bind mount. */
  readonly bind?: ModelFields
  readonly read_only?: boolean
  /** Of a named volume. */
  readonly volume?: ModelFields
}

export interface ComposeService extends ModelFields {
  readonly image?: string
  readonly build?: ModelFields
  readonly command?: readonly string[] | null
  readonly entrypoint?: readonly string[] | null
  readonly container_name?: string
  readonly profiles?: readonly string[]
  readonly ports?: readonly PublishedPort[]
  readonly volumes?: readonly ServiceVolume[]
  readonly networks?: Readonly<Record<string, ModelFields | null>>
  readonly network_mode?: string
  readonly healthcheck?: ModelFields
  readonly depends_on?: Readonly<Record<string, ModelFields>>
}

/** A top-level network or volume. `name` is always there; `external` means that it is not the project's own. */
export interface ComposeResource extends ModelFields {
  readonly name?: string
  readonly external?: boolean
}

export interface ComposeModel {
  readonly name: string
  readonly services: Readonly<Record<string, ComposeService>>
  readonly networks?: Readonly<Record<string, ComposeResource | null>>
  readonly volumes?: Readonly<Record<string, ComposeResource | null>>
  readonly secrets?: Readonly<Record<string, ModelFields>>
  readonly configs?: Readonly<Record<string, ModelFields>>
  readonly [key: string]: unknown
}

/** One thing in a project that goes beyond the allow-list. */
export interface Finding {
  /** Where in the model, such as `services.app.privileged`. */
  readonly path: string
  /** The value as JSON text or a path, with `<worktree>` and `<repo>` in place of the real folders. */
  readonly value: string
  /** What it would let the project do, as a phrase: `full access to this machine`. */
  readonly why: string
}

/** A text of the resolved model as it is meant: compose doubles every `$` of what it has resolved. */
export function plainText(text: string): string {
  return text.replaceAll('$$', '$')
}

/** The same for all texts in a value of the model. @param change what else becomes of each */
export function plainTexts(value: unknown, change: (text: string) => string = (text) => text): Yaml {
  if (typeof value === 'string') return change(plainText(value))
  if (Array.isArray(value)) return value.map((item) => plainTexts(item, change))
  if (value === null || typeof value !== 'object') return value as Yaml
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainTexts(inner, change)]))
}

/** How many containers of a service run. */
export function replicas(service: ComposeService): number {
  const count = (service.scale ?? (service.deploy as ModelFields | undefined)?.replicas ?? 1) as unknown
  return typeof count === 'number' ? count : 1
}

/** The workspace's own network where every network of the project's is external. */
const MEETING_NETWORK = 'nexus-own'

/**
 * Networks of the workspace's own, never none: those that the project makes itself, `default` among them unless that is
 * external. The workspace's container and ready services are on all of them.
 */
export function ownNetworks(model: ComposeModel): readonly string[] {
  const external = model.networks?.default?.external === true
  const all = [...new Set([...(external ? [] : ['default']), ...own(model.networks)])]
  return all.length === 0 ? [MEETING_NETWORK] : all
}

/** Those that are not `external`. */
export function own(resources: Readonly<Record<string, ComposeResource | null>> | undefined): readonly string[] {
  return Object.entries(resources ?? {})
    .filter(([, resource]) => resource?.external !== true)
    .map(([name]) => name)
}
