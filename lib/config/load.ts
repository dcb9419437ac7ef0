/**
 * The five layers, later ones win: system file, user file, project file, flags, variables. Every value keeps where it
 * came from. Nothing but Node is loaded while no file exists: most commands need only the defaults.
 */
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { FileEntry, FileScope } from './file.ts'
import { entryOf, findKey, KEYS, nearestKey } from './keys.ts'
import { nameKey, quote } from './problem.ts'
import { readText } from './read.ts'
import { buildSettings, type Settings } from './settings.ts'
import { holdsPath, type KeySpec } from './types.ts'

export type { Settings } from './settings.ts'

export type Origin =
  | { readonly source: 'default' }
  | { readonly source: 'file'; readonly file: string; readonly line: number; readonly scope: FileScope }
  | { readonly source: 'flag'; readonly name: string }
  | { readonly source: 'variable'; readonly name: string }

export interface Setting {
  readonly value: unknown
  readonly origin: Origin
}

export interface Config {
  readonly settings: Settings
  /** Every value by its dotted key, defaults too. */
  readonly values: ReadonlyMap<string, Setting>
  readonly warnings: readonly string[]
}

export interface ConfigSources {
  readonly systemFile: string
  readonly userFile: string
  /** In place of `userFile`, when its text is known already. */
  readonly user?: { readonly file: string; readonly text: string }
  /** `text` when it is known already (read from a commit, which `shown` names in messages); else the file is read. */
  readonly project: { readonly file: string; readonly text?: string; readonly shown?: string } | undefined
  /** Dotted key -> text as typed. */
  readonly flags: Readonly<Record<string, string>>
  /** Dotted key -> the flag's own name, such as `--backend`. */
  readonly flagNames: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `NEXUS_*` variables that are not configuration. */
const OTHER_VARIABLES = new Set([
  'NEXUS_HOME',
  'NEXUS_NO_INSTALL',
  'NEXUS_FAILPOINT',
  'NEXUS_STEP_LIMIT',
  'NEXUS_MOCK_WITH',
  'NEXUS_KEEP_FAILED',
  'NEXUS_CODE_CACHE',
])

/** @throws {NexusError} CONFIG_INVALID with file, line and column, or with the flag or variable */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const defaults = KEYS.filter((spec) => spec.default !== undefined && !spec.key.includes('*'))
  let values = new Map<string, Setting>(
    defaults.map((spec) => [spec.key, { value: spec.default, origin: { source: 'default' } }]),
  )
  const [system, user, project] = await Promise.all([
    readLayer(sources.systemFile, 'system', undefined),
    readLayer(sources.user?.file ?? sources.userFile, 'user', sources.user?.text),
    sources.project === undefined
      ? undefined
      : readLayer(sources.project.file, 'project', sources.project.text, sources.project.shown),
  ])
  for (const layer of [system, user, project]) {
    if (layer !== undefined) values = layOver(values, layer, sources.env)
  }
  applyFlags(sources, values)
  const warnings = applyVariables(sources, values)
  return { settings: buildSettings(values), values, warnings }
}

/**
 * An alias or a port of the upper layer replaces the lower one's of that name as a whole, and stands before all others:
 * a project's ports keep their order, whatever the user's file holds.
 */
function layOver(below: Map<string, Setting>, { file, scope, entries }: Layer, env: ConfigSources['env']) {
  const replaced = new Set([...entries.keys()].map(entryOf))
  const plain = [...below].filter(([key]) => entryOf(key) === undefined)
  const others = [...below].filter(([key]) => entryOf(key) !== undefined && !replaced.has(entryOf(key)))
  const above = [...entries].map(([key, { value, line }]): [string, Setting] => [
    key,
    { value: resolvePaths(key, value, dirname(file), env), origin: { source: 'file', file, line, scope } },
  ])
  return new Map([...plain, ...above, ...others])
}

interface Layer {
  readonly file: string
  readonly scope: FileScope
  readonly entries: ReadonlyMap<string, FileEntry>
}

async function readLayer(
  file: string,
  scope: FileScope,
  known: string | undefined,
  shown = file,
): Promise<Layer | undefined> {
  // `<worktree>/.nexus/config.yaml`: a link in a project must not lead out of it
  const limits = scope === 'project' ? { within: dirname(dirname(file)) } : {}
  const text = known ?? (await readText(file, limits))
  if (text === undefined) return undefined
  const { parseConfigFile } = await import('./file.ts')
  return { file, scope, entries: parseConfigFile(shown, text, scope) }
}

function applyFlags({ flags, flagNames, env }: ConfigSources, values: Map<string, Setting>): void {
  for (const [key, text] of Object.entries(flags)) {
    const name = flagNames[key] ?? key
    values.set(key, {
      value: resolvePaths(key, parseText(key, text, name), process.cwd(), env),
      origin: { source: 'flag', name },
    })
  }
}

function applyVariables({ env, flagNames }: ConfigSources, values: Map<string, Setting>): readonly string[] {
  const specs = new Map(KEYS.flatMap((spec) => (spec.variable === undefined ? [] : [[spec.variable, spec] as const])))
  const warnings: string[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('NEXUS_') || name.startsWith('NEXUS_WS_') || OTHER_VARIABLES.has(name)) continue
    // an empty one is how a shell or a CI file takes a variable back
    if (text === undefined || text === '') continue
    const spec = specs.get(name)
    if (spec === undefined) {
      warnings.push(unknownVariable(name, [...specs.keys()]))
      continue
    }
    const before = values.get(spec.key)?.origin
    if (before?.source === 'flag') {
      warnings.push(
        `the variable ${name} overrides the flag ${flagNames[spec.key] ?? before.name}, as variables stand above flags`,
      )
    }
    values.set(spec.key, {
      value: resolvePaths(spec.key, parseText(spec.key, text, name), process.cwd(), env),
      origin: { source: 'variable', name },
    })
  }
  return warnings
}

function unknownVariable(name: string, known: readonly string[]): string {
  const near = name.length > 100 ? undefined : nearest(name, known)
  return `the variable ${nameKey(name)} is not known${near === undefined ? '' : `; the nearest one is ${near}`}`
}

function parseText(key: string, text: string, name: string): unknown {
  const outcome = requireKey(key).type.parse(text)
  if ('value' in outcome) return outcome.value
  throw new NexusError('CONFIG_INVALID', `${name}=${quote(text)} cannot be used: it ${outcome.problem}.`, {
    hint: `To see what holds now, run \`nexus config show --origin\``,
    details: { name, value: text, key },
  })
}

/** @throws {NexusError} CONFIG_INVALID for a key that is not in the table, with the nearest one */
export function requireKey(key: string): KeySpec {
  const spec = findKey(key)
  if (spec !== undefined) return spec
  const near = nearestKey(key)
  throw new NexusError('CONFIG_INVALID', `There is no configuration key ${quote(key)}.`, {
    hint:
      near === undefined || findKey(near) === undefined
        ? 'To see the keys, run `nexus config show`'
        : `To read the nearest one, run \`nexus config get ${near}\``,
    details: { key },
  })
}

/** `~/x` is the user's, a relative path starts at the folder of its file. */
function resolvePaths(key: string, value: unknown, base: string, env: ConfigSources['env']): unknown {
  const spec = findKey(key)
  if (spec === undefined || !holdsPath(spec.type)) return value
  const home = env.HOME ?? homedir()
  const one = (path: string) =>
    path === '~'
      ? home
      : path.startsWith('~/')
        ? join(home, path.slice(2))
        : isAbsolute(path)
          ? path
          : resolve(base, path)
  return Array.isArray(value) ? value.map((item) => one(String(item))) : one(String(value))
}
