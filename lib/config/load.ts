/**
 * The five layers, later ones win: system file, user file, project file, flags, variables. Every value keeps where it
 * came from. Nothing but Node is loaded while no file exists: most commands need only the defaults.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { Entry, FileScope } from './file.ts'
import { findKey, KEYS, type KeySpec } from './keys.ts'
import { buildSettings, type Settings } from './settings.ts'
import { holdsPath } from './types.ts'

export type { Settings } from './settings.ts'

export type Origin =
  | { readonly source: 'default' }
  | { readonly source: 'file'; readonly file: string; readonly line: number }
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
  /** `text` when it is known already (read from a commit); else the file is read. */
  readonly project: { readonly file: string; readonly text?: string } | undefined
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
  'NEXUS_KEEP_FAILED',
  'NEXUS_CODE_CACHE',
])

/** @throws {NexusError} CONFIG_INVALID with file, line and column, or with the flag or variable */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const values = new Map<string, Setting>()
  for (const spec of KEYS) {
    if (spec.default !== undefined && !spec.key.includes('*'))
      values.set(spec.key, { value: spec.default, origin: { source: 'default' } })
  }
  const [system, user, project] = await Promise.all([
    readLayer(sources.systemFile, 'system', undefined),
    readLayer(sources.user?.file ?? sources.userFile, 'user', sources.user?.text),
    sources.project === undefined ? undefined : readLayer(sources.project.file, 'project', sources.project.text),
  ])
  for (const layer of [system, user, project]) {
    for (const [key, { value, line }] of layer?.entries ?? []) {
      const file = layer?.file ?? ''
      values.set(key, {
        value: resolvePaths(key, value, dirname(file), sources.env),
        origin: { source: 'file', file, line },
      })
    }
  }
  const warnings = [...applyFlags(sources, values), ...applyVariables(sources, values)]
  return { settings: buildSettings(values), values, warnings }
}

async function readLayer(file: string, scope: FileScope, known: string | undefined) {
  const text = known ?? (await readText(file))
  if (text === undefined) return undefined
  const { parseConfigFile } = await import('./file.ts')
  const entries: ReadonlyMap<string, Entry> = parseConfigFile(file, text, scope)
  return { file, entries }
}

/** @throws {NexusError} CONFIG_INVALID for a file that is there and cannot be read */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new NexusError('CONFIG_INVALID', `${file} cannot be read: ${code ?? 'unknown reason'}.`, {
      hint: `To see what it is, run \`ls -ld ${file}\``,
      cause: error,
    })
  }
}

function applyFlags({ flags, flagNames, env }: ConfigSources, values: Map<string, Setting>): readonly string[] {
  for (const [key, text] of Object.entries(flags)) {
    const name = flagNames[key] ?? key
    values.set(key, {
      value: resolvePaths(key, parseText(key, text, name), process.cwd(), env),
      origin: { source: 'flag', name },
    })
  }
  return []
}

function applyVariables({ env, flagNames }: ConfigSources, values: Map<string, Setting>): readonly string[] {
  const specs = new Map(KEYS.flatMap((spec) => (spec.variable === undefined ? [] : [[spec.variable, spec] as const])))
  const warnings: string[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('NEXUS_') || name.startsWith('NEXUS_WS_') || OTHER_VARIABLES.has(name) || text === undefined)
      continue
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
  const near = nearest(name, known)
  return `the variable ${name} is not known${near === undefined ? '' : `; the nearest one is ${near}`}`
}

function parseText(key: string, text: string, name: string): unknown {
  const outcome = requireKey(key).type.parse(text)
  if ('value' in outcome) return outcome.value
  throw new NexusError('CONFIG_INVALID', `${name}=${JSON.stringify(text)} cannot be used: it ${outcome.problem}.`, {
    hint: `To see what holds now, run \`nexus config show --origin\``,
    details: { name, value: text, key },
  })
}

/** @throws {NexusError} CONFIG_INVALID for a key that is not in the table, with the nearest one */
export function requireKey(key: string): KeySpec {
  const spec = findKey(key)
  if (spec !== undefined) return spec
  const near = nearest(
    key,
    KEYS.map((one) => one.key),
  )
  throw new NexusError('CONFIG_INVALID', `There is no configuration key ${JSON.stringify(key)}.`, {
    hint:
      near === undefined
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
