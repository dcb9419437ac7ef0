/**
 * The docker backend: a workspace is one compose project on this machine's engine, reached by ssh on a leased loopback
 * port. The generated compose file is the whole truth about its shape; this file decides when to call compose on it.
 */

import { NexusError } from '../../core/errors.ts'
import { composeProject, type WorkspaceId } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { reachOf, THIS_MACHINE } from '../../core/reach.ts'
import { dockerOf } from '../../core/record-parts.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import { hasGate, keepsImage } from '../../network/network.ts'
import { requireTellable } from '../../ssh/client/proxy-script.ts'
import { isSettled } from '../../ssh/keys/key-pair.ts'
import type { Injection } from '../../ssh/keys/user-keys.ts'
import { createSshAccess, hasSshAddress } from '../../ssh/server/access.ts'
import { createSessions } from '../../ssh/session/session.ts'
import { hasIpv6Loopback } from '../../system/net.ts'
import { createDocker, type Docker } from '../../tools/docker.ts'
import { requireSubpaths, type ToolVersions } from '../../tools/docker-endpoint.ts'
import { listAlternates } from '../../tools/repository.ts'
import { withOwnNames } from '../../trust/environment.ts'
import type { Backend } from '../backend.ts'
import type { BackendContext } from '../context.ts'
import type { Ahead, Provision, Resolution } from '../making.ts'
import { checkVersions, requireLocal, versionsOf } from './engine.ts'
import { mainServiceOf, observeWorkspaces } from './observation.ts'
import { readSecretFiles, removeSecrets, secretFolder } from './secret-files.ts'
import { tellSlowParts } from './slow-parts.ts'
import { hasProjectFiles, hasServices, targetOf } from './target.ts'

export function createDockerBackend(context: BackendContext): Backend {
  const docker = createDocker(context.runner, context.env)
  const access = createSshAccess(context, 'to see the engine, run `docker ps -a`')
  const sessions = createSessions(context, access)
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
  const keyCare = async () => (await import('../../ssh/keys/key-care.ts')).createKeyCare(context, access, readAgain)
  const asRoot = async () => (await import('./as-root.ts')).createRootHelper(await helpers())
  const removal = async () =>
    (await import('./removal.ts')).createRemoval(
      docker,
      context,
      access,
      imageCache,
      async () => (await provisioning()).images,
    )
  const target = (record: WorkspaceRecord) => targetOf(context.home, record)
  // the oldest of that name takes connections; the others are those that are open
  const readAgain = (record: WorkspaceRecord) =>
    docker.execute(target(record), mainServiceOf(record), ['pkill', '-HUP', '-o', '-x', 'sshd'])
  const imageCache = async (record: WorkspaceRecord) => {
    const { imageCache: place } = dockerOf(record)
    return place === undefined ? undefined : (await import('./image-cache.ts')).createImageCache(docker, context, place)
  }
  const starter = async () =>
    (await import('./starting.ts')).createStarter(docker, context, access, imageCache, seeds, helpers)

  async function check(wish?: Ahead): Promise<void> {
    requireLocal(context)
    requireTellable(context.home)
    const looking = wish === undefined ? undefined : lookForImages(wish)
    const ahead = Promise.all([looking, loadRendering()])
    ahead.catch(() => undefined) // told below, where it is awaited
    await checkVersions(docker, context)
    await ahead
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
    const { images, describeImage, imageWish, describeGateImage, createKeys } = await provisioning()
    const image = describeImage(context, imageWish(record), under)
    const [reference, hostKeyFingerprint] = await Promise.all([
      keepsImage(record)
        ? requireKept(record, images.has)
        : images.ensure(image, dockerOf(record).image, await imageCache(record)),
      createKeys(context).ensureKeys(record),
      hasGate(record) ? images.ensure(describeGateImage(context), null) : undefined,
    ])
    return { docker: { image: reference }, hostKeyFingerprint }
  }

  async function configure(record: WorkspaceRecord, injection: Injection, resolution?: Resolution): Promise<void> {
    const [{ renderComposeFiles }, { createSshFiles }, { readyOf }, { writeComposeFiles, writeStarted }] =
      await loadRendering()
    const paths = workspacePaths(context.home, record.id)
    if (record.docker?.stack?.holds === true) requireSubpaths(record, await versionsOf(context))
    const writeCompose = async () => {
      // the override follows from the project's files: without a look at them it stays as it is
      if (hasProjectFiles(record) && resolution?.model === undefined) return
      const startInterval = startsOften(await versionsOf(context))
      const files = renderComposeFiles({
        record,
        paths,
        instance: context.instance,
        addresses: (await hasIpv6Loopback()) ? ['127.0.0.1', '::1'] : ['127.0.0.1'],
        alternates: record.local === null ? [] : listAlternates(record.local.gitDir),
        model: resolution?.model,
        secretFolder: secretFolder(context, record),
        ready: readyOf(record, { startInterval }),
        startInterval,
        gateImage: hasGate(record) ? (await provisioning()).describeGateImage(context).reference : undefined,
        layers: await (await imageCache(record))?.layersOf(record, Object.keys(resolution?.model?.services ?? {})),
      })
      if (resolution?.model !== undefined) await writeStarted(context.home, record, resolution.model)
      if (record.docker?.stack?.shared !== undefined && resolution?.model !== undefined)
        await (await shared()).write(record, withOwnNames(resolution.model))
      await writeComposeFiles(paths, files)
    }
    const gate = hasGate(record) ? (await import('./gate.ts')).writeGate(context, record) : undefined
    await Promise.all([writeCompose(), createSshFiles(context).writeFiles(record, injection), gate])
  }

  async function stop(record: WorkspaceRecord, observed: Observation | undefined): Promise<void> {
    if (observed === undefined) return access.closeMaster(record)
    if (observed.state === 'paused') await docker.unpause(target(record))
    const stopParts = hasServices(record)
      ? tellSlowParts(context.emit, composeProject(record), (onLine) =>
          docker.stop(target(record), { ownTime: true, onLine }),
        )
      : docker.stop(target(record))
    await Promise.all([access.closeMaster(record), stopParts])
    await removeSecrets(secretFolder(context, record))
    if (record.docker?.stack?.shared !== undefined) await (await shared()).release(record)
  }

  async function pause(record: WorkspaceRecord): Promise<void> {
    await access.closeMaster(record)
    await docker.pause(target(record))
  }

  return {
    name: 'docker',
    host: 'local',
    check,
    lifecycle: {
      observe,
      watch: async (watcher, signal) => {
        const { watchEngine } = await import('../../tools/docker-events.ts')
        return watchEngine(context.runner, docker, `dev.nexus.instance=${context.instance}`, watcher, signal)
      },
      provision,
      configure,
      start: async (record, observed, options) => (await starter()).start(record, observed, options),
      stop,
      remove: async (record, kept) => (await removal()).remove(record, kept),
      dismantle: async (record) => {
        await (await removal()).dismantle(record)
        return true
      },
      findLost: async (reference) => (await import('./lost.ts')).createLost(docker, context).find(reference),
    },
    code: {
      kind: 'mounted',
      git: {
        command: async (record, args, running) =>
          (await import('./git-command.ts')).createGitCommand(context, access, helpers)(record, args, running),
      },
      asRoot: {
        empty: async (record, path) => (await asRoot()).emptyFolder(record, path),
        own: async (record, path) => (await asRoot()).ownFolder(record, path),
      },
    },
    endpoints: { address: THIS_MACHINE, reach: reachOf, leased: (configured) => configured },
    isReachable: async (record) => hasSshAddress(record) && (await access.isOpen(record)),
    open: sessions.open,
    pause: { pause, resume: async (record) => (await starter()).start(record, { state: 'paused', reason: '' }) },
    ssh: {
      info: access.sshInfo,
      forward: sessions.forward,
      keys: keyCare,
      settleHostKey: async (record) =>
        isSettled(workspacePaths(context.home, record.id).hostKey)
          ? undefined
          : (await keyCare()).settleHostKey(record),
    },
    logs: {
      read: async (record, request) =>
        (await import('./log-stream.ts')).streamLogs(await parts(), context.emit, record, request),
    },
    stack: {
      resolve: async (record) => (await projects()).resolveModel(record),
      startedModel: async (record) => (await import('./started.ts')).readStarted(context.home, record),
      prepareImage: async (record, model) => (await projects()).prepareImage(record, model),
      requireImages: async (record, model) => (await projects()).requireImages(record, model),
      seeds: async () => {
        const [{ has, save }, { seedPlaces }] = await Promise.all([seeds(), starter()])
        return { has, save: (record, seed) => save(record, seed, seedPlaces(record)) }
      },
    },
    services: {
      list: async (record) => (await parts()).services(record),
      measure: async (records) => (await parts()).loads(records),
      processes: async (record) => (await parts()).processes(record),
    },
    data: {
      list: async (record) => (await import('./data-volumes.ts')).listDataVolumes(context, record, helpers),
      remove: (volumes) => docker.removeResources('volume', volumes),
      guests: async (record) => (await import('./guests.ts')).listGuests(context, record),
    },
    network: {
      apply: async (record, cut) => (await gates()).applyNetwork(record, cut),
      refusals: async (record) => (await gates()).listRefusals(record),
    },
    secrets: { read: (record) => readSecretFiles(secretFolder(context, record)) },
    upkeep: async () => (await import('./housekeeping.ts')).createHousekeeping(docker, context, check),
  }
}

type Provisioning = Awaited<ReturnType<typeof loadProvisioning>>

async function loadProvisioning(docker: Docker, context: BackendContext) {
  const [{ createImages, describeImage, imageWish, describeGateImage }, { createKeys }] = await Promise.all([
    import('./image.ts'),
    import('../../ssh/keys/keys.ts'),
  ])
  return { images: createImages(docker, context), describeImage, imageWish, describeGateImage, createKeys }
}

/** The template engine takes as long to load as git to answer: it is loaded while something else is waited for. */
function loadRendering() {
  return Promise.all([
    import('./compose-file.ts'),
    import('../../ssh/server/files.ts'),
    import('../../stack/ready.ts'),
    import('./started.ts'),
  ])
}

/** Engine 25 and newer. */
function startsOften({ engine }: ToolVersions): boolean {
  return Number.parseInt(engine, 10) >= 25
}

/** @throws {NexusError} BUILD_FAILED when the image is gone: what it stood on may now be what somebody inside made of it */
async function requireKept(record: WorkspaceRecord, has: (image: string) => Promise<boolean>): Promise<string> {
  const { image } = dockerOf(record)
  const { name } = record
  if (image !== null && (await has(image))) return image
  throw new NexusError('BUILD_FAILED', `The image of ${name} is gone, and a guarded workspace builds only at create.`, {
    hint: `To make it anew from its branch, run \`nexus delete ${name}\` and \`nexus up ${name}\``,
  })
}
