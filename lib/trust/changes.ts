/**
 * Compares a workspace's files with what the user chose at create. An agent writes the compose files and the
 * configuration of its workspace, so a difference is a wish. This is an allow-list: a difference that only narrows, or
 * gives nothing new, is taken unasked. Everything else is a finding for the user. Pure.
 */

import { type ComposeModel, type Finding, type ModelFields, plainTexts } from '../stack/model.ts'
import { makeFinding } from './findings.ts'

/** What was asked for when the user chose, or what is asked for now. */
export interface Choice {
  /** What the project's own file says, by dotted key; hooks inside the workspace are left out. */
  readonly settings: ModelFields
  /** What the workspace's own container is made from. */
  readonly base: unknown
  /** The service to work in, where that is one of the project's. */
  readonly main: string | null
  /** The services that run, with what stands beside them; null without compose files. */
  readonly model: ModelFields | null
  /** Hash of each Dockerfile that a rebuild would use. */
  readonly files: Readonly<Record<string, string>>
}

export interface Changes {
  /** For the user's approval. */
  readonly asked: readonly Finding[]
  /** Paths of what is taken unasked. */
  readonly taken: readonly string[]
}

interface Difference {
  readonly at: readonly string[]
  readonly before: unknown
  readonly after: unknown
  /** It is of a service that was not there. */
  readonly isNew?: boolean
}

export interface ChoiceOptions {
  /** Variables of this machine may stand in the files. */
  readonly passes: boolean
  /** Removes secrets from a value before it is shown. */
  readonly hide?: (value: string) => string
}

export const NOTHING_CHOSEN: Choice = { settings: {}, base: { kind: 'default' }, main: null, model: null, files: {} }

/** @param chosen undefined: nothing is known, so that all that is there counts as changed */
export function changesSince(chosen: Choice | undefined, now: Choice, { passes, hide }: ChoiceOptions): Changes {
  const before = chosen ?? NOTHING_CHOSEN
  const settings = differences([], before.settings, now.settings).map((one) => {
    return { one, why: reasonForSetting(one, now.settings) }
  })
  const own = now.main === before.main ? now.main : null
  const model = modelDifferences(before.model, now.model).map((one) => ({ one, why: reason(one, own, passes) }))
  const made = { at: ['workspace'], before: before.base, after: now.base }
  const base = stable(before.base) === stable(now.base) ? [] : [{ one: made, why: WHY.base }]
  const files = differences([], before.files, now.files).map((one) => {
    return { one, why: one.after === undefined ? undefined : WHY.dockerfile }
  })
  const all = [...settings, ...base, ...model, ...files]
  const shown = (one: Difference) => hide?.(told(one)) ?? told(one)
  const asked = all.flatMap(({ one, why }) => (why === undefined ? [] : [makeFinding(pathOf(one), shown(one), why)]))
  return { asked, taken: [...new Set(all.filter(({ why }) => why === undefined).map(({ one }) => pathOf(one)))] }
}

const WHY = {
  base: 'makes the workspace from something else',
  dockerfile: 'is built from, and a build reads any image of this machine',
  fallback: 'is not as it was when you chose it',
} as const

/** Of services and of what stands beside them, by the key that says most. */
const REASONS: Readonly<Record<string, string>> = {
  image: 'runs, and reads, another image of this machine',
  build: 'builds another image',
  user: 'runs as another user',
  volumes: 'reads or writes another place',
  ports: 'is published on this machine',
  sysctls: 'changes a setting of the kernel',
  networks: 'is on another network',
  secrets: 'gets a secret',
  configs: 'gets another file',
  command: 'runs something else, with all that this service has',
  entrypoint: 'runs something else, with all that this service has',
  environment: 'can make this service run something else',
  healthcheck: 'runs something else, with all that this service has',
  cap_add: 'gets more rights',
  devices: 'uses a device of this machine',
}

/** Whether a path is this one, where `*` stands for any name; with `below`, or leads further down from it. */
function isAt(at: readonly string[], pattern: string, below: boolean): boolean {
  const words = pattern.split(' ')
  const fits = below ? words.length <= at.length : words.length === at.length
  return fits && words.every((word, i) => word === '*' || word === at[i])
}

const isAmong = (at: readonly string[], patterns: readonly string[], below = false) =>
  patterns.some((pattern) => isAt(at, pattern, below))

/** They decide when and how long something runs or is checked, not what runs. */
const FREE = [
  ...['attach', 'depends_on', 'develop', 'expose', 'profiles', 'stdin_open', 'tty'],
  ...['interval', 'timeout', 'retries', 'start_period', 'start_interval'].map((word) => `healthcheck ${word}`),
].map((word) => `services * ${word}`)

/** In the service to work in these run as the user inside, who can run anything there. */
const FREE_IN_MAIN = ['command', 'entrypoint', 'healthcheck', 'working_dir']

/** May be removed: each of these gives something. */
const MAY_GO = [
  ...['services *', 'networks *', 'volumes *', 'secrets *', 'configs *'],
  'services * networks *',
  ...['cap_add', 'configs', 'devices', 'gpus', 'group_add', 'networks', 'ports', 'secrets', 'volumes'].map(
    (word) => `services * ${word}`,
  ),
]
/** May be added: each of these takes something away. */
const MAY_COME = ['services * cap_drop']
/** May change from false to true. */
const MAY_SHUT = ['services * read_only', 'networks * internal']

/** A lower one of these takes something away. Those in the second list count as unlimited where they are not given. */
const LOWER = ['scale', 'deploy replicas', 'shm_size'].map((word) => `services * ${word}`)
const LOWER_OR_NEW = [
  ...['cpus', 'mem_limit', 'pids_limit'],
  ...['cpus', 'memory', 'pids'].map((word) => `deploy resources limits ${word}`),
].map((word) => `services * ${word}`)

/** Undefined: it is taken unasked. */
function reason({ at, before, after, isNew }: Difference, main: string | null, passes: boolean): string | undefined {
  const [part = '', name, key] = at
  const word = part === 'services' ? (key ?? '') : part
  const why = Object.hasOwn(REASONS, word) ? (REASONS[word] ?? '') : WHY.fallback
  // all of a new service is told, as the rest of it says what that comes to
  if (isNew === true) return why
  // extensions mean nothing to compose
  if (at.some((word, i) => (i === 0 || i === 2) && word.startsWith('x-'))) return undefined
  if (after === undefined && isAmong(at, MAY_GO)) return undefined
  if (before === undefined && isAmong(at, MAY_COME)) return undefined
  if (after === true && !before && isAmong(at, MAY_SHUT)) return undefined
  if (isLower(at, before, after) || isAmong(at, FREE, true)) return undefined
  if (part !== 'services' || main === null || name !== main) return why
  if (FREE_IN_MAIN.includes(key ?? '')) return undefined
  // it would bring in variables of this machine
  return key === 'environment' && !passes ? undefined : why
}

function isLower(at: readonly string[], before: unknown, after: unknown): boolean {
  const [was, now] = [numberOf(before), numberOf(after)]
  if (now === undefined || now <= 0) return false
  const unlimited = before === undefined || (was !== undefined && was <= 0)
  if (isAmong(at, LOWER_OR_NEW)) return unlimited || (was !== undefined && now < was)
  return isAmong(at, LOWER) && was !== undefined && now < was
}

function numberOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && (typeof value !== 'string' || !/^\d+(\.\d+)?$/.test(value))) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

/** Fixed when a workspace is made, bounded by what it has, or able to tighten alone. */
const FREE_SETTINGS: ReadonlySet<string> = new Set([
  ...['defaults.backend', 'defaults.idle_timeout', 'git.mode', 'isolation', 'network.mode', 'sudo'],
  ...['ssh.forward_agent', 'ssh.injection.enabled', 'ssh.injection.include_agent_keys'],
  ...['workspace.name', 'workspace.display_name', 'workspace.cpus', 'workspace.memory', 'workspace.pids'],
])
/** Lists whose items may go. */
const SHORTER: ReadonlySet<string> = new Set([
  ...['services', 'caches', 'compose.profiles', 'worktree.copy', 'worktree.templates'],
])
/** Entries that may be removed whole only: half an entry may allow more. */
const ENTRIES = /^((?:hooks|secrets|ports)\.[^.]+)\./

function reasonForSetting({ at, after }: Difference, now: ModelFields): string | undefined {
  const [key = ''] = at
  if (FREE_SETTINGS.has(key)) return undefined
  if (after !== undefined) return `is said by the project's own configuration file`
  if (SHORTER.has(key)) return undefined
  const [, entry] = ENTRIES.exec(key) ?? []
  const isWhole = entry !== undefined && !Object.keys(now).some((other) => other.startsWith(`${entry}.`))
  return isWhole ? undefined : `is said no more by the project's own configuration file`
}

function modelDifferences(before: ModelFields | null, after: ModelFields | null): readonly Difference[] {
  const parts = namesOf(before ?? {}, after ?? {})
  return parts.flatMap((part) => {
    const [old, fresh] = [fieldOf(before ?? {}, part), fieldOf(after ?? {}, part)]
    const [was, now] = [old ?? {}, fresh ?? {}]
    if (!isFields(was) || !isFields(now)) return differences([part], old, fresh)
    return namesOf(was, now).flatMap((name) => {
      const isNew = part === 'services' && !Object.hasOwn(was, name)
      return isNew ? newService(name, now[name]) : differences([part, name], fieldOf(was, name), fieldOf(now, name))
    })
  })
}

/** Told key by key. */
function newService(name: string, service: unknown): readonly Difference[] {
  const said = isFields(service) ? Object.entries(service).filter(([, value]) => value !== null) : []
  const at = ['services', name]
  if (said.length === 0) return [{ at, before: undefined, after: service ?? null, isNew: true }]
  return said.map(([key, value]) => ({ at: [...at, key], before: undefined, after: value, isNew: true }))
}

/** Arrays in which the order counts. */
const ORDERED: ReadonlySet<string> = new Set(['command', 'entrypoint', 'test'])

function differences(at: readonly string[], before: unknown, after: unknown): readonly Difference[] {
  const key = at.at(-1) ?? ''
  // compose writes null where nothing is said
  const absent = key === 'command' || key === 'entrypoint' ? undefined : null
  const [was, now] = [before === null ? absent : before, after === null ? absent : after]
  if (stable(was) === stable(now)) return []
  if (isFields(was) && isFields(now))
    return namesOf(was, now).flatMap((name) => differences([...at, name], fieldOf(was, name), fieldOf(now, name)))
  if (Array.isArray(was) && Array.isArray(now) && !ORDERED.has(key)) return itemDifferences(at, was, now)
  return [{ at, before: was, after: now }]
}

/** What came and what went; a mount that only became read-only did not come. */
function itemDifferences(
  at: readonly string[],
  was: readonly unknown[],
  now: readonly unknown[],
): readonly Difference[] {
  const [old, fresh] = [new Set(was.map(stable)), new Set(now.map(stable))]
  const shut = at[2] === 'volumes' ? was.filter(isFields).map((item) => stable({ ...item, read_only: true })) : []
  const came = now.filter((item) => !old.has(stable(item)) && !shut.includes(stable(item)))
  const went = was.filter((item) => !fresh.has(stable(item)))
  return [
    ...came.map((item) => ({ at, before: undefined, after: item })),
    ...went.map((item) => ({ at, before: item, after: undefined })),
  ]
}

function pathOf({ at }: Difference): string {
  return at.join('.')
}

/** Two differences at one path never read alike, because the user approves the hash of these words. */
function told({ before, after }: Difference): string {
  if (before === undefined) return `(new) ${wordOf(after)}`
  return after === undefined ? `(gone) ${wordOf(before)}` : `${wordOf(before)} -> ${wordOf(after)}`
}

/** A text without quotes, unless it could be taken for another value. */
function wordOf(value: unknown): string {
  const isPlain = typeof value === 'string' && /^[\w./<@~][^"]*$/.test(value) && !value.includes(' -> ')
  return isPlain && !/^(null|true|false|[\d.]+)$/.test(value) ? value : JSON.stringify(value)
}

function fieldOf(fields: ModelFields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

function namesOf(one: ModelFields, other: ModelFields): readonly string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].sort()
}

function isFields(value: unknown): value is ModelFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As text that two different values never share, whatever the order of their keys. */
function stable(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(sorted(value))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ['list', ...value.map(sorted)]
  if (!isFields(value)) return value
  return ['fields', ...namesOf(value, {}).map((key) => [key, sorted(value[key])])]
}

/**
 * The model for the comparison: only services that run, with words in place of leased ports, paths and the values of
 * passed variables, which may differ the next time though no file changed.
 */
export function comparable(
  model: ComposeModel,
  active: readonly string[],
  words: ReadonlyMap<string, string>,
): ModelFields {
  const replaced = (text: string) => [...words].reduce((rest, [from, to]) => rest.replaceAll(from, to), text)
  const services = Object.entries(model.services).filter(([name]) => active.includes(name))
  // the project's name is Nexus's
  const { name: _, ...others } = model
  return plainTexts({ ...others, services: Object.fromEntries(services) }, replaced) as ModelFields
}
