/**
 * The one file that writes files. State goes to a temporary name, is synced and renamed over the old file, and the
 * folder is synced: a reader sees the old bytes or the new. Read-modify-write happens under a lock (`lock.ts`).
 */
import {
  chmodSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import {
  appendFile,
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  unlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { readPlain, requirePlain } from './read.ts'
import { spendFor } from './reserve.ts'
import { explainReadError, explainWriteError, removeAbandoned, requireSpace, temporaryName } from './temporary.ts'

/** Each loses at most one race against a removal. */
const FOLDER_ATTEMPTS = 10

/**
 * Replaces a file in one step; missing folders get mode 0700. When `check` throws before the rename, the old file
 * stays.
 * @throws {NexusError} DISK_FULL; the old file is untouched then
 */
export async function writeFileAtomic(
  path: string,
  text: string | Uint8Array,
  mode = 0o600,
  check = () => {},
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    removeAbandoned(dirname(path))
    const file = await open(temporary, 'wx', mode)
    try {
      requireSpace()
      await file.writeFile(text)
      if (owner !== undefined) await file.chown(owner.uid, owner.gid)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    check()
    renameSync(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (spendFor(error)) return writeFileAtomic(path, text, mode, check, owner)
    throw explainWriteError(error, path)
  }
  await syncFolder(dirname(path))
}

/**
 * Writes a file that can be generated again, only when its bytes differ; true when it wrote. It is renamed into place
 * but not synced: after a power cut it is simply generated once more. Synchronous inside, because these files are small
 * and many, and a dozen turns of the event loop for each cost more than the writing.
 */
export async function writeGenerated(path: string, text: string, mode = 0o600): Promise<boolean> {
  const temporary = temporaryName(path)
  try {
    if (readPlain(path, { maxBytes: TEXT_MAX_BYTES })?.toString() === text) return false
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    removeAbandoned(dirname(path))
    requireSpace()
    writeFileSync(temporary, text, { flag: 'wx', mode })
    chmodSync(temporary, mode)
    renameSync(temporary, path)
    return true
  } catch (error) {
    rmSync(temporary, { force: true })
    if (spendFor(error)) return writeGenerated(path, text, mode)
    throw explainWriteError(error, path)
  }
}

/** More than any file of ours has. */
const TEXT_MAX_BYTES = 64 * 1024 * 1024

/**
 * The file's text, or undefined when there is none.
 * @throws {NexusError} CONFIG_INVALID for what is no plain file
 */
export async function readIfPresent(path: string): Promise<string | undefined> {
  return requirePlain(path, { maxBytes: TEXT_MAX_BYTES })?.toString()
}

/**
 * Reads a versioned JSON file. A damaged file is set aside as `<file>.damaged-<time>` and reported through `onDamage`;
 * a newer schema is refused. `migrate` makes the present schema of what an older Nexus wrote; the file stays until it is written.
 * @throws {NexusError} UNSUPPORTED when the file was written by a newer Nexus
 */
export async function readJson<T extends { readonly schema: number }>(
  path: string,
  schema: number,
  onDamage: (kept: string) => void,
  isWhole: (data: T) => boolean = () => true,
  migrate: (data: T) => T = (data) => data,
): Promise<T | undefined> {
  const text = await readIfPresent(path)
  if (text === undefined) return undefined
  let data: T
  try {
    data = JSON.parse(text) as T
    if (typeof data !== 'object' || data === null || typeof data.schema !== 'number') throw new Error('no schema field')
    if (data.schema < schema) data = migrate(data)
    if (data.schema === schema && !isWhole(data)) throw new Error('not of its own shape')
  } catch {
    const kept = `${path}.damaged-${Date.now()}`
    await copyFile(path, kept, constants.COPYFILE_EXCL)
    await unlink(path)
    onDamage(kept)
    return undefined
  }
  if (data.schema > schema) {
    const text = `${path} was written by a newer Nexus (schema ${data.schema}, this one knows ${schema}).`
    const hint = 'To go on, install the newer Nexus again; `nexus version` shows this one'
    throw new NexusError('UNSUPPORTED', text, { hint })
  }
  return data
}

export async function writeJson(path: string, data: unknown, check?: () => void): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(data, null, 1)}\n`, 0o600, check)
}

/** Tried again while another process removes the empty folders above. */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await mkdir(path, { recursive: true, mode }))
    } catch (error) {
      const isRace = (error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < FOLDER_ATTEMPTS
      if (!isRace && !spendFor(error)) throw explainWriteError(error, path)
    }
  }
}

/** Adds a line to a text file of the user's unless it has that line already; the rest of the file stays as it is. */
export async function appendLineOnce(path: string, line: string): Promise<void> {
  const text = (await readIfPresent(path)) ?? ''
  if (text.split(/\r?\n/).includes(line)) return
  await mkdir(dirname(path), { recursive: true })
  await appendFile(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`)
}

/** Older crash logs are removed. */
const CRASH_LOGS_MAX = 20

/** Writes an internal error's stack to a new file in `folder`; returns its path, or the stack where that fails. */
export function writeCrashLog(folder: string, error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const file = join(folder, `crash-${new Date().toISOString().replaceAll(':', '-')}.log`)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, `${stack}\n`, { mode: 0o600 })
    const logs = readdirSync(folder).filter((name) => name.startsWith('crash-'))
    for (const name of logs.sort().slice(0, -CRASH_LOGS_MAX)) rmSync(join(folder, name), { force: true })
    return file
  } catch {
    return stack // the stack itself is the best that can be shown then
  }
}

/** Removes all but the newest files of a folder, by their names' last part, a time. */
export async function keepNewest(folder: string, count: number): Promise<void> {
  const names = (await readdir(folder)).sort((a, b) => timeOf(b).localeCompare(timeOf(a)))
  for (const name of names.slice(count)) await rm(join(folder, name), { force: true })
}

function timeOf(name: string): string {
  return /(\d{4}-[\dTZ-]+)[^-]*$/.exec(name)?.[1] ?? ''
}

/** Leaves a file or folder to its owner alone. */
export async function restrict(path: string, mode: number): Promise<void> {
  await chmod(path, mode)
}

/** Marks a file as used now. */
export async function touch(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now)
}

/** Makes a symbolic link. */
export async function makeLink(target: string, path: string): Promise<void> {
  await symlink(target, path)
}

/** Gives a file or a folder of root to another user; does nothing for other users. */
export async function giveTo(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid)
}

/** Puts a finished file in place, over an older one. */
export async function renameInto(temporary: string, path: string): Promise<void> {
  await rename(temporary, path)
}

/** A second name for a file, unless that name exists. A hard link will do, as files here are only replaced. */
export function linkOnce(path: string, name: string): void {
  try {
    linkSync(path, name)
  } catch {
    // it is there already, or the file system has no links: then there is one safety less
  }
}

/** Copies a file or a folder with all that is in it, modes, times and links as they are, over what is there. */
export async function copyTree(from: string, to: string): Promise<void> {
  await makeFolder(dirname(to), 0o777)
  try {
    await cp(from, to, { recursive: true, force: true, preserveTimestamps: true, verbatimSymlinks: true })
  } catch (error) {
    if (!spendFor(error)) throw explainWriteError(error, to)
    await copyTree(from, to)
  }
}

/** Moves a file or a folder in one step; false between file systems. Missing folders are made. */
export async function moveTree(from: string, to: string): Promise<boolean> {
  await makeFolder(dirname(to))
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EXDEV') return false
    throw explainWriteError(error, from)
  }
}

/** Owner, mode and times of one folder for another; what only root may give stays as it is. */
export async function copyAttributes(from: string, to: string): Promise<void> {
  const { uid, gid, mode, atime, mtime } = await stat(from)
  if (process.getuid?.() === 0) await chown(to, uid, gid)
  await chmod(to, mode & 0o7777)
  await utimes(to, atime, mtime)
}

/** Removes a file or a folder with all that is in it; missing is fine. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 2 })
}

/** Removes a folder that has nothing in it; missing is fine. */
export async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Names in a folder; none for one that is not there. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw explainReadError(error, path)
  }
}

export async function statIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}
