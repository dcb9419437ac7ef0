/**
 * The configuration as the code uses it: complete with defaults, and typed by the key table. `ssh.port_range.start` of the table is
 * `settings.ssh.portRange.start`; only what has names of the user's choice, a seed and hooks are put together here. Pure.
 */
import { NexusError } from '../core/errors.ts'
import type { Protocol } from '../core/modes.ts'
import { HOOK_NAMES, TABLE } from './key-table.ts'
import type { ValueType } from './types.ts'

type Row = (typeof TABLE)[number]

/** What a key's value is; undefined too, where nothing need be said and no default holds. */
type ValueOf<R> = R extends { readonly type: ValueType<infer T> }
  ? R extends { readonly default: unknown } | { readonly required: true }
    ? T
    : T | undefined
  : never

/** Every key with its value's type. */
type Values = { readonly [R in Row as R['key']]: ValueOf<R> }

type Camel<Word extends string> = Word extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Word
type Head<Key> = Key extends `${infer First}.${string}` ? First : Key
type Below<V, Section extends string> = {
  readonly [Key in keyof V as Key extends `${Section}.${infer Rest}` ? Rest : never]: V[Key]
}
/** `a.b_c` -> `{ a: { bC } }`. */
type Nested<V> = {
  readonly [Word in Head<keyof V> & string as Camel<Word>]: Word extends keyof V ? V[Word] : Nested<Below<V, Word>>
}

/** Sections that `buildSettings` puts together itself. */
const OWN_SECTIONS = ['workspaces', 'images', 'seed', 'hooks', 'secrets', 'ports'] as const
type OwnKey = `${(typeof OWN_SECTIONS)[number]}.${string}`
type Plain = Nested<Omit<Values, OwnKey>>

export interface PortSetting {
  readonly container: number
  readonly host?: number
  readonly protocol: Protocol
}

export interface Settings extends Plain {
  /** Repositories by alias, without a prototype: `constructor` is an alias like others. `ports` are container ports. */
  readonly workspaces: Readonly<Record<string, { readonly path: string; readonly ports: readonly number[] }>>
  /** Image by ready service. */
  readonly images: ReadonlyMap<string, string>
  readonly seed: SeedSetting | undefined
  readonly hooks: ReadonlyMap<HookName, HookSetting>
  /** Those that `--no-hooks` leaves out. */
  readonly hooksLeftOut?: ReadonlyMap<HookName, HookSetting>
  readonly secrets: ReadonlyMap<string, SecretSetting>
  /** By name, in the order of the file, which an object would not keep for names such as `8080`. */
  readonly ports: ReadonlyMap<string, PortSetting>
}

export type HookName = (typeof HOOK_NAMES)[number]

export interface HookSetting {
  readonly run: string
  readonly on: 'container' | 'host'
  /** Such as `10m`. */
  readonly timeout: string
  /** True when the project's own file asks for it, so that on the host it needs approval. */
  readonly fromProject: boolean
}

export interface SeedSetting {
  readonly service: string | undefined
  readonly run: string
  readonly inputs: readonly string[]
}

export interface SecretSetting {
  /** `env://NAME`, `file://PATH` or `cmd://COMMAND`. */
  readonly from: string
  readonly variable: string | undefined
  /** Undefined: the workspace alone. */
  readonly services: readonly string[] | undefined
  /** True when the project's own file names the reference, so that it needs approval. */
  readonly fromProject: boolean
}

interface Found {
  readonly value: unknown
  readonly origin: {
    readonly source: string
    readonly file?: string
    readonly line?: number
    readonly scope?: string
  }
}

/** Where each plain key's value goes. */
const PLAIN_KEYS = TABLE.filter(({ key }) => !OWN_SECTIONS.some((section) => key.startsWith(`${section}.`))).map(
  ({ key }) => ({ key, path: key.split('.').map(inCamelCase) }),
)

function inCamelCase(word: string): string {
  return word.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** @throws {NexusError} CONFIG_INVALID where values that are fine alone do not fit together */
export function buildSettings(values: ReadonlyMap<string, Found>): Settings {
  /** The value of a key of the table; `name` stands for its `*`. What a value is was checked where it was read. */
  const at = <K extends keyof Values>(key: K, name = '*') => values.get(key.replace('*', name))?.value as Values[K]
  const plain = plainSettings(values)
  const { start, end } = plain.ssh.portRange
  if (end - start < 9) {
    throw misfit(values, 'ssh.port_range.end', `ssh.port_range ${start}-${end} holds no block of ten ports`)
  }
  const run = at('seed.run')
  return {
    ...plain,
    workspaces: Object.assign(
      Object.create(null),
      Object.fromEntries(
        namesBelow(values, 'workspaces').map((alias) => {
          return [alias, { path: at('workspaces.*.path', alias), ports: at('workspaces.*.ports', alias) ?? [] }]
        }),
      ),
    ),
    images: mapBelow(values, 'images', (name) => at('images.*', name) ?? ''),
    seed: run === undefined ? undefined : { run, service: at('seed.service'), inputs: at('seed.inputs') },
    hooks: hookSettings(values, at),
    secrets: mapBelow(values, 'secrets', (name) => ({
      from: at('secrets.*.from', name),
      variable: at('secrets.*.variable', name),
      services: at('secrets.*.services', name),
      fromProject: isProjects(values, `secrets.${name}.from`),
    })),
    ports: mapBelow(values, 'ports', (name) => {
      const host = at('ports.*.host', name)
      const protocol = at('ports.*.protocol', name) ?? 'tcp'
      return { container: at('ports.*.container', name), protocol, ...(host === undefined ? {} : { host }) }
    }),
  }
}

function plainSettings(values: ReadonlyMap<string, Found>): Plain {
  interface Fields {
    [word: string]: unknown
  }
  const made: Fields = {}
  for (const { key, path } of PLAIN_KEYS) {
    let fields = made
    for (const word of path.slice(0, -1)) {
      fields[word] ??= {}
      fields = fields[word] as Fields
    }
    fields[path.at(-1) ?? key] = values.get(key)?.value
  }
  return made as unknown as Plain // PLAIN_KEYS and Plain are made from the same rows
}

function hookSettings(
  values: ReadonlyMap<string, Found>,
  at: <K extends keyof Values>(key: K) => Values[K],
): Settings['hooks'] {
  const hooks = new Map<HookName, HookSetting>()
  for (const name of HOOK_NAMES) {
    const run = at(`hooks.${name}.run`)
    if (run === undefined) continue
    const on = at(`hooks.${name}.on`) ?? 'container'
    // also where it only moves a command of the user's out of the container
    const fromProject = isProjects(values, `hooks.${name}.run`) || isProjects(values, `hooks.${name}.on`)
    hooks.set(name, { run, on, timeout: at(`hooks.${name}.timeout`) ?? '10m', fromProject })
  }
  return hooks
}

/** True for what the project's own file says. */
function isProjects(values: ReadonlyMap<string, Found>, key: string): boolean {
  const origin = values.get(key)?.origin
  return origin?.source === 'file' && origin.scope === 'project'
}

function mapBelow<T>(values: ReadonlyMap<string, Found>, section: string, make: (name: string) => T) {
  return new Map(namesBelow(values, section).map((name) => [name, make(name)]))
}

function namesBelow(values: ReadonlyMap<string, Found>, section: string): readonly string[] {
  const words = [...values.keys()].filter((key) => key.startsWith(`${section}.`)).map((key) => key.split('.')[1] ?? '')
  return [...new Set(words)]
}

function misfit(values: ReadonlyMap<string, Found>, key: string, text: string): NexusError {
  const origin = values.get(key)?.origin
  const place = origin?.source === 'file' ? `${origin.file}:${origin.line}:1: ` : ''
  return new NexusError('CONFIG_INVALID', `${place}${text}.`, {
    hint: 'To see where each value comes from, run `nexus config show --origin`',
    details: { key },
  })
}
