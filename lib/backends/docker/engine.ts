/** The engine and its compose plugin: which they are, and whether workspaces can live there. */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { readIfPresent, writeJson } from '../../system/store.ts'
import { createDocker, type Docker } from '../../tools/docker.ts'
import {
  engineEndpoint,
  requireComposeVersion,
  type ToolVersions,
  toolsFingerprint,
} from '../../tools/docker-endpoint.ts'
import type { BackendContext, VersionsContext } from '../context.ts'

/** @throws {NexusError} UNSUPPORTED for an engine of another machine */
export function requireLocal({ env }: Pick<BackendContext, 'env'>): void {
  const endpoint = engineEndpoint(env)
  if (endpoint === '' || endpoint.startsWith('unix://')) return
  throw new NexusError('UNSUPPORTED', `The Docker engine at ${endpoint} is on another machine.`, {
    hint: 'To use the engine of this machine, run `unset DOCKER_HOST` or `docker context use default`',
    details: { endpoint },
  })
}

/**
 * Versions are asked for again only when the engine or the plugin has changed.
 * @throws {NexusError} BACKEND_UNAVAILABLE, UNSUPPORTED
 */
export async function checkVersions(docker: Docker, context: BackendContext): Promise<void> {
  const cache = join(context.home.cache, 'docker.json')
  const fingerprint = toolsFingerprint(context.env)
  if (isCurrent(await readIfPresent(cache), fingerprint)) return
  const [engine, plugin] = await Promise.all([docker.info(), docker.composeVersion()])
  requireComposeVersion(plugin)
  if (engine.rootless) {
    throw new NexusError(
      'UNSUPPORTED',
      'The Docker engine runs rootless, so files made inside would belong to another user.',
      { hint: 'To use an ordinary engine, run `docker context use default`' },
    )
  }
  await writeJson(cache, { schema: 1, fingerprint, engine: engine.version, compose: plugin })
}

/** What answers now; null for what does not. */
export async function dockerVersions({ runner, env }: VersionsContext) {
  const docker = createDocker(runner, env)
  const ask = (what: Promise<string>) =>
    what.catch((error: unknown) => (error instanceof NexusError ? null : Promise.reject(error)))
  const [engine, compose] = await Promise.all([
    ask(docker.info().then((info) => info.version)),
    ask(docker.composeVersion()),
  ])
  return { docker: engine, compose }
}

/** As they were noted when they were checked. */
export async function versionsOf({ home }: BackendContext): Promise<ToolVersions> {
  const text = await readIfPresent(join(home.cache, 'docker.json'))
  const { engine = '', compose = '' } = text === undefined ? {} : (JSON.parse(text) as Partial<ToolVersions>)
  return { engine, compose }
}

function isCurrent(text: string | undefined, fingerprint: string): boolean {
  try {
    return text !== undefined && (JSON.parse(text) as { fingerprint?: string }).fingerprint === fingerprint
  } catch {
    return false // a damaged cache is no cache
  }
}
