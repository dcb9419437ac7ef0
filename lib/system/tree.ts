/**
 * Reads trees of files that are copied elsewhere. A program inside a workspace may change the folders that are walked,
 * so each folder is opened in the one above it and no link is followed: nothing outside is read.
 *
 * Names are bytes, one per character (latin1).
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import type { TarEntry } from '../core/tar.ts'
import { explainReadError } from './temporary.ts'

const READ = constants.O_RDONLY | constants.O_NONBLOCK
const READ_HERE = READ | constants.O_NOFOLLOW
const FOLDER_HERE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY
const CHUNK = 256 * 1024

/** One thing of a tree; `content` has exactly the entry's size. */
export interface TreeItem {
  readonly entry: TarEntry
  readonly content: AsyncIterable<Buffer>
}

/** Files that were left out, in words. */
export type Tell = (problem: { readonly text: string; readonly fatal: boolean }) => void

export function bytesOf(path: string): string {
  return Buffer.from(path).toString('latin1')
}

export function shown(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

/** An open folder. Its entries are named through the descriptor, whatever its path leads to meanwhile. */
export interface Folder {
  readonly fd: number
  /** For messages, and where there is no /proc. */
  readonly path: string
}

export function within({ fd, path }: Folder, name: string): Buffer {
  const folder = process.platform === 'linux' ? `/proc/self/fd/${fd}` : path
  return Buffer.from(`${folder}/${name}`, 'latin1')
}

export function openFolder(parent: Folder, name: string): Folder {
  return { fd: openSync(within(parent, name), FOLDER_HERE), path: `${parent.path}/${name}` }
}

function entryOf(names: readonly string[], stats: Stats, kind: TarEntry['kind'], target = ''): TarEntry {
  const size = kind === 'file' ? stats.size : 0
  return { names, kind, size, mode: stats.mode & 0o777, mtime: stats.mtimeMs / 1000, target }
}

/**
 * A file, or a folder with all that is in it, the folder first. Links in it are links; one that is named itself is
 * followed.
 * @throws {NexusError} PERMISSION_DENIED where nothing of it can be read
 */
export async function* readTree(path: string, tell: Tell): AsyncGenerator<TreeItem> {
  let fd: number
  try {
    fd = openSync(path, READ)
  } catch (error) {
    throw explainReadError(error, path)
  }
  try {
    const stats = fstatSync(fd)
    if (stats.isDirectory()) {
      yield { entry: entryOf([], stats, 'folder'), content: nothing() }
      yield* readFolder({ fd, path: bytesOf(path) }, [], tell)
    } else yield { entry: entryOf([], stats, 'file'), content: contentOf(fd, stats.size, path, tell) }
  } finally {
    closeSync(fd)
  }
}

async function* readFolder(folder: Folder, above: readonly string[], tell: Tell): AsyncGenerator<TreeItem> {
  let names: readonly string[]
  try {
    names = readdirSync(within(folder, '.'), { encoding: 'latin1' }).sort()
  } catch (error) {
    return tell({ text: `${shown(folder.path)} cannot be read: ${reasonOf(error)}`, fatal: true })
  }
  for (const name of names) yield* readOne(folder, name, [...above, name], tell)
}

async function* readOne(folder: Folder, name: string, names: readonly string[], tell: Tell): AsyncGenerator<TreeItem> {
  const path = `${folder.path}/${name}`
  let fd: number
  try {
    fd = openSync(within(folder, name), READ_HERE)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // a link, which NOFOLLOW refuses to open; a socket; or one that was removed meanwhile
    if (code === 'ELOOP' || code === 'EMLINK') return yield* readLink(folder, name, names)
    if (code === 'ENXIO') return tell({ text: `${shown(path)} is no file and no folder`, fatal: false })
    if (code === 'ENOENT') return
    return tell({ text: `${shown(path)} cannot be read: ${reasonOf(error)}`, fatal: true })
  }
  try {
    const stats = fstatSync(fd)
    if (stats.isDirectory()) {
      yield { entry: entryOf(names, stats, 'folder'), content: nothing() }
      yield* readFolder({ fd, path }, names, tell)
    } else if (stats.isFile()) {
      yield { entry: entryOf(names, stats, 'file'), content: contentOf(fd, stats.size, shown(path), tell) }
    } else tell({ text: `${shown(path)} is no file and no folder`, fatal: false })
  } finally {
    closeSync(fd)
  }
}

async function* readLink(folder: Folder, name: string, names: readonly string[]): AsyncGenerator<TreeItem> {
  const target = readlinkSync(within(folder, name), { encoding: 'latin1' })
  yield { entry: entryOf(names, lstatSync(within(folder, name)), 'link', target), content: nothing() }
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** Exactly the promised number of bytes, though the file may have become shorter or longer. */
async function* contentOf(fd: number, size: number, path: string, tell: Tell): AsyncGenerator<Buffer> {
  if (size === 0 && hasContent(fd))
    tell({ text: `the content of ${path}, which has size 0 as files of /proc have`, fatal: false })
  let left = size
  while (left > 0) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, left))
    const got = readSync(fd, chunk, 0, chunk.length, null)
    if (got === 0) {
      tell({ text: `${path} became shorter while it was read`, fatal: true })
      for (; left > 0; left -= CHUNK) yield Buffer.alloc(Math.min(CHUNK, left))
      return
    }
    left -= got
    yield chunk.subarray(0, got)
  }
}

/** Files that the kernel generates, such as most of /proc, have no size; some cannot be read at all. */
function hasContent(fd: number): boolean {
  try {
    return readSync(fd, Buffer.allocUnsafe(1), 0, 1, null) > 0
  } catch {
    return true // which is told
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'EACCES' || code === 'EPERM' ? 'permission denied' : message
}
