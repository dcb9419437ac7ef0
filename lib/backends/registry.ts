/**
 * The provider registry: backend names and how each is made. A backend's code is loaded only when it is used.
 */
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'
import type { Backend } from './backend.ts'
import type { BackendContext, VersionsContext } from './context.ts'

interface Row {
  create(context: BackendContext): Promise<Backend>
  /** Of the tools that it works with, by name; null for one that does not answer. */
  versions?(context: VersionsContext): Promise<Versions>
}

type Versions = Readonly<Record<string, string | null>>

const ROWS: Readonly<Record<string, Row>> = {
  docker: {
    create: async (context) => (await import('./docker/backend.ts')).createDockerBackend(context),
    versions: async (context) => (await import('./docker/engine.ts')).dockerVersions(context),
  },
  mock: { create: async (context) => (await import('./mock/backend.ts')).createMockBackend(context) },
}

export function backendNames(): readonly string[] {
  return Object.keys(ROWS)
}

/** @throws {NexusError} INVALID_ARGUMENT for a name that is not registered */
export function requireBackendName(name: string): string {
  if (Object.hasOwn(ROWS, name)) return name
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
  const row = ROWS[requireBackendName(name)]
  if (row === undefined) throw new Error(`no factory for ${name}`)
  return row.create(context)
}

/** Of the tools that backends work with; asked without a home, which need not be there. */
export async function toolVersions(context: VersionsContext): Promise<Versions> {
  const asked = Object.values(ROWS).map(({ versions }) => versions?.(context))
  return Object.assign({}, ...(await Promise.all(asked)))
}
