/**
 * What a guarded workspace can reach, as the user decides it at create and while it runs, and what was refused. Nothing inside
 * can decide it: the list lies in the record, and the gate reads a copy of it that it cannot write.
 */
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { NetworkMode } from '../../core/modes.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { expandAllowed, hasGate, type RefusedRequest } from '../../network/network.ts'
import { REGISTRIES } from '../../network/network-presets.ts'
import type { App } from '../app.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import type { Guards } from '../trust/isolation.ts'

export interface NetworkAnswer {
  readonly workspace: string
  readonly mode: NetworkMode
  /** Hosts that can be reached; empty where all or none can. */
  readonly allow: readonly string[]
}

export interface NetworkChange {
  readonly verb: 'allow' | 'deny'
  /** Hosts or presets. */
  readonly words: readonly string[]
  readonly dryRun: boolean
}

/** Presets are resolved now: what they come to mean later changes no workspace that is there. */
export async function allowedAtCreate(
  app: App,
  { network }: Guards,
  words: readonly string[],
): Promise<Pick<WorkspaceRecord, 'networkAllow'>> {
  if (network !== 'allowlist') return {}
  const networkAllow = await resolveWords(app, words)
  if (networkAllow.length === 0) {
    app.emit({
      type: 'notice',
      text: 'nothing outside can be reached from it; `nexus network allow` lets hosts through',
    })
  }
  return { networkAllow }
}

async function resolveWords(app: App, words: readonly string[]): Promise<readonly string[]> {
  const registries = words.includes(REGISTRIES)
    ? await (await import('../../tools/registries.ts')).listRegistries(app.runner, app.env)
    : []
  return expandAllowed(words, registries)
}

export function showNetwork({ name, network = 'open', networkAllow = [] }: WorkspaceRecord): NetworkAnswer {
  return { workspace: name, mode: network, allow: networkAllow }
}

/**
 * Changes the list of a workspace and, where it runs, what its gate does. What is denied ends at once.
 * @throws {NexusError} INVALID_ARGUMENT for a host that cannot be let through, or that is not on the list; UNSUPPORTED where no
 * list counts
 */
export async function changeNetwork(app: App, found: WorkspaceRecord, change: NetworkChange): Promise<NetworkAnswer> {
  const hosts = await resolveWords(app, change.words)
  return exclusively(app, found.id, async (locked) => {
    const record = requireThere(locked, found)
    if (record.network !== 'allowlist') throw noList(record)
    const backend = await app.backend(record.backend)
    const network = await requireFacet(app, backend, 'guards', 'networks with a list of hosts')
    const present = record.networkAllow ?? []
    const networkAllow = change.verb === 'allow' ? union(present, hosts) : without(present, hosts)
    const changed = { ...record, networkAllow }
    if (change.dryRun) return showNetwork(changed)
    await app.records.save(changed)
    await network.apply(changed, change.verb === 'deny')
    return showNetwork(changed)
  })
}

function union(present: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...present, ...more])]
}

function without(present: readonly string[], hosts: readonly string[]): readonly string[] {
  if (hosts.some((host) => present.includes(host))) return present.filter((host) => !hosts.includes(host))
  throw new NexusError('INVALID_ARGUMENT', `${hosts.join(', ')} is not on the list of what can be reached.`, {
    hint: 'To see what can be reached, run `nexus network show <name>`',
    details: { allow: present },
  })
}

function noList({ name, network = 'open' }: WorkspaceRecord): NexusError {
  const why = network === 'open' ? 'from which everything can be reached' : 'from which nothing can be reached'
  return new NexusError('UNSUPPORTED', `${name} has the network "${network}", ${why}; that is fixed at create.`, {
    hint: `To have one with a list of hosts, run \`nexus up ${name}-2 --network allowlist\``,
    details: { network },
  })
}

/** The newest last. @throws {NexusError} UNSUPPORTED where nothing is refused */
export async function listRefusals(app: App, record: WorkspaceRecord): Promise<readonly RefusedRequest[]> {
  if (!hasGate(record)) throw noList(record)
  return (await (await app.backend(record.backend)).network?.refusals(record)) ?? []
}
