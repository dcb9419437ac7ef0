/**
 * Keeps images from one machine to the next, so that a CI job on a fresh engine need not build everything again: the workspace
 * image as it is, and of the images that a project builds itself the layers (BuildKit's inline cache). The place is a folder with
 * an archive each, or a repository of a registry with a tag each. What is wrong with it is told and costs only the build.
 */
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { composeProject } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { buildArgs } from '../../stack/caches.ts'
import type { BuildLayers } from '../../stack/override.ts'
import { withLock } from '../../system/lock.ts'
import { makeFolder, removeTree, renameInto, touch, writeFileAtomic } from '../../system/store.ts'
import { TEMPORARY_SUFFIX, temporaryName } from '../../system/temporary.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'
import { imageLabels, type OwnImage } from './image.ts'

/** An archive that no job has used for so long goes, so that a folder handed from job to job stays small. */
const UNUSED_MS = 14 * 24 * 60 * 60_000
const LOAD_WAIT_MS = 10 * 60_000

/** `place`: an absolute path, or a registry's repository such as `registry.example.org/team/nexus`. */
export function createImageCache(docker: Docker, context: BackendContext, place: string) {
  const isFolder = place.startsWith('/')
  const nameOf = (key: string) => (isFolder ? `nexus-cache:${key}` : `${place}:${key}`)
  const fileOf = (key: string) => join(place, `${key}.tar`)

  /** True when the workspace image is there now. */
  async function restore(image: OwnImage): Promise<boolean> {
    const { hash } = image
    if (isFolder && !existsSync(fileOf(hash))) return false
    context.emit({ type: 'progress', text: `taking the workspace image from ${place}` })
    let found = true
    const used = await attempt(`the image cache ${place} could not be used`, async () => {
      found = isFolder ? await load(hash) : await pull(hash)
      if (!found) return
      await label(image)
      await docker.removeImages([nameOf(hash)])
    })
    return used && found
  }

  /** False when the registry answers that it has no such image. */
  async function pull(key: string): Promise<boolean> {
    try {
      await docker.pull(nameOf(key))
      return true
    } catch (error) {
      if (error instanceof NexusError && /manifest unknown|not found/i.test(error.output ?? '')) return false
      throw error
    }
  }

  /** An image carries the labels of the home that it belongs to. */
  async function label(image: OwnImage): Promise<void> {
    const build = join(context.home.cache, 'image', `${image.hash}-cached-${process.pid}`)
    await makeFolder(build)
    try {
      await writeFileAtomic(join(build, 'Dockerfile'), `FROM ${nameOf(image.hash)}\n`, 0o644)
      const labels = imageLabels(image, context.instance)
      await docker.build(build, { tag: image.reference, labels, args: buildArgs(image.hash), onLine: () => {} })
    } finally {
      await removeTree(build)
    }
  }

  async function save({ hash, reference }: OwnImage): Promise<void> {
    context.emit({ type: 'progress', text: `leaving the workspace image in ${place}` })
    await leave('the workspace image', [[hash, reference]])
  }

  /** Makes the layers that were kept of what the project builds known to the engine, under names of the workspace's own. */
  async function loadLayers(record: WorkspaceRecord): Promise<void> {
    const keys = isFolder ? await keptKeys() : []
    if (keys.length === 0) return
    context.emit({ type: 'progress', text: `taking ${keys.length} built images from ${place}` })
    const load = () => Promise.all(keys.map((key) => loadAs(key, layersName(record, key))))
    await attempt(`the image cache ${place} could not be used`, async () => {
      // an archive brings one name along, which two jobs would take from each other
      const lock = join(context.home.locks, 'image-cache')
      await withLock(lock, load, { waitMs: LOAD_WAIT_MS, signal: context.interruption.signal })
    })
  }

  async function loadAs(key: string, name: string): Promise<void> {
    await load(key)
    await docker.tag(nameOf(key), name)
    await docker.removeImages([nameOf(key)])
  }

  async function load(key: string): Promise<true> {
    await docker.load(fileOf(key))
    await touch(fileOf(key))
    return true
  }

  /** What a build of each service may begin with; a name that is not here would be looked for in a registry. */
  async function layersOf(record: WorkspaceRecord, services: readonly string[]): Promise<BuildLayers> {
    const find = async (service: string): Promise<readonly [string, readonly string[]]> => {
      const key = keyOf(service)
      if (!isFolder) return [service, [nameOf(key)]]
      const name = layersName(record, key)
      return [service, (await docker.hasImage(name)) ? [name] : []]
    }
    return new Map(await Promise.all(services.map(find)))
  }

  /** Leaves the layers of what was built for the workspace; what is there already is left alone. */
  async function saveLayers(record: WorkspaceRecord): Promise<void> {
    const prefix = `${composeProject(record)}-`
    const built = (await docker.listImages(`dev.nexus.workspace=${record.id}`)).filter((name) =>
      name.startsWith(prefix),
    )
    const kept = built.map((name): [string, string] => [keyOf(name.slice(prefix.length).replace(/:.*$/, '')), name])
    const changed = await Promise.all(
      kept.map(async ([key, name]) => !isFolder || !(await areSame(name, layersName(record, key)))),
    )
    const wanted = kept.filter((_, index) => changed[index])
    if (wanted.length > 0) {
      context.emit({ type: 'progress', text: `leaving ${wanted.length} built images in ${place}` })
      await leave('a built image', wanted)
    }
    await forgetLayers(record)
  }

  async function areSame(one: string, other: string): Promise<boolean> {
    const [first, second] = await Promise.all([docker.inspectImage(one), docker.inspectImage(other)])
    return first !== undefined && first.content === second?.content
  }

  /** Removes the names that the workspace's builds began with. */
  async function forgetLayers(record: WorkspaceRecord): Promise<void> {
    if (isFolder) await docker.removeImages((await keptKeys()).map((key) => layersName(record, key)))
  }

  async function leave(what: string, images: readonly (readonly [string, string])[]): Promise<void> {
    await attempt(`${what} could not be left in ${place}`, async () => {
      for (const [key, reference] of images) {
        await docker.tag(reference, nameOf(key))
        if (isFolder) await saveFile(key)
        else await docker.push(nameOf(key))
        await docker.removeImages([nameOf(key)])
      }
      if (isFolder) await removeUnused()
    })
  }

  async function saveFile(key: string): Promise<void> {
    await makeFolder(place, 0o755)
    const temporary = temporaryName(fileOf(key))
    await docker.save(nameOf(key), temporary)
    await renameInto(temporary, fileOf(key))
  }

  /**
   * Ours by their names: hashes and `build-` keys, and archives that a killed job did not finish. Age decides for those too: jobs of
   * several machines share the folder, so a process id says nothing here.
   */
  async function removeUnused(): Promise<void> {
    const isOurs = (name: string) => /^([0-9a-f]{16}|build-.+)\.tar$/.test(name.replace(TEMPORARY_SUFFIX, ''))
    const ours = (await readdir(place)).filter(isOurs)
    for (const file of ours.map((name) => join(place, name))) {
      if (Date.now() - (await stat(file)).mtimeMs > UNUSED_MS) await removeTree(file)
    }
  }

  async function keptKeys(): Promise<readonly string[]> {
    const names = existsSync(place) ? await readdir(place) : []
    return names.filter((name) => /^build-.+\.tar$/.test(name)).map((name) => name.replace(/\.tar$/, ''))
  }

  async function attempt(what: string, body: () => Promise<void>): Promise<boolean> {
    try {
      await body()
      return true
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      context.emit({ type: 'warning', text: `${what}: ${error.message}`, hint: error.hint })
      return false
    }
  }

  return { restore, save, loadLayers, layersOf, saveLayers, forgetLayers }
}

function keyOf(service: string): string {
  return `build-${service}`
}

function layersName(record: WorkspaceRecord, key: string): string {
  return `${composeProject(record)}-cache:${key}`
}
