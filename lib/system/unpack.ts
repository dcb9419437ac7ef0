/**
 * Writes trees of files that come out of a workspace; besides it only `store.ts` and `within.ts` write files. The input
 * is not trusted, and a program inside may change the target meanwhile: each folder is opened in the one above it, and
 * no link is followed. A file is written beside its place and renamed when it is whole.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  lutimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { staysWithin, type TarEntry } from '../core/tar.ts'
import { explainWriteError } from './temporary.ts'
import { bytesOf, type Folder, openFolder, shown, type Tell, type TreeItem, within } from './tree.ts'

let sequence = 0

export interface Unpacker {
  /** Writes one entry at these names below the base; a file that exists is replaced, a folder is kept. */
  put(names: readonly string[], item: TreeItem): Promise<void>
  /** Waits until all is there. */
  finish(): Promise<void>
  /** Ends it, also after a failure. */
  close(): void
}

interface Level extends Folder {
  readonly names: readonly string[]
  /** Mode and time for a folder that was made here, given when all is in it. */
  readonly made: TarEntry | undefined
}

/**
 * Makes files below `base`, a folder that is there. A link that would lead out of its tree is left out.
 * @throws {NexusError} from `put`: DISK_FULL, PERMISSION_DENIED, INVALID_ARGUMENT where something of another kind is in
 * the way
 */
export function createUnpacker(base: string, tell: Tell): Unpacker {
  const top: Level = { fd: openBase(base), path: bytesOf(base), names: [], made: undefined }
  const stack: Level[] = [top]

  const leave = () => {
    const level = stack.pop()
    if (level === undefined) return
    if (level.made !== undefined) {
      fchmodSync(level.fd, level.made.mode)
      futimesSync(level.fd, level.made.mtime, level.made.mtime)
    }
    closeSync(level.fd)
  }

  const isAbove = ({ names }: Level, of: readonly string[]) => names.every((name, i) => of[i] === name)

  /** The open folder of these names, each opened in the one above. */
  function enter(names: readonly string[]): Level {
    let here = stack.at(-1) ?? top
    while (!isAbove(here, names)) {
      leave()
      here = stack.at(-1) ?? top
    }
    while (here.names.length < names.length) {
      const name = names[here.names.length] ?? ''
      here = { ...openFolder(here, name), names: names.slice(0, here.names.length + 1), made: undefined }
      stack.push(here)
    }
    return here
  }

  function makeFolder(parent: Level, name: string, names: readonly string[], entry: TarEntry): void {
    let isNew = true
    try {
      mkdirSync(within(parent, name), { mode: 0o700 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      isNew = false
    }
    stack.push({ ...openFolder(parent, name), names, made: isNew ? entry : undefined })
  }

  async function makeFile(parent: Level, name: string, { entry, content }: TreeItem): Promise<void> {
    const temporary = within(parent, temporaryIn())
    const fd = openSync(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
    try {
      try {
        for await (const chunk of content) writeAll(fd, chunk)
        fchmodSync(fd, entry.mode)
        futimesSync(fd, entry.mtime, entry.mtime)
      } finally {
        closeSync(fd)
      }
      renameSync(temporary, within(parent, name))
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }

  function makeLink(parent: Level, name: string, { target, mtime }: TarEntry): void {
    const temporary = within(parent, temporaryIn())
    symlinkSync(Buffer.from(target, 'latin1'), temporary)
    try {
      lutimesSync(temporary, mtime, mtime)
      renameSync(temporary, within(parent, name))
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }

  async function put(names: readonly string[], item: TreeItem): Promise<void> {
    const { entry } = item
    const name = names.at(-1)
    if (name === undefined) return
    const path = `${shown(top.path)}/${shown(names.join('/'))}`
    if (entry.kind === 'other') return tell({ text: `${path} is no file and no folder`, fatal: false })
    if (entry.kind === 'link' && !staysWithin(entry.names, entry.target))
      return tell({ text: `the link ${path} leads out of what is copied, to ${shown(entry.target)}`, fatal: false })
    try {
      const parent = enter(names.slice(0, -1))
      if (entry.kind === 'folder') makeFolder(parent, name, names, entry)
      else if (entry.kind === 'link') makeLink(parent, name, entry)
      else await makeFile(parent, name, item)
    } catch (error) {
      throw explainPlace(error, path)
    }
  }

  const close = () => {
    while (stack.length > 0) leave()
  }
  return { put, finish: async () => close(), close }
}

function openBase(base: string): number {
  try {
    return openSync(base, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    throw explainPlace(error, base)
  }
}

/** What a killed process left goes with the next write into that folder by `store.ts`. */
function temporaryIn(): string {
  return `.nexus-${process.pid}-${sequence++}.tmp`
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
}

/** Whatever the file system does not take is told with its own word for it: names and times come from a stranger. */
function explainPlace(error: unknown, path: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  const explained = explainWriteError(error, path)
  if (explained !== error || code === undefined || syscall === undefined) return explained
  const isFolder = code === 'EISDIR' || code === 'ENOTEMPTY'
  const isAstray = ['ENOTDIR', 'ELOOP', 'EMLINK', 'ENOENT'].includes(code)
  const what = isFolder ? 'is a folder' : isAstray ? 'does not lie in a folder, or is none' : `is refused with ${code}`
  return new NexusError('INVALID_ARGUMENT', `${path} ${what}, so that it is not written.`, {
    hint: `To see what is there, run \`ls -la ${shellWord(dirname(path))}\``,
    cause: error,
  })
}
