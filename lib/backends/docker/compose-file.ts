/**
 * A workspace's docker-compose.yml: the template gives the shape, policy is added as data. With compose files of the
 * project's it includes them unchanged, with an override behind them that has the workspace's own container in it. The file
 * must work by hand, with no Nexus running: `docker compose -f <it> up -d`, `ps`, `logs`, `down`.
 * Pure but for the template engine.
 */
import { dirname, join } from 'node:path'
import includeTemplate from '../../../templates/docker-compose.include.yml.hbs'
import { composeProject } from '../../core/names.ts'
import type { WorkspacePaths } from '../../core/paths.ts'
import { localOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { addGate, restrainServices } from '../../network/gate.ts'
import { hasGate } from '../../network/network.ts'
import { buildArgsOf } from '../../stack/caches.ts'
import { placeServices } from '../../stack/catalogue.ts'
import { holdMounts } from '../../stack/held-mounts.ts'
import { capLimits } from '../../stack/limits.ts'
import { type ComposeModel, type ComposeService, ownNetworks } from '../../stack/model.ts'
import { copiedVolumes } from '../../stack/outside-data.ts'
import { makeOverride } from '../../stack/override.ts'
import { activeServices } from '../../stack/ports.ts'
import { confineServices, formatProfile } from '../../stack/seccomp.ts'
import { requireServices, secretsOf, withSecrets } from '../../stack/secrets.ts'
import { JOINS_LABEL, withoutShared } from '../../stack/shared.ts'
import { nexusVariables } from '../../stack/variables.ts'
import { formatCompose, renderTemplate, type Yaml, type YamlMap } from '../../system/render.ts'
import { wholeLabels, workspaceLabels } from './labels.ts'
import { type ComposeFacts, inPlace, mainService, renderMain, requireStack, volumeDefinitions } from './main-service.ts'
import { MAIN_SERVICE, mainServiceOf } from './observation.ts'
import { sharedProject } from './shared.ts'
import { bindOf, gitFileMounts } from './work-mounts.ts'

export interface ComposeFiles {
  /** Text of `docker-compose.yml`. */
  readonly compose: string
  /** Text of the override that it includes; undefined for a workspace without compose files of the project's. */
  readonly override: string | undefined
  /** Text of the seccomp profile that its services name; undefined but in isolation `agent`. */
  readonly profile: string | undefined
}

/**
 * The compose file, and the override of the project's own files where it has some.
 * @throws {Error} (a bug of ours) when the record has no worktree or an unleased port
 */
export function renderComposeFiles(facts: ComposeFacts): ComposeFiles {
  const { record, model } = facts
  const profile = record.isolation === 'agent' ? formatProfile() : undefined
  if (model === undefined) {
    return { profile, compose: formatCompose(closed(plainModel(facts), facts), header(facts)), override: undefined }
  }
  const data = {
    project: composeProject(record),
    files: projectFiles(record, facts.paths).map(escapeDollar),
    directory: escapeDollar(projectDirectory(record)),
  }
  return {
    profile,
    compose: `${header(facts)}\n${renderTemplate(includeTemplate, data)}`,
    override: formatCompose(closed(stackModel(facts, model), facts), header(facts)),
  }
}

/** With what keeps its services in: the gate, where its network is not open, and in isolation `agent` the seccomp profile. */
function closed(model: YamlMap, facts: ComposeFacts): YamlMap {
  const whole = labelled(guarded(model, facts))
  if (facts.record.isolation !== 'agent') return whole
  const main = mainServiceOf(facts.record)
  const services = confineServices(whole.services as YamlMap, facts.paths.seccompFile, main, facts.model)
  return { ...whole, services }
}

/** No label of an image may pass for one of ours. */
function labelled(model: YamlMap): YamlMap {
  const entries = Object.entries(model.services as Readonly<Record<string, YamlMap>>).map(([name, service]) => {
    const whole = (one: YamlMap) => ({ ...one, labels: { ...wholeLabels(one.labels as Record<string, string>) } })
    const { build } = service as { readonly build?: YamlMap }
    return [name, { ...whole(service), ...(build?.labels === undefined ? {} : { build: whole(build) }) }]
  })
  return { ...model, services: Object.fromEntries(entries) }
}

/** With the gate before it, where its network is not open. */
function guarded(model: YamlMap, facts: ComposeFacts): YamlMap {
  const { record, paths, instance, addresses, gateImage = '' } = facts
  if (!hasGate(record)) return model
  const main = mainServiceOf(record)
  const labels = workspaceLabels(record, instance)
  const gate = { record, image: gateImage, addresses, folder: paths.networkDir, labels, main, model: facts.model }
  return addGate(model, gate, record.subnets?.[Object.keys(model.networks as YamlMap).length])
}

/** Where a service itself publishes: the gate does it for those of a guarded workspace. */
function ownAddresses({ record, addresses }: ComposeFacts): readonly string[] {
  return hasGate(record) ? [] : addresses
}

/**
 * The project's compose files, absolute, and our override behind them. Those of an agent's workspace say what whoever works in it
 * wrote: by hand, too, it is started from what was looked at.
 */
function projectFiles(record: WorkspaceRecord, paths: WorkspacePaths): readonly string[] {
  const own = record.isolation === 'agent' ? [paths.resolvedFile] : composeFilesOf(record)
  return [...own, paths.overrideFile]
}

/** The project's compose files of a workspace, absolute. */
export function composeFilesOf(record: WorkspaceRecord): readonly string[] {
  return (record.docker?.stack?.files ?? []).map((file) => join(localOf(record).worktree, file))
}

/** The folder that relative paths in them start at, which is the first one's, as in Docker. */
export function projectDirectory(record: WorkspaceRecord): string {
  return dirname(composeFilesOf(record)[0] ?? join(localOf(record).worktree, 'compose.yaml'))
}

/** Paths in an include are interpolated. */
function escapeDollar(path: string): string {
  return path.replaceAll('$', '$$$$')
}

function header({ paths }: ComposeFacts): string {
  return [
    `# Generated by Nexus from the record beside it (${paths.record}).`,
    '# It is written again when that changes; to change a workspace, use `nexus` or its configuration.',
  ].join('\n')
}

/** The workspace's own container, and ready services beside it. */
function plainModel(facts: ComposeFacts): YamlMap {
  const { record, instance } = facts
  const model = renderMain(facts)
  const [subnet] = record.subnets ?? []
  const ready = placeReady(facts, ['default'])
  const volumes = { ...ready.volumes, ...volumeDefinitions(facts) }
  return {
    ...model,
    services: hidden({ [MAIN_SERVICE]: mainService(model, facts), ...ready.services }, facts),
    networks: {
      default: {
        labels: { ...workspaceLabels(record, instance) },
        ...(subnet === undefined ? {} : { ipam: { config: [{ subnet }] } }),
      },
    },
    ...(Object.keys(volumes).length === 0 ? {} : { volumes }),
  }
}

function placeReady(facts: ComposeFacts, networks: readonly string[]) {
  const { ready, record, instance } = facts
  const addresses = ownAddresses(facts)
  const labels = workspaceLabels(record, instance)
  const nothing = { services: {}, volumes: {} }
  const placed = placeServices(ready ?? nothing, {
    ports: record.ports,
    addresses,
    labels,
    environment: nexusVariables(record),
    networks,
  })
  if (record.isolation !== 'agent') return placed
  const services = Object.entries(placed.services as Readonly<Record<string, YamlMap>>).map(([name, service]) => {
    return [name, { ...service, ...capLimits(service as ComposeService, record) }]
  })
  return { ...placed, services: Object.fromEntries(services) as YamlMap }
}

/** With the worktree's `.git` file out of their reach. */
function withGitFile(services: YamlMap, { record, model }: ComposeFacts): YamlMap {
  const entries = Object.entries(services).map(([name, service]): [string, Yaml] => {
    const mounts = gitFileMounts(record, name, model).map(bindOf)
    const { volumes = [] } = service as { readonly volumes?: readonly Yaml[] }
    return [name, mounts.length === 0 ? service : { ...(service as YamlMap), volumes: [...volumes, ...mounts] }]
  })
  return Object.fromEntries(entries)
}

/** The second one's fields count, and the mounts of both. */
function withBoth(one: YamlMap, other: YamlMap): YamlMap {
  const volumes = [one.volumes, other.volumes].flatMap((list) => (Array.isArray(list) ? (list as readonly Yaml[]) : []))
  return { ...one, ...other, ...(volumes.length === 0 ? {} : { volumes }) }
}

/** Services with their secrets. @throws {NexusError} CONFIG_INVALID for a secret of a service that is not there */
function hidden(services: YamlMap, { record, secretFolder = '' }: ComposeFacts): YamlMap {
  requireServices(record.secrets ?? [], Object.keys(services))
  const entries = Object.entries(services).map(([name, service]): [string, Yaml] => {
    return [name, withSecrets(service as YamlMap, secretsOf(record, name), secretFolder)]
  })
  return Object.fromEntries(entries)
}

/** The override of the project's files, with the workspace's own container in it. */
function stackModel(facts: ComposeFacts, model: ComposeModel): YamlMap {
  const { record, instance } = facts
  const stack = requireStack(record)
  const networks = ownNetworks(model)
  const joins = stack.shared === undefined ? {} : { [JOINS_LABEL]: sharedProject(instance, record.repo) }
  const override = makeOverride({
    model,
    project: composeProject(record),
    active: new Set(activeServices(model, stack.profiles).keys()),
    ports: record.ports,
    addresses: ownAddresses(facts),
    labels: workspaceLabels(record, instance),
    networkLabels: joins,
    environment: nexusVariables(record),
    layers: facts.layers,
    buildArgs: buildArgsOf(instance, record),
    copied: copiedVolumes(record, model).map(({ key }) => key),
    startInterval: facts.startInterval,
    subnets: new Map(
      networks.map((name, i) => [name, record.subnets?.[i] ?? '']).filter(([, cidr]) => cidr !== '') as [
        string,
        string,
      ][],
    ),
  })
  const services = restrainServices(override.services as YamlMap, record, model, stack.main)
  const own = mainService(renderMain(facts), facts)
  const main: YamlMap =
    stack.base.kind === 'service'
      ? withBoth(services[stack.main] as YamlMap, inPlace(own, model.services[stack.main], facts))
      : { ...own, networks: Object.fromEntries(networks.map((name) => [name, {}])) }
  const ready = placeReady(facts, networks)
  const all = hidden(withGitFile({ ...services, [stack.main]: main, ...ready.services }, facts), facts)
  const volumes = { ...(override.volumes as YamlMap), ...ready.volumes, ...volumeDefinitions(facts) }
  if (stack.shared === undefined) return holdMounts({ ...override, volumes, services: all }, record, model)
  return { ...override, volumes, services: withoutShared(all, model, stack.shared.services) }
}
