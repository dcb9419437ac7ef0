/**
 * Keeps the workspace image from one machine to the next, so that a CI job on a fresh engine need not build it: in a folder, as
 * an archive named after the image's hash, or in a registry. What is wrong with it is told and costs only the build.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { makeFolder, removeTree, renameInto, writeFileAtomic } from '../../system/store.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../registry.ts'
import type { WorkspaceImage } from './image.ts'

export function createImageCache(docker: Docker, context: BackendContext, place: string) {
  // a registry's name has a dot, a port or a slash in it and is no path
  const registry =
    !/^[./~]/.test(place) && !existsSync(place) && /^[\w.-]+([.:][\w.-]+|\/)/.test(place)
      ? place.replace(/\/+$/, '')
      : undefined
  const folder = resolve(place)
  const nameOf = ({ hash }: WorkspaceImage) => (registry === undefined ? `nexus-cache:${hash}` : `${registry}:${hash}`)
  const fileOf = ({ hash }: WorkspaceImage) => join(folder, `${hash}.tar`)

  /** True when the image is there now. */
  async function restore(image: WorkspaceImage): Promise<boolean> {
    if (registry === undefined && !existsSync(fileOf(image))) return false
    context.emit({ type: 'progress', text: `taking the workspace image from ${place}` })
    return attempt(`the image cache ${place} could not be used`, async () => {
      if (registry === undefined) await docker.load(fileOf(image))
      else await docker.pull(nameOf(image))
      await label(image)
      await docker.removeImages([nameOf(image)])
    })
  }

  /** An image carries the labels of the home that it belongs to. */
  async function label(image: WorkspaceImage): Promise<void> {
    const build = join(context.home.cache, 'image', `${image.hash}-cached-${process.pid}`)
    await makeFolder(build)
    try {
      await writeFileAtomic(join(build, 'Dockerfile'), `FROM ${nameOf(image)}\n`, 0o644)
      const labels = { 'dev.nexus.image': image.hash, 'dev.nexus.instance': context.instance }
      await docker.build(build, { tag: image.reference, labels, onLine: () => {} })
    } finally {
      await removeTree(build)
    }
  }

  async function save(image: WorkspaceImage): Promise<void> {
    context.emit({ type: 'progress', text: `leaving the workspace image in ${place}` })
    await attempt(`the workspace image could not be left in ${place}`, async () => {
      await docker.tag(image.reference, nameOf(image))
      if (registry === undefined) await saveFile(image)
      else await docker.push(nameOf(image))
      await docker.removeImages([nameOf(image)])
    })
  }

  async function saveFile(image: WorkspaceImage): Promise<void> {
    await makeFolder(folder, 0o755)
    const temporary = `${fileOf(image)}.${process.pid}.tmp`
    await docker.save(nameOf(image), temporary)
    await renameInto(temporary, fileOf(image))
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

  return { restore, save }
}
