/**
 * What a backend has, asked by name, and the refusal where it has not. Names and hints follow from the facets and from the
 * registry: nothing here is told of any one backend.
 */
import { NexusError } from '../core/errors.ts'
import type { SshInfo, WorkspaceRecord } from '../core/workspace.ts'
import type { Backend } from './backend.ts'
import { backendNames } from './registry.ts'

/** What a backend may have, by the word that an error has for it. */
const FACETS = {
  worktree: ({ code }: Backend) => (code.kind === 'mounted' ? code : undefined),
  'local-ports': ({ endpoints }: Backend) => endpoints.leased,
  ssh: ({ ssh }: Backend) => ssh,
  pause: ({ pause }: Backend) => pause,
  logs: ({ logs }: Backend) => logs,
  services: ({ services }: Backend) => services,
  'compose-file': ({ stack }: Backend) => stack,
  git: ({ code }: Backend) => (code.kind === 'mounted' ? code.git : undefined),
  guards: ({ network }: Backend) => network,
  housekeeping: ({ upkeep }: Backend) => upkeep,
} as const

export type FacetName = keyof typeof FACETS
export type Facet<Name extends FacetName> = NonNullable<ReturnType<(typeof FACETS)[Name]>>

export const FACET_NAMES = Object.keys(FACETS) as readonly FacetName[]

export function facetOf<Name extends FacetName>(backend: Backend, name: Name): Facet<Name> | undefined {
  return FACETS[name](backend) as Facet<Name> | undefined
}

/** Of all facets, the names of those that it has. */
export function facetsOf(backend: Backend): ReadonlySet<FacetName> {
  return new Set(FACET_NAMES.filter((name) => facetOf(backend, name) !== undefined))
}

/** Makes a backend by its name. */
export interface Backends {
  backend(name: string): Promise<Backend>
}

/** @throws {NexusError} UNSUPPORTED, naming the backend, what it lacks, and those that have it */
export async function requireFacet<Name extends FacetName>(
  backends: Backends,
  backend: Backend,
  name: Name,
  what: string,
): Promise<Facet<Name>> {
  const facet = facetOf(backend, name)
  if (facet !== undefined) return facet
  const others = await Promise.all(backendNames().map((other) => backends.backend(other)))
  const able = others.filter((other) => facetOf(other, name) !== undefined).map((other) => other.name)
  const one = able.length === 1 ? 'the one' : 'one'
  throw new NexusError('UNSUPPORTED', `The backend ${backend.name} does not support ${what}.`, {
    ...(able.length === 0
      ? {}
      : {
          hint: `To use ${one} that does, create the workspace with ${able.map((other) => `\`--backend ${other}\``).join(' or ')}`,
        }),
    details: { backend: backend.name, capability: name },
  })
}

/** For a workspace without an SSH server. */
function noSsh(record: WorkspaceRecord): SshInfo {
  return {
    workspaceId: record.id,
    enabled: false,
    host: null,
    port: null,
    user: 'nexus',
    forwardAgent: false,
    agentMode: 'off',
    connectionCommand: null,
    verifiedCommand: null,
    alias: null,
    hostKeyFingerprint: null,
  }
}

export function sshInfo({ ssh }: Backend, record: WorkspaceRecord): SshInfo {
  return ssh?.info(record) ?? noSsh(record)
}
