/** Mounts of the service that a workspace works in, which must not lie over what Nexus has there. Pure. */
import { NexusError } from '../core/errors.ts'
import { coveredPlace } from '../core/places-inside.ts'
import type { StackRecord } from '../core/workspace.ts'
import type { ComposeModel, ComposeService, ModelFields } from './model.ts'

/** @throws {NexusError} CONFIG_INVALID */
export function requireFreePlaces({ base, main }: StackRecord, model: ComposeModel): void {
  if (base.kind !== 'service') return
  for (const [path, target] of mountsOf(main, model, new Set())) {
    const place = coveredPlace(target)
    if (place === undefined) continue
    const what = place === target ? '' : `, which covers ${place}`
    throw new NexusError(
      'CONFIG_INVALID',
      `${path} mounts something at ${target}${what}: Nexus starts the workspace from there.`,
      {
        hint: `To work in a container beside that service, run \`nexus config unset --project workspace.service\``,
        details: { path, target, place },
      },
    )
  }
}

type Mount = readonly [path: string, target: string]

/** With those that it takes from other services. */
function mountsOf(name: string, model: ComposeModel, seen: Set<string>): readonly Mount[] {
  const service = model.services[name]
  if (service === undefined || seen.has(name)) return []
  seen.add(name)
  const others = textsOf(service.volumes_from).flatMap((text) => mountsOf(text.split(':')[0] ?? '', model, seen))
  return [...ownMounts(`services.${name}`, service), ...others]
}

function ownMounts(at: string, service: ComposeService): readonly Mount[] {
  const { volumes = [], tmpfs, configs, secrets, devices } = service
  const uses = (value: unknown, folder: string) =>
    itemsOf(value).map(({ source, target }) => `${folder}${String(target ?? source)}`.replace(/^.*\/\//, '/'))
  const all: Readonly<Record<string, readonly string[]>> = {
    volumes: volumes.map(({ target }) => target),
    tmpfs: textsOf(tmpfs).map((text) => text.split(':')[0] ?? ''),
    configs: uses(configs, '/'),
    secrets: uses(secrets, '/run/secrets/'),
    devices: itemsOf(devices).map(({ target }) => String(target)),
  }
  return Object.entries(all).flatMap(([key, targets]) => targets.map((target): Mount => [`${at}.${key}`, target]))
}

function itemsOf(value: unknown): readonly ModelFields[] {
  return (Array.isArray(value) ? value : []).map((item) => (typeof item === 'string' ? { source: item } : item))
}

function textsOf(value: unknown): readonly string[] {
  return [value ?? []].flat().filter((item) => typeof item === 'string')
}
