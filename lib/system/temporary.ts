/**
 * What writing a file in one step takes besides the writing (`store.ts`): names of temporary files that tell whose they are, the removal of
 * those that a killed process left, and what a failure means in the user's words.
 */
import { accessSync, constants, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { isRunning } from './process.ts'

let sequence = 0
let diskIsFull = false

/** For tests: every write of this process fails from now on as on a full disk. */
export function simulateFullDisk(): void {
  diskIsFull = true
}

/** @throws {Error} ENOSPC, for tests that asked for it */
export function requireSpace(): void {
  if (diskIsFull) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

/** Unique among the processes of this machine, and telling which process writes it. */
export function temporaryName(path: string): string {
  return `${path}.nexus-${process.pid}-${sequence++}.tmp`
}

/** What `temporaryName` adds to the name of a file. */
export const TEMPORARY_SUFFIX = /\.nexus-(\d+)-\d+\.tmp$/

/** True for the name of a temporary file whose process has ended. */
export function isAbandoned(name: string, pattern = TEMPORARY_SUFFIX): boolean {
  const pid = pattern.exec(name)?.[1]
  return pid !== undefined && !isRunning(Number(pid))
}

/**
 * Removes what killed processes left in a folder: before each write there the temporary files, else what `pattern` knows by its name, of
 * which the first group is the process.
 */
export function removeAbandoned(folder: string, pattern = TEMPORARY_SUFFIX): void {
  try {
    const names = readdirSync(folder).filter((name) => isAbandoned(name, pattern))
    for (const name of names) rmSync(join(folder, name), { recursive: true, force: true })
  } catch {
    // another user's folder: whatever is wrong with it is told by what is done in it
  }
}

export function explainReadError(error: unknown, path: string): unknown {
  if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return error
  return new NexusError('PERMISSION_DENIED', `${path} cannot be read.`, {
    hint: `To see who owns it, run \`ls -ld ${path}\``,
    cause: error,
  })
}

/** True for what a write fails with on a full disk, or beyond the user's share of it. */
export function isOutOfSpace(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

export function explainWriteError(error: unknown, path: string): unknown {
  if (isOutOfSpace(error)) {
    return new NexusError('DISK_FULL', `There is no space left to write ${path}.`, {
      hint: 'To see what uses the disk, run `df -h` and `docker system df`',
      cause: error,
    })
  }
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return cannotBeWritten(error, path)
    case 'ENOENT': // so node says of a folder in a file system that is read-only
      return isReadOnly(dirname(path)) ? cannotBeWritten(error, path) : error
    default:
      return error
  }
}

function cannotBeWritten(error: unknown, path: string): NexusError {
  return new NexusError('PERMISSION_DENIED', `${path} cannot be written.`, {
    hint: `To see who owns it, run \`ls -ld ${dirname(path)}\``,
    cause: error,
  })
}

function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return false
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EROFS' || (code === 'ENOENT' && folder !== dirname(folder) && isReadOnly(dirname(folder)))
  }
}
