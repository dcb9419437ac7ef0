/**
 * The provider registry: backend names and how each is made. A backend's code is loaded only when it is used.
 */
import { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import { nearest } from '../core/names.ts'
import type { HomePaths } from '../core/paths.ts'
import type { Runner } from '../system/exec.ts'
import type { Backend } from './backend.ts'

/** What a backend is made from. */
export interface BackendContext {
  readonly runner: Runner
  readonly home: HomePaths
  /** The random id of this `NEXUS_HOME`; everything a backend creates carries it. */
  readonly instance: string
  readonly env: NodeJS.ProcessEnv
  readonly emit: Emit
  readonly interruption: Interruption
}

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
