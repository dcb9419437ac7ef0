/**
 * The provider registry: backend names and how each is made. A backend's code is loaded only when it is used.
 */
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { Backend } from './backend.ts'
import type { BackendContext } from './context.ts'

const FACTORIES: Readonly<Record<string, (context: BackendContext) => Promise<Backend>>> = {
  docker: async (context) => (await import('./docker/backend.ts')).createDockerBackend(context),
  mock: async (context) => (await import('./mock/backend.ts')).createMockBackend(context),
}

export function backendNames(): readonly string[] {
  return Object.keys(FACTORIES)
}

/** @throws {NexusError} INVALID_ARGUMENT for a name that is not registered */
export function requireBackendName(name: string): string {
  if (Object.hasOwn(FACTORIES, name)) return name
  const near = nearest(name, backendNames())
  throw new NexusError(
    'INVALID_ARGUMENT',
    `There is no backend ${JSON.stringify(name)}; known are ${backendNames().join(', ')}.`,
    {
      hint: `To use ${near ?? 'docker'}, say \`--backend ${near ?? 'docker'}\``,
      details: { backend: name, known: backendNames() },
    },
  )
}

export async function createBackend(name: string, context: BackendContext): Promise<Backend> {
  const factory = FACTORIES[requireBackendName(name)]
  if (factory === undefined) throw new Error(`no factory for ${name}`)
  return factory(context)
}
