/**
 * The configuration's keys: one table that the validator, the variables, the published JSON Schema, `config show` and
 * completion are made from. A `*` stands for a name that the user chooses.
 */
import { nearest } from '../core/names.ts'
import { quote } from './problem.ts'
import { arrayOf, types, type ValueType } from './types.ts'

/** Which files may set a key. A project's file comes from a cloned repository and is not trusted with all of them. */
export type Scope = 'any' | 'user' | 'project'

export interface KeySpec {
  readonly key: string
  readonly type: ValueType
  readonly scope: Scope
  /** The only value that a project's file may give: it may tighten, never loosen. */
  readonly projectMaySet?: unknown
  readonly default?: unknown
  /** What has a chosen name is not complete without it. */
  readonly required?: true
  readonly text: string
  /** The variable that sets it; a key with a chosen name has none. */
  readonly variable?: string
}

const port = types.integer(1, 65_535)
const leasable = types.integer(1024, 65_535)

const TABLE: readonly Omit<KeySpec, 'variable'>[] = [
  {
    key: 'defaults.backend',
    type: types.text(1, 40),
    scope: 'any',
    default: 'docker',
    text: 'where workspaces run: docker or mock',
  },
  {
    key: 'defaults.idle_timeout',
    type: types.duration,
    scope: 'any',
    default: '30m',
    text: 'idle time after which a workspace may be stopped: 30m, 1h30m or off',
  },
  {
    key: 'workspaces.*.path',
    type: types.path,
    scope: 'user',
    required: true,
    text: 'the repository that the alias stands for',
  },
  {
    key: 'workspaces.*.ports',
    type: arrayOf(port),
    scope: 'user',
    text: 'container ports that its workspaces publish when the project says nothing',
  },
  {
    key: 'ssh.port_range.start',
    type: leasable,
    scope: 'user',
    default: 32_800,
    text: 'first port that docker workspaces lease',
  },
  {
    key: 'ssh.port_range.end',
    type: leasable,
    scope: 'user',
    default: 34_999,
    text: 'last port that docker workspaces lease',
  },
  {
    key: 'ssh.injection.enabled',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: "let the user's own public keys in, beside Nexus's",
  },
  {
    key: 'ssh.injection.include_agent_keys',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: 'also the public keys that the ssh agent holds',
  },
  {
    key: 'ssh.injection.sources',
    type: arrayOf(types.path),
    scope: 'user',
    default: [],
    text: 'further files with public keys',
  },
  {
    key: 'ssh.forward_agent',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: 'allow the ssh agent to be forwarded',
  },
  {
    key: 'workspace.name',
    type: types.text(1, 100),
    scope: 'project',
    text: "the project's word in names and host names; default: the folder's",
  },
  { key: 'workspace.display_name', type: types.text(1, 200), scope: 'project', text: 'what people see' },
  { key: 'workspace.cpus', type: types.positive, scope: 'any', text: 'at most this many processors' },
  { key: 'workspace.memory', type: types.size, scope: 'any', text: 'at most this much memory, such as 2g' },
  {
    key: 'isolation',
    type: types.choice('standard', 'agent'),
    scope: 'any',
    projectMaySet: 'agent',
    default: 'standard',
    text: 'how much a workspace is trusted',
  },
  {
    key: 'sudo',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: 'let the user inside become root there',
  },
  {
    key: 'worktree_dir',
    type: types.path,
    scope: 'user',
    text: 'folder for worktrees, in place of .worktree in the repository',
  },
  { key: 'ports.*.container', type: port, scope: 'any', required: true, text: 'port inside' },
  {
    key: 'ports.*.host',
    type: leasable,
    scope: 'any',
    text: 'port on this machine that is published besides while it is free; 1024 or above',
  },
  { key: 'ports.*.protocol', type: types.choice('tcp', 'udp'), scope: 'any', default: 'tcp', text: 'tcp or udp' },
]

/** `ssh.port_range.start` -> `NEXUS_SSH_PORT_RANGE_START`; a leading `defaults.` is dropped. */
function variableOf(key: string): string | undefined {
  if (key.includes('*') || key === 'workspace.name' || key === 'workspace.display_name') return undefined
  return `NEXUS_${key
    .replace(/^defaults\./, '')
    .replaceAll('.', '_')
    .toUpperCase()}`
}

export const KEYS: readonly KeySpec[] = TABLE.map((spec) => {
  const variable = variableOf(spec.key)
  return variable === undefined ? spec : { ...spec, variable }
})

/** Names of aliases and ports. */
export const CHOSEN_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/
export const CHOSEN_NAME_MAX = 30
export const RESERVED_PORT = 'ssh'

/** Why a word cannot name an alias or a port; undefined when it can. */
export function chosenNameProblem(parent: string, word: string): string | undefined {
  if (!CHOSEN_NAME.test(word) || word.length > CHOSEN_NAME_MAX) {
    return `${quote(word)} is not a name for ${parent}: lower-case letters, digits and single dashes, at most ${CHOSEN_NAME_MAX}`
  }
  return parent === 'ports' && word === RESERVED_PORT ? `the port name ${RESERVED_PORT} is reserved` : undefined
}

/** The spec of a key as written, such as `ports.web.host`. */
export function findKey(key: string): KeySpec | undefined {
  return KEYS.find((spec) => matches(spec.key, key))
}

function matches(pattern: string, key: string): boolean {
  const wanted = pattern.split('.')
  const words = key.split('.')
  return words.length === wanted.length && wanted.every((word, i) => word === '*' || word === words[i])
}

/** True when keys lie below this one, so that a map belongs here. */
export function isSection(key: string): boolean {
  const depth = key === '' ? 0 : key.split('.').length
  return KEYS.some((spec) => {
    const words = spec.key.split('.')
    return words.length > depth && (depth === 0 || matches(words.slice(0, depth).join('.'), key))
  })
}

/** The next words that may stand below a section; `*` where the user chooses. */
export function wordsBelow(key: string): readonly string[] {
  const depth = key === '' ? 0 : key.split('.').length
  const below = KEYS.filter((spec) => depth === 0 || matches(spec.key.split('.').slice(0, depth).join('.'), key))
  return [...new Set(below.map((spec) => spec.key.split('.')[depth] ?? ''))].filter((word) => word !== '')
}

/** `ports.web` of `ports.web.host`: what the user named, with all that it holds; undefined for other keys. */
export function entryOf(key: string): string | undefined {
  const [section = '', name = ''] = key.split('.')
  return name !== '' && wordsBelow(section).includes('*') ? `${section}.${name}` : undefined
}

/** `web: 3000` is short for `web: {container: 3000}`: the key that a plain value in place of an entry's map stands for. */
export function shortFormOf(key: string): string | undefined {
  const long = `${key}.container`
  return findKey(long) === undefined ? undefined : long
}

/** The last words of the keys that an entry is not complete without. */
export function requiredBelow(entry: string): readonly string[] {
  const [section = ''] = entry.split('.')
  return KEYS.filter((spec) => spec.required && spec.key.startsWith(`${section}.*.`)).map(
    ({ key }) => key.split('.')[2] ?? '',
  )
}

/** The known key or section that a misspelt or misplaced one was probably meant to be. */
export function nearestKey(key: string): string | undefined {
  // nobody misspells at this length, and the distance takes the product of the lengths
  if (key.length > 100) return undefined
  const words = key.split('.')
  const last = words.at(-1) ?? ''
  const parent = words.slice(0, -1).join('.')
  const sibling = nearest(
    last,
    wordsBelow(parent).filter((word) => word !== '*'),
  )
  if (sibling !== undefined) return parent === '' ? sibling : `${parent}.${sibling}`
  const known = KEYS.map((spec) => spec.key)
  const lastOf = (one: string) => one.split('.').at(-1) ?? ''
  const near = nearest(key, known) ?? known.find((one) => lastOf(one) === nearest(last, known.map(lastOf)))
  return near?.replace('*', '<name>')
}
