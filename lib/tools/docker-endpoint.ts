/**
 * Which engine the docker CLI will talk to, worked out from the environment and the CLI's own files without starting it.
 * Reads only.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '../core/digest.ts'

/** Where the docker CLI will look for the engine, by the environment and the current context; `''` is the default. */
export function engineEndpoint(env: NodeJS.ProcessEnv): string {
  if (env.DOCKER_HOST !== undefined && env.DOCKER_HOST !== '') return env.DOCKER_HOST
  const dir = env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), '.docker')
  const context = env.DOCKER_CONTEXT ?? currentContext(dir)
  if (context === undefined || context === '' || context === 'default') return ''
  return contextEndpoint(dir, context) ?? ''
}

function currentContext(dir: string): string | undefined {
  const file = join(dir, 'config.json')
  if (!existsSync(file)) return undefined
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { currentContext?: string }).currentContext
  } catch {
    // docker itself warns about a broken config.json and goes on with the default context
    return undefined
  }
}

function contextEndpoint(dir: string, context: string): string | undefined {
  const meta = join(dir, 'contexts', 'meta', sha256(context), 'meta.json')
  if (!existsSync(meta)) return undefined
  const data = JSON.parse(readFileSync(meta, 'utf8')) as { Endpoints?: { docker?: { Host?: string } } }
  return data.Endpoints?.docker?.Host
}

/** Changes when another compose plugin or another engine may answer: what was checked once must be checked again. */
export function toolsFingerprint(env: NodeJS.ProcessEnv): string {
  const endpoint = engineEndpoint(env)
  const socket = endpoint === '' ? '/var/run/docker.sock' : endpoint.replace(/^unix:\/\//, '')
  const home = env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), '.docker')
  const plugins = [home, '/usr/local/lib/docker', '/usr/local/libexec/docker', '/usr/lib/docker', '/usr/libexec/docker']
  const files = [socket, ...plugins.map((dir) => join(dir, 'cli-plugins', 'docker-compose'))]
  const stats = files.map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat === undefined ? '-' : `${stat.ino}:${Math.floor(stat.ctimeMs)}`
  })
  return [endpoint, findProgram('docker', env.PATH ?? ''), ...stats].join('|')
}

function findProgram(name: string, path: string): string {
  return path.split(':').find((dir) => existsSync(join(dir, name))) ?? ''
}
