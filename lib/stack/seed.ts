/** Which volumes a seed prepares, and the name of the result: a hash of command, inputs, image and variables. Pure. */
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import type { Isolation } from '../core/modes.ts'
import { nearest } from '../core/names.ts'
import type { ComposeService } from './model.ts'
import { engineOf } from './shared.ts'

export interface SeedFacts {
  readonly service: string | undefined
  readonly run: string
  /** Lines that change with the content of the inputs. */
  readonly inputs: readonly string[]
  /** Differs in every workspace, and does not change the data. */
  readonly worktree: string
  /** Agents' workspaces share their seeds among themselves alone. */
  readonly isolation: Isolation
}

export interface Seed {
  readonly hash: string
  readonly service: string
  /** Keys of the service's named volumes. */
  readonly volumes: readonly string[]
}

/** @throws {NexusError} CONFIG_INVALID for a service that is not there or keeps no data in a volume */
export function planSeed(
  { service, run, inputs, worktree, isolation }: SeedFacts,
  services: Readonly<Record<string, ComposeService>>,
): Seed {
  const names = Object.keys(services)
  const chosen = service ?? names.find((name) => engineOf(name, services[name]) !== undefined)
  if (chosen === undefined || !names.includes(chosen)) {
    const what =
      service === undefined ? 'no database is there to prepare' : `there is no service ${JSON.stringify(service)}`
    throw invalid(
      `seed.service: ${what}; there are ${names.join(', ') || 'none'}.`,
      nearest(service ?? '', names) ?? names[0],
    )
  }
  const definition = services[chosen] ?? {}
  const volumes = (definition.volumes ?? []).flatMap(({ type, source }) =>
    type === 'volume' && source !== undefined ? [source] : [],
  )
  if (volumes.length === 0) throw invalid(`seed.service: ${chosen} keeps its data in no named volume.`, chosen)
  // with the values of its variables: the password that prepared data was made with is in the data
  const { image, build, environment, command } = definition
  const whose = isolation === 'agent' ? [isolation] : []
  const cause = JSON.stringify([run, image, build, environment, command, inputs, ...whose]).replaceAll(worktree, '.')
  return { hash: sha256(cause).slice(0, 16), service: chosen, volumes }
}

function invalid(message: string, near: string | undefined): NexusError {
  return new NexusError('CONFIG_INVALID', message, {
    hint: `To name it, run \`nexus config set --project seed.service ${near ?? '<service>'}\``,
    details: { key: 'seed.service' },
  })
}
