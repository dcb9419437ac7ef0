/**
 * The workspace's own container as a compose service: image, mounts at the same absolute paths as on this machine, ports,
 * variables and policy; or what a service of the project's gets to become it. Pure but for the template engine.
 */

import template from '../../../templates/docker-compose.yml.hbs'
import { composeProject } from '../../core/names.ts'
import type { WorkspacePaths } from '../../core/paths.ts'
import { dockerOf, localOf } from '../../core/record-parts.ts'
import type { AppCommand, StackRecord, WorkspaceRecord } from '../../core/workspace.ts'
import { DROPPED_CAPABILITIES } from '../../network/gate.ts'
import { hasGate } from '../../network/network.ts'
import type { CacheVolume } from '../../stack/caches.ts'
import type { ReadyServices } from '../../stack/catalogue.ts'
import { capLimits, type Limits } from '../../stack/limits.ts'
import type { ComposeModel, ComposeService } from '../../stack/model.ts'
import { type BuildLayers, publishedPorts } from '../../stack/override.ts'
import { confinement } from '../../stack/seccomp.ts'
import { nexusVariables } from '../../stack/variables.ts'
import { Override, Reset, renderModel, type Yaml, type YamlMap } from '../../system/render.ts'
import { EDITORS_VOLUME, workspaceLabels } from './labels.ts'
import { MAIN_SERVICE, mainServiceOf, ROLE_LABEL } from './observation.ts'
import { bindOf, workMounts } from './work-mounts.ts'

export interface ComposeFacts {
  readonly record: WorkspaceRecord
  readonly paths: WorkspacePaths
  readonly instance: string
  /** Loopback addresses to publish on. */
  readonly addresses: readonly string[]
  /** Object folders that the repository borrows from; mounted read-only. */
  readonly alternates: readonly string[]
  /** The project's resolved compose files; undefined without any. */
  readonly model?: ComposeModel | undefined
  /** Where secrets lie while the workspace runs. */
  readonly secretFolder?: string
  /** What the project's builds may begin with; undefined without an image cache. */
  readonly layers?: BuildLayers | undefined
  /** Whether the engine knows `start_interval` of health checks. */
  readonly startInterval?: boolean
  /** Services of the catalogue beside it. */
  readonly ready?: ReadyServices | undefined
  /** Image of the gate, for a guarded workspace. */
  readonly gateImage?: string | undefined
}

const ENTRYPOINT = '/usr/local/lib/nexus/entrypoint'
/** Links in the home inside lead there (setup-user.sh). So short that what is mounted below such a link is mounted after it. */
export const EDITORS_FOLDER = '/var/nexus-editors'

/** The template of a compose file with the workspace's values in it. */
export function renderMain(facts: ComposeFacts): YamlMap {
  return renderModel(template, mainFacts(facts))
}

/** The workspace's own container as a service of the project's: its image is ours on top of its own, the rest stays. */
export function inPlace(own: YamlMap, service: ComposeService | undefined, facts: ComposeFacts): YamlMap {
  const { labels, image, pull_policy, init, restart, environment, volumes, ports } = own
  const { record } = facts
  const app = requireStack(record).app
  return {
    ...(service?.build === undefined ? {} : { build: new Reset() }),
    ...({ labels, image, pull_policy, init, restart, volumes } as YamlMap),
    ...policyInPlace(own, service, record),
    environment: { ...(environment as YamlMap), ...appEnvironment(app) },
    ports: new Override(ports as Yaml),
    entrypoint: new Override([ENTRYPOINT]),
    command: new Override([...(app?.argv ?? [])]),
  }
}

/** In isolation `agent` nothing of what a service grants itself stays. */
function policyInPlace(own: YamlMap, service: ComposeService = {}, record: WorkspaceRecord): YamlMap {
  const { security_opt, cap_drop, user = '0:0' } = own
  if (record.isolation !== 'agent') return { user, security_opt, ...limitsInPlace(own, service) } as YamlMap
  return {
    user,
    security_opt: new Override(security_opt as Yaml),
    cap_drop: new Override(cap_drop as Yaml),
    ...Object.fromEntries(['cap_add', 'privileged', 'group_add', 'devices'].map((key) => [key, new Reset()])),
    ...limitsInPlace(own, service),
  }
}

function limitsInPlace({ pids_limit, mem_limit, cpus }: YamlMap, service: ComposeService): YamlMap {
  return capLimits(service, { pids: pids_limit, memory: mem_limit, cpus } as Limits)
}

/** What the entry point needs to run the image's own command beside sshd. */
function appEnvironment(app: AppCommand | undefined): Readonly<Record<string, string>> {
  return app === undefined || app.argv.length === 0 ? {} : { NEXUS_APP_USER: app.user, NEXUS_APP_CWD: app.cwd }
}

function mainFacts({ record, addresses, ...facts }: ComposeFacts) {
  const own = record.ports.filter((port) => port.service === undefined)
  const docker = dockerOf(record)
  return {
    project: composeProject(record),
    image: requireImage(record),
    name: record.name,
    worktree: localOf(record).worktree,
    environment: {
      ...nexusVariables(record),
      ...facts.ready?.environment,
      ...(docker.caches === undefined
        ? {}
        : {
            NEXUS_WS_CACHES: cachesOf(record)
              .map(({ target }) => target)
              .join(':'),
          }),
      ...record.env,
      ...appEnvironment(docker.stack?.app),
    },
    ports: publishedPorts(own, hasGate(record) ? [] : addresses),
    mounts: mounts({ record, addresses, ...facts }),
  }
}

/** The template's service with the policy that is data. */
export function mainService(model: YamlMap, { record, instance, paths }: ComposeFacts): YamlMap {
  const { workspace } = model.services as { readonly workspace: YamlMap }
  const { uid, gid, sudo, stack } = dockerOf(record)
  const agent = record.isolation === 'agent'
  const limits: YamlMap = { pids_limit: record.pids }
  if (record.cpus !== null) limits.cpus = record.cpus
  if (record.memory !== null) {
    limits.mem_limit = record.memory
    limits.memswap_limit = record.memory
  }
  const role = mainServiceOf(record) === MAIN_SERVICE ? {} : { [ROLE_LABEL]: MAIN_SERVICE }
  const app = stack?.app?.argv ?? []
  return {
    ...workspace,
    labels: { ...workspaceLabels(record, instance), ...role },
    ...(agent ? { user: `${uid}:${gid}` } : {}),
    cap_drop: agent ? ['ALL'] : [...DROPPED_CAPABILITIES],
    security_opt: agent ? confinement(paths.seccompFile) : [`no-new-privileges:${sudo ? 'false' : 'true'}`],
    ...(app.length === 0 ? {} : { command: app }),
    ...limits,
  }
}

function mounts({ record, paths, alternates }: ComposeFacts): readonly Yaml[] {
  return [
    ...workMounts(record, paths, alternates).map(bindOf),
    bindOf({ path: paths.sshDir, target: '/etc/nexus/ssh', readOnly: true }),
    ...(dockerOf(record).editors ? [{ type: 'volume', source: EDITORS_VOLUME, target: EDITORS_FOLDER }] : []),
    ...cachesOf(record).map(({ name, target }) => ({ type: 'volume', source: name, target })),
  ]
}

function cachesOf(record: WorkspaceRecord): readonly CacheVolume[] {
  return record.docker?.caches ?? []
}

/** Caches are made beforehand and outlive every workspace; what editors install goes with theirs. */
export function volumeDefinitions({ record, instance }: ComposeFacts): YamlMap {
  return {
    ...(dockerOf(record).editors ? { [EDITORS_VOLUME]: { labels: { ...workspaceLabels(record, instance) } } } : {}),
    ...Object.fromEntries(cachesOf(record).map(({ name }) => [name, { external: true, name }])),
  }
}

export function requireStack(record: WorkspaceRecord): StackRecord {
  const { stack } = dockerOf(record)
  if (stack === undefined) throw new Error(`${record.id} has no stack`)
  return stack
}

function requireImage(record: WorkspaceRecord): string {
  const { image } = dockerOf(record)
  if (image === null) throw new Error(`${record.id} has no image`)
  return image
}
