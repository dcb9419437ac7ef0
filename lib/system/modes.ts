/**
 * Modes that keep other users of this machine out. Files of a workspace have the modes and owners that a container gave
 * them, so the folder above has to keep others away. A mode is changed through an open file, never by a path, because a
 * program inside may put a link at the path in between.
 */
import { chmodSync, constants, lstatSync, realpathSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { makeFolder } from './store.ts'

const CLOSED = 0o700
/** What only the owner may have of it, and the bits that folders below would inherit. */
const TOO_OPEN = 0o7077
/** Errors that are fine here: no folder at this path, a file system without modes, or a read-only one. */
const NOT_A_FOLDER = ['ELOOP', 'ENOTDIR']
const NO_MODES = ['EPERM', 'ENOTSUP', 'EROFS']

/**
 * Makes a folder of mode 0700, or closes an existing one to others. It leaves a link, and another user's folder, alone.
 * @param owner the user to whom root gives the folder
 */
export async function closeFolder(path: string, owner?: { readonly uid: number; readonly gid: number }): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) await makeFolder(path, CLOSED)
  const folder = await openFolder(path)
  if (folder === undefined) return
  try {
    const { uid, mode } = await folder.stat()
    const self = process.getuid?.() ?? uid
    if (self === 0 && uid === 0 && owner !== undefined && owner.uid !== 0) await folder.chown(owner.uid, owner.gid)
    if ((mode & TOO_OPEN) !== 0 && (self === 0 || self === uid)) await folder.chmod(CLOSED)
  } catch (error) {
    // `nexus doctor` tells of it
    if (!NO_MODES.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await folder.close()
  }
}

/**
 * Gives this user rights to the user's own folder again: a program inside may have taken all of them from the top of a
 * worktree.
 */
export function reopenFolder(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true || stat.uid !== process.getuid?.() || (stat.mode & CLOSED) === CLOSED) return
  chmodSync(path, (stat.mode & 0o7777) | CLOSED)
}

/** Gives a folder to a group, which may do there what its owner may. */
export async function letGroupIn(path: string, gid: number): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    await folder.chown(-1, gid)
    await folder.chmod(((await folder.stat()).mode & 0o7777) | 0o070)
  } finally {
    await folder.close()
  }
}

/** The rights of others in a folder; undefined without any, for a link, and for a missing folder. */
export function openTo(path: string): number | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && (stat.mode & 0o077) !== 0 ? stat.mode & 0o7777 : undefined
}

/** Opens the folder itself and no link to it. Undefined where this user may not open it. */
async function openFolder(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    if ([...NOT_A_FOLDER, 'EACCES', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/**
 * Takes the set-user-ID and set-group-ID bits from a file that really lies in `root`. False for one of another user, or
 * that is not what it was any more.
 */
export async function clearSetId(root: string, path: string): Promise<boolean> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return false // whatever stands in the way: who called tells how it is done by hand
  }
  try {
    const { mode, uid } = await file.stat()
    const self = process.getuid?.() ?? uid
    const inside = realpathSync(`/proc/self/fd/${file.fd}`).startsWith(`${realpathSync(root)}/`)
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || !inside || (self !== 0 && self !== uid)) return false
    await file.chmod(mode & 0o1777)
    return true
  } finally {
    await file.close()
  }
}
