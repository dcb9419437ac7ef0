/**
 * The docker backend: a workspace is one compose project on this machine's engine, reached by ssh on a leased loopback
 * port. The generated compose file is the whole truth about its shape; this file decides when to call compose on it.
 */

import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { composeProject, type WorkspaceId } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import { requireTellable } from '../../door/proxy-script.ts'
import { withOwnNames } from '../../stack/environment.ts'
import { hasGate, keepsImage } from '../../stack/network.ts'
import { readyOf } from '../../stack/ready.ts'
import { hasIpv6Loopback } from '../../system/net.ts'
import { readIfPresent, writeJson } from '../../system/store.ts'
import { createDocker, type Docker } from '../../tools/docker.ts'
import {
  engineEndpoint,
  requireComposeVersion,
  requireSubpaths,
  type ToolVersions,
  toolsFingerprint,
} from '../../tools/docker-endpoint.ts'
import { listAlternates } from '../../tools/repository.ts'
import type { Backend } from '../backend.ts'
import type { BackendContext } from '../context.ts'
import type { Ahead, Injection, Provision, Resolution } from '../making.ts'
import { createDoors, hasDoor } from './door.ts'
import { isSettled } from './key-pair.ts'
import { observeWorkspaces } from './observation.ts'
import { readSecretFiles, removeSecrets, secretFolder } from './secret-files.ts'
import { createSessions } from './session.ts'
import { tellSlowParts } from './slow-parts.ts'
import { readStarted, writeComposeFiles, writeStarted } from './started.ts'
import { createStarter } from './starting.ts'
import { createStreams } from './stream.ts'
import { hasProjectFiles, hasServices, targetOf } from './target.ts'

export function createDockerBackend(context: BackendContext): Backend {
  const docker = createDocker(context.runner, context.env)
  const doors = createDoors(context)
  const sessions = createSessions(context, doors)
  /** Loaded once, by what makes images and keys. */
  let loaded: Promise<Provisioning> | undefined
  const provisioning = () => {
    loaded ??= loadProvisioning(docker, context)
    return loaded
  }
  const shared = async () => (await import('./shared.ts')).createShared(docker, context)
  const helpers = async () => (await import('./own-container.ts')).createHelpers(docker, context, provisioning)
  const seeds = async () => (await import('./seeds.ts')).createSeeds(docker, context, await helpers())
  const projects = async () => (await import('./project.ts')).createProjects(docker, context)
  const parts = async () => (await import('./parts.ts')).createParts(context)
  const gates = async () => (await import('./gate.ts')).createGate(docker, context)
  const keyCare = async () => (await import('./key-care.ts')).createKeyCare(docker, context, doors)
  const asRoot = async () => (await import('./as-root.ts')).createRootHelper(await helpers())
  const removal = async () =>
    (await import('./removal.ts')).createRemoval(
      docker,
      context,
      doors,
      imageCache,
      async () => (await provisioning()).images,
    )
  const target = (record: WorkspaceRecord) => targetOf(context.home, record)
  const imageCache = async ({ imageCache: place }: WorkspaceRecord) =>
    place === undefined ? undefined : (await import('./image-cache.ts')).createImageCache(docker, context, place)
  const { start, seedPlaces } = createStarter(docker, context, doors, imageCache, seeds, helpers)

  async function check(wish?: Ahead): Promise<void> {
    const endpoint = engineEndpoint(context.env)
    if (endpoint !== '' && !endpoint.startsWith('unix://')) {
      throw new NexusError('UNSUPPORTED', `The Docker engine at ${endpoint} is on another machine.`, {
        hint: 'To use the engine of this machine, run `unset DOCKER_HOST` or `docker context use default`',
        details: { endpoint },
      })
    }
    requireTellable(context.home)
    const looking = wish === undefined ? undefined : lookForImages(wish)
    const ahead = Promise.all([looking, loadRendering()])
    ahead.catch(() => undefined) // told below, where it is awaited
    // versions are asked again only when the engine or the plugin has changed
    const cache = join(context.home.cache, 'docker.json')
    const fingerprint = toolsFingerprint(context.env)
    if (isCurrent(await readIfPresent(cache), fingerprint)) return void (await ahead)
    const [engine, plugin] = await Promise.all([docker.info(), docker.composeVersion()])
    requireComposeVersion(plugin)
    if (engine.rootless) {
      throw new NexusError(
        'UNSUPPORTED',
        'The Docker engine runs rootless, so files made inside would belong to another user.',
        {
          hint: 'To use an ordinary engine, run `docker context use default`',
        },
      )
    }
    await ahead
    await writeJson(cache, { schema: 1, fingerprint, engine: engine.version, compose: plugin })
  }

  /** Asked for early, while git is asked too; it also tells before anything is made whether the engine answers. */
  async function lookForImages(wish: Ahead): Promise<void> {
    const { images, describeImage, describeGateImage } = await provisioning()
    const wanted = [describeImage(context, wish), ...(hasGate(wish) ? [describeGateImage(context)] : [])]
    await Promise.all(wanted.map(({ reference }) => images.has(reference)))
  }

  async function observe(): Promise<ReadonlyMap<WorkspaceId, Observation>> {
    return observeWorkspaces(await docker.listContainers(`dev.nexus.instance=${context.instance}`))
  }

  /** A workspace keeps the image it was made with while that exists: a newer Nexus re-creates no container unasked. */
  async function provision(record: WorkspaceRecord, under?: Resolution['under']): Promise<Provision> {
    const { images, describeImage, describeGateImage, createKeys } = await provisioning()
    const image = describeImage(context, record, under)
    const [reference, hostKeyFingerprint] = await Promise.all([
      keepsImage(record)
        ? requireKept(record, images.has)
        : images.ensure(image, record.image, await imageCache(record)),
      createKeys(context).ensureKeys(record),
      hasGate(record) ? images.ensure(describeGateImage(context), null) : undefined,
    ])
    return { image: reference, hostKeyFingerprint }
  }

  async function configure(record: WorkspaceRecord, injection: Injection, resolution?: Resolution): Promise<void> {
    const [{ renderComposeFiles }, { createDoorFiles }] = await loadRendering()
    const paths = workspacePaths(context.home, record.id)
    if (record.stack?.holds === true) requireSubpaths(record, await versionsOf(context))
    const writeCompose = async () => {
      // the override follows from the project's files: without a look at them it stays as it is
      if (hasProjectFiles(record) && resolution?.model === undefined) return
      const startInterval = startsOften(await versionsOf(context))
      const files = renderComposeFiles({
        record,
        paths,
        instance: context.instance,
        addresses: (await hasIpv6Loopback()) ? ['127.0.0.1', '::1'] : ['127.0.0.1'],
        alternates: record.gitDir === null ? [] : listAlternates(record.gitDir),
        model: resolution?.model,
        secretFolder: secretFolder(context, record),
        ready: readyOf(record, { startInterval }),
        startInterval,
        gateImage: hasGate(record) ? (await provisioning()).describeGateImage(context).reference : undefined,
        layers: await (await imageCache(record))?.layersOf(record, Object.keys(resolution?.model?.services ?? {})),
      })
      if (resolution?.model !== undefined) await writeStarted(context.home, record, resolution.model)
      if (record.stack?.shared !== undefined && resolution?.model !== undefined)
        await (await shared()).write(record, withOwnNames(resolution.model))
      await writeComposeFiles(paths, files)
    }
    const gate = hasGate(record) ? (await import('./gate.ts')).writeGate(context, record) : undefined
    await Promise.all([writeCompose(), createDoorFiles(context).writeFiles(record, injection), gate])
  }

  async function stop(record: WorkspaceRecord, observed: Observation | undefined): Promise<void> {
    if (observed === undefined) return closeDoor(record)
    if (observed.state === 'paused') await docker.unpause(target(record))
    const stopParts = hasServices(record)
      ? tellSlowParts(context.emit, composeProject(record), (onLine) =>
          docker.stop(target(record), { ownTime: true, onLine }),
        )
      : docker.stop(target(record))
    await Promise.all([closeDoor(record), stopParts])
    await removeSecrets(secretFolder(context, record))
    if (record.stack?.shared !== undefined) await (await shared()).release(record)
  }

  async function pause(record: WorkspaceRecord): Promise<void> {
    await closeDoor(record)
    await docker.pause(target(record))
  }

  async function closeDoor(record: WorkspaceRecord): Promise<void> {
    if (hasDoor(record)) await doors.ssh.closeMaster(doors.doorOf(record))
  }

  return {
    name: 'docker',
    host: 'local',
    capabilities: new Set([
      'worktree',
      'local-ports',
      'ssh',
      'pause',
      'logs',
      'services',
      'compose-file',
      'git',
      'guards',
      'housekeeping',
    ] as const),
    portRange: (configured) => configured,
    check,
    observe,
    resolve: async (record) => (await projects()).resolveModel(record),
    startedModel: (record) => readStarted(context.home, record),
    prepareImage: async (record, model) => (await projects()).prepareImage(record, model),
    requireImages: async (record, model) => (await projects()).requireImages(record, model),
    seeds: async () => {
      const { has, save } = await seeds()
      return { has, save: (record, seed) => save(record, seed, seedPlaces(record)) }
    },
    provision,
    configure,
    start,
    stop,
    pause,
    resume: async (record) => start(record, { state: 'paused', reason: '' }),
    remove: async (record, kept) => (await removal()).remove(record, kept),
    listData: async (record) => (await import('./data-volumes.ts')).listDataVolumes(context, record, helpers),
    removeData: (volumes) => docker.removeResources('volume', volumes),
    listGuests: async (record) => (await import('./guests.ts')).listGuests(context, record),
    dismantle: async (record) => (await removal()).dismantle(record),
    findLost: async (reference) => (await import('./lost.ts')).createLost(docker, context).find(reference),
    emptyFolder: async (record, path) => (await asRoot()).emptyFolder(record, path),
    ownFolder: async (record, path) => (await asRoot()).ownFolder(record, path),
    isReachable: async (record) => hasDoor(record) && (await doors.isOpen(record)),
    exec: sessions.exec,
    stream: createStreams(context, doors).stream,
    watch: async (watcher, signal) => {
      const { watchEngine } = await import('../../tools/docker-events.ts')
      return watchEngine(context.runner, docker, `dev.nexus.instance=${context.instance}`, watcher, signal)
    },
    capture: sessions.capture,
    begin: sessions.begin,
    forward: sessions.forward,
    applyNetwork: async (record, cut) => (await gates()).applyNetwork(record, cut),
    listRefusals: async (record) => (await gates()).listRefusals(record),
    readSecrets: (record) => readSecretFiles(secretFolder(context, record)),
    shell: sessions.shell,
    logs: async (record, request) =>
      (await import('./log-stream.ts')).streamLogs(await parts(), context.emit, record, request),
    listServices: async (record) => (await parts()).services(record),
    measureLoads: async (records) => (await parts()).loads(records),
    listProcesses: async (record) => (await parts()).processes(record),
    gitCommand: async (record, args, running) =>
      (await import('./git-command.ts')).createGitCommand(context, doors, helpers)(record, args, running),
    sshInfo: doors.sshInfo,
    keyCare,
    settleHostKey: async (record) =>
      isSettled(workspacePaths(context.home, record.id).hostKey) ? undefined : (await keyCare()).settleHostKey(record),
    housekeeping: async () => (await import('./housekeeping.ts')).createHousekeeping(docker, context, check),
  }
}

type Provisioning = Awaited<ReturnType<typeof loadProvisioning>>

async function loadProvisioning(docker: Docker, context: BackendContext) {
  const [{ createImages, describeImage, describeGateImage }, { createKeys }] = await Promise.all([
    import('./image.ts'),
    import('./keys.ts'),
  ])
  return { images: createImages(docker, context), describeImage, describeGateImage, createKeys }
}

/** The template engine takes as long to load as git to answer: it is loaded while something else is waited for. */
function loadRendering() {
  return Promise.all([import('./compose-file.ts'), import('./door-files.ts')])
}

/** Engine 25 and newer. */
function startsOften({ engine }: ToolVersions): boolean {
  return Number.parseInt(engine, 10) >= 25
}

/** As they were noted when they were checked. */
async function versionsOf({ home }: BackendContext): Promise<ToolVersions> {
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

/** @throws {NexusError} BUILD_FAILED when the image is gone: what it stood on may now be what somebody inside made of it */
async function requireKept(
  { name, image }: WorkspaceRecord,
  has: (image: string) => Promise<boolean>,
): Promise<string> {
  if (image !== null && (await has(image))) return image
  throw new NexusError('BUILD_FAILED', `The image of ${name} is gone, and a guarded workspace builds only at create.`, {
    hint: `To make it anew from its branch, run \`nexus delete ${name}\` and \`nexus up ${name}\``,
  })
}
