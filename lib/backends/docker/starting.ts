/**
 * Brings a workspace's containers up: secrets, caches, copies and shared services first, prepared data into empty volumes, then compose,
 * then the login that proves it.
 */
import { NexusError } from '../../core/errors.ts'
import { composeProject } from '../../core/names.ts'
import type { Observation, StackRecord, WorkspaceRecord } from '../../core/workspace.ts'
import { hasFixedImages, hasGate } from '../../network/network.ts'
import type { createSshAccess } from '../../ssh/server/access.ts'
import { variablesOf } from '../../stack/secrets.ts'
import type { Docker, UpOptions } from '../../tools/docker.ts'
import { startingEnvironment, visibleVariables } from '../../trust/environment.ts'
import type { BackendContext } from '../context.ts'
import type { StartOptions } from '../making.ts'
import type { createImageCache } from './image-cache.ts'
import { HELD_LABEL, SERVICE_LABEL, workspaceLabels } from './labels.ts'
import type { Helpers } from './own-container.ts'
import { fillSecrets, secretFolder } from './secret-files.ts'
import type { createSeeds, SeedPlaces } from './seeds.ts'
import { tellSlowParts } from './slow-parts.ts'
import { readStarted, writeStarted } from './started.ts'
import { hasProjectFiles, hasServices, sourceOf, targetOf } from './target.ts'

export function createStarter(
  docker: Docker,
  context: BackendContext,
  access: ReturnType<typeof createSshAccess>,
  imageCache: (record: WorkspaceRecord) => Promise<ReturnType<typeof createImageCache> | undefined>,
  seeds: () => Promise<ReturnType<typeof createSeeds>>,
  helpers: () => Promise<Helpers>,
) {
  const { home } = context
  const projects = async () => (await import('./project.ts')).createProjects(docker, context)

  async function start(
    record: WorkspaceRecord,
    observed: Observation | undefined,
    options: StartOptions = { rebuild: false },
  ): Promise<void> {
    if (options.rebuild) await access.closeMaster(record)
    const paused = observed?.state === 'paused' && !options.rebuild
    // compose would not go on from it: a pause leaves every health check failed for a moment
    if (observed?.state === 'paused') await docker.unpause(targetOf(home, record))
    await fillSecrets(secretFolder(context, record), options.secrets)
    await makeCaches(record)
    if (hasGate(record)) await (await import('./gate.ts')).writeGate(context, record)
    await startShared(record)
    const asItIs = !options.rebuild && options.compare !== true && options.seed === undefined
    const stopped = observed?.state === 'stopped' && asItIs
    const started = stopped && (await startAsLeft(record))
    // image and files are looked after only by a start that did not take it for as it was left
    if (stopped && !started) throw partsAreGone(record)
    if (!started && !paused) await up(record, options)
    if (hasGate(record)) await (await import('./closed-networks.ts')).requireClosed(docker, context, record, helpers)
    await access.awaitLogin(record, () => docker.lastLogs(targetOf(home, record)))
  }

  /** False when there are no containers to start. */
  async function startAsLeft(record: WorkspaceRecord): Promise<boolean> {
    const target = targetOf(home, record)
    if (!hasServices(record)) return docker.start(target)
    return tellSlowParts(context.emit, composeProject(record), (onLine) => docker.start(target, { onLine }))
  }

  async function makeCaches(record: WorkspaceRecord): Promise<void> {
    const labels = { 'dev.nexus.repo': record.repo, 'dev.nexus.instance': context.instance, 'dev.nexus.cache': 'true' }
    await Promise.all((record.docker?.caches ?? []).map(({ name }) => docker.makeVolume(name, labels)))
  }

  /** The worktree itself; with it goes nothing but the engine's note of it. */
  async function makeHeldVolume(record: WorkspaceRecord): Promise<void> {
    if (record.docker?.stack?.holds !== true || record.local === null) return
    const { heldVolumeName } = await import('../../stack/held-mounts.ts')
    const labels = { ...workspaceLabels(record, context.instance), [HELD_LABEL]: 'worktree' }
    await docker.makeVolume(heldVolumeName(record), labels, record.local.worktree)
  }

  async function startShared(record: WorkspaceRecord): Promise<void> {
    if (record.docker?.stack?.shared === undefined) return
    const { onLine } = await projects()
    const env = await projectVariables(record, record.docker?.stack)
    await (await import('./shared.ts')).createShared(docker, context).start(record, env, onLine)
  }

  async function up(record: WorkspaceRecord, { rebuild, secrets, seed }: StartOptions): Promise<void> {
    const values = variablesOf(record.secrets ?? [], secrets ?? new Map())
    const options: UpOptions = { recreate: rebuild, ...(await upOptions(record, values, rebuild)) }
    await makeHeldVolume(record)
    if (record.docker?.stack?.external !== undefined)
      await (await import('./copies.ts')).makeCopies(docker, context, helpers, record)
    try {
      await prepareStart(record, options, seed)
      await tellSlowParts(context.emit, composeProject(record), (note) => {
        const { onLine } = options
        if (onLine === undefined) return docker.up(sourceOf(home, record), options)
        const both = (line: string) => {
          onLine(line)
          note(line)
        }
        return docker.up(sourceOf(home, record), { ...options, onLine: both })
      })
    } catch (error) {
      if (error instanceof NexusError && error.details?.partsGone === true) {
        const text = 'a network was removed by hand: the containers are made anew, without what was installed in them'
        context.emit({ type: 'warning', text })
        return docker.up(sourceOf(home, record), { ...options, recreate: true })
      }
      // networks that were made before one was refused would keep the subnets that are about to be exchanged
      if (error instanceof NexusError && error.details?.subnet === true)
        await docker.down(targetOf(home, record), { keepVolumes: true })
      throw error
    }
    await (await imageCache(record))?.saveLayers(record)
  }

  /** What must be there before anything starts: data in the volumes, shared services on the networks. */
  async function prepareStart(record: WorkspaceRecord, options: UpOptions, seed: StartOptions['seed']): Promise<void> {
    const isShared = record.docker?.stack?.shared !== undefined
    if (seed === undefined && !isShared) return
    await docker.up(sourceOf(home, record), { ...options, create: true })
    if (seed !== undefined && (await isUntouched(record, seed.service)))
      await (await seeds()).clone(record, seed, seedPlaces(record))
    if (isShared) await (await import('./shared.ts')).createShared(docker, context).attachAll(record)
  }

  /** A service that has run has its data, prepared or its user's: an earlier attempt went so far. */
  async function isUntouched({ id }: WorkspaceRecord, service: string): Promise<boolean> {
    const labels = [`dev.nexus.workspace=${id}`, `${SERVICE_LABEL}=${service}`]
    return (await docker.listContainers(...labels)).every(({ state }) => state === 'created')
  }

  /** A plain workspace builds and pulls nothing, so that its output is nothing to wait for. */
  async function upOptions(
    record: WorkspaceRecord,
    values: Readonly<Record<string, string>>,
    build: boolean,
  ): Promise<UpOptions> {
    const local = hasFixedImages(record)
    if (!hasProjectFiles(record) || record.docker?.stack === undefined) {
      const pulls = record.docker?.ready !== undefined && !local
      return { env: values, local, ...(pulls ? { onLine: (await projects()).onLine } : {}) }
    }
    const { onLine } = await projects()
    const env = { ...(await projectVariables(record, record.docker?.stack)), ...values }
    return local ? { env, local } : { env, onLine, build }
  }

  /** What the user passes by name, and values of the project's own for its secrets and configs. */
  async function projectVariables(record: WorkspaceRecord, { pass }: StackRecord) {
    const read = await readStarted(home, record)
    // an older Nexus wrote it as compose had resolved it
    const model = read === undefined ? undefined : await writeStarted(home, record, read)
    const { ownVariables } = await import('./own-variables.ts')
    const seen = visibleVariables(context.env, pass)
    const own = model === undefined ? {} : ownVariables(record, model, seen)
    return { ...startingEnvironment(context.env, pass), ...own }
  }

  function seedPlaces(record: WorkspaceRecord): SeedPlaces {
    return { target: targetOf(home, record), volume: (key) => `${composeProject(record)}_${key}` }
  }

  return { start, seedPlaces }
}

function partsAreGone(record: WorkspaceRecord): NexusError {
  return new NexusError('CONTAINER_ERROR', `The containers of ${record.name} were removed in this very moment.`, {
    hint: `To make them again, run \`nexus up ${record.name}\``,
    details: { partsGone: true },
  })
}
