/**
 * Which engine the docker CLI will talk to, worked out from the environment and the CLI's own files without starting
 * it. Reads only.
 */

import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import { findProgram, isProgram } from '../system/programs.ts'
import { readPlain } from '../system/read.ts'

/** Where the docker CLI will look for the engine, by the environment and the current context; `''` is the default. */
export function engineEndpoint(env: NodeJS.ProcessEnv): string {
  if (env.DOCKER_HOST !== undefined && env.DOCKER_HOST !== '') return env.DOCKER_HOST
  const dir = configFolder(env)
  const context = env.DOCKER_CONTEXT ?? readConfig(dir).currentContext
  if (context === undefined || context === '' || context === 'default') return ''
  return contextEndpoint(dir, context) ?? ''
}

interface CliConfig {
  readonly currentContext?: string
  readonly cliPluginsExtraDirs?: readonly string[]
}

/** Never a relative path: the current folder may be a stranger's, and no child gets such a variable. */
function configFolder(env: NodeJS.ProcessEnv): string {
  const given = env.DOCKER_CONFIG
  return given !== undefined && isAbsolute(given) ? given : join(env.HOME ?? homedir(), '.docker')
}

function readConfig(dir: string): CliConfig {
  try {
    return JSON.parse(readPlain(join(dir, 'config.json'))?.toString() ?? '{}') as CliConfig
  } catch {
    // docker itself warns about a broken config.json and goes on with the default context
    return {}
  }
}

function contextEndpoint(dir: string, context: string): string | undefined {
  const meta = join(dir, 'contexts', 'meta', sha256(context), 'meta.json')
  const data = JSON.parse(readPlain(meta)?.toString() ?? '{}') as { Endpoints?: { docker?: { Host?: string } } }
  return data.Endpoints?.docker?.Host
}

/** Changes when another compose plugin or another engine may answer: what was checked once must be checked again. */
export function toolsFingerprint(env: NodeJS.ProcessEnv): string {
  const endpoint = engineEndpoint(env)
  const socket = endpoint === '' ? '/var/run/docker.sock' : endpoint.replace(/^unix:\/\//, '')
  const stats = [socket, ...composeCandidates(env)].map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat === undefined ? '-' : `${stat.ino}:${Math.floor(stat.ctimeMs)}`
  })
  return [endpoint, findProgram(['docker'], env) ?? '', ...stats].join('|')
}

/**
 * The compose plugin that `docker compose` would start. Started directly it is the same program with the same words and
 * contexts, without the CLI's own start and its look at every plugin: about 40 ms less for each command.
 */
export function findComposePlugin(env: NodeJS.ProcessEnv): string | undefined {
  return composeCandidates(env).find(isProgram)
}

/** In the CLI's own order (cli-plugins/manager). */
function composeCandidates(env: NodeJS.ProcessEnv): readonly string[] {
  const home = configFolder(env)
  const system = ['/usr/local/lib/docker', '/usr/local/libexec/docker', '/usr/lib/docker', '/usr/libexec/docker']
  const folders = [
    ...(readConfig(home).cliPluginsExtraDirs ?? []),
    ...[home, ...system].map((dir) => `${dir}/cli-plugins`),
  ]
  return folders.filter((dir) => isAbsolute(dir)).map((dir) => join(dir, 'docker-compose'))
}

const PLUGIN_MINIMUM = [2, 24, 4] as const

/** Of the engine and its compose plugin, as they tell them. */
export interface ToolVersions {
  readonly engine: string
  readonly compose: string
}

/** @throws {NexusError} TOOL_MISSING when the compose plugin is older than what the generated files need */
export function requireComposeVersion(version: string): void {
  if (isFrom(version, PLUGIN_MINIMUM)) return
  const wanted = PLUGIN_MINIMUM.join('.')
  throw new NexusError('TOOL_MISSING', `The docker compose plugin is ${version}; Nexus needs ${wanted} or newer.`, {
    hint: 'To see what else is too old, run `nexus doctor`',
    details: { version, wanted },
  })
}

/** An older engine mounts the whole volume and says nothing; an older plugin does not hand the path on. */
const SUBPATHS = { engine: [26, 0, 0], compose: [2, 26, 0] } as const

/** @throws {NexusError} UNSUPPORTED where the engine cannot mount a path of a volume */
export function requireSubpaths(
  { name, isolation }: { readonly name: string; readonly isolation: string },
  versions: ToolVersions,
): void {
  const { engine, compose } = versions
  if (isFrom(engine, SUBPATHS.engine) && isFrom(compose, SUBPATHS.compose)) return
  const isAgent = isolation === 'agent'
  const what = isAgent ? 'isolation "agent"' : 'git mode "private"'
  throw new NexusError(
    'UNSUPPORTED',
    `The compose files mount files of the worktree, which ${what} can guard with Docker 26 and compose 2.26 only; here are ${engine} and ${compose}.`,
    {
      hint: isAgent
        ? 'To use it, update Docker and its compose plugin; `nexus doctor` tells what is here'
        : `To use it without that, run \`nexus up ${name} --git-mode shared\` under a new name`,
      details: { engine, compose },
    },
  )
}

function isFrom(version: string, minimum: readonly number[]): boolean {
  const parts = version.replace(/^v/, '').split(/[.+-]/).map(Number)
  for (const [i, least] of minimum.entries()) {
    const part = parts[i] ?? 0
    if (part > least) return true
    if (part < least || Number.isNaN(part)) return false
  }
  return true
}
