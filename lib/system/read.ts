/**
 * The one reader of files that a stranger may have written: in a worktree, in a git dir that a workspace writes to, in
 * a repository. It reads a plain file only, up to a limit, and never waits: not for the other end of a pipe, not for
 * the end of a device, not for a file that grows.
 */
import {
  closeSync,
  constants,
  fstatSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { explainReadError } from './temporary.ts'

/** Opening a pipe waits for its other end and opening a terminal takes it, unless told not to. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
const DEFAULT_MAX_BYTES = 1024 * 1024
const CHUNK = 64 * 1024

export interface ReadLimits {
  /** Default: 1 MiB. */
  readonly maxBytes?: number
  /** The folder in which the file must really lie. A link within it is fine. */
  readonly within?: string
  /** A file that a link leads out of that folder counts as none, instead of being refused. */
  readonly linksOut?: 'none'
}

/** Why there is nothing to read; '' where nothing is there. */
interface Unread {
  readonly why: string
  readonly cause?: unknown
}

/** Content of a plain file; undefined for anything else at its place, for a look that may find nothing. */
export function readPlain(path: string, limits: ReadLimits = {}): Buffer | undefined {
  const read = readOrTell(path, limits)
  return Buffer.isBuffer(read) ? read : undefined
}

/**
 * The same for a file that the caller needs; undefined only where nothing exists.
 * @throws {NexusError} CONFIG_INVALID that says what stands in its place
 */
export function requirePlain(path: string, limits: ReadLimits = {}): Buffer | undefined {
  const read = readOrTell(path, limits)
  if (Buffer.isBuffer(read)) return read
  if (read.why !== '') throw unreadable(path, read.why, read.cause)
  return undefined
}

/**
 * Checks a file before another program reads it, which might wait for it or read without end. That program refuses a
 * folder itself.
 * @throws {NexusError} CONFIG_INVALID for a pipe, a device or a socket, and for a file that is larger
 */
export function requireReadable(path: string, maxBytes: number): void {
  const stats = statOf(path)
  if (stats === undefined || stats.isDirectory()) return
  const why = kindOf(stats) ?? sizeProblem(stats.size, maxBytes)
  if (why !== undefined) throw unreadable(path, why)
}

/** Names in a folder, at most so many: a stranger may have put millions there. */
export function firstNames(folder: string, max: number): readonly string[] {
  const names: string[] = []
  const open = opendirSync(folder)
  try {
    for (let entry = open.readSync(); entry !== null && names.length < max; entry = open.readSync())
      names.push(entry.name)
  } finally {
    open.closeSync()
  }
  return names
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true
}

/** A plain file that its mode lets somebody run. */
export function isRunnable(path: string): boolean {
  const stats = statOf(path)
  return stats?.isFile() === true && (stats.mode & 0o111) !== 0
}

/** Undefined where nothing can be seen, as behind a ring of links. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/** A plain file, open for reading; undefined where `readPlain` would find none. To be closed. */
export function openPlain(path: string, within?: string): number | undefined {
  const opened = open(path, within)
  return typeof opened === 'number' ? opened : undefined
}

export function unreadable(path: string, why: string, cause?: unknown): NexusError {
  const explained = cause === undefined ? undefined : explainReadError(cause, path)
  if (explained instanceof NexusError) return explained
  return new NexusError('CONFIG_INVALID', `${path} ${why}.`, {
    hint: `To see what it is, run \`ls -ld ${shellWord(path)}\``,
    details: { file: path },
    cause,
  })
}

function readOrTell(path: string, limits: ReadLimits): Buffer | Unread {
  const { maxBytes = DEFAULT_MAX_BYTES, within, linksOut } = limits
  const file = open(path, within)
  if (typeof file !== 'number') return linksOut === 'none' && file.why === LEADS_OUT ? { why: '' } : file
  try {
    const size = sizeProblem(fstatSync(file).size, maxBytes)
    if (size !== undefined) return { why: size }
    const bytes = readUpTo(file, maxBytes + 1)
    return bytes.length > maxBytes ? { why: sizeProblem(bytes.length, maxBytes) ?? '' } : bytes
  } catch (cause) {
    return { why: `cannot be read: ${codeOf(cause)}`, cause }
  } finally {
    closeSync(file)
  }
}

function open(path: string, within: string | undefined): number | Unread {
  let file: number
  try {
    // looked at first, as the mere opening of a device may do something
    const kind = kindOf(statSync(path))
    if (kind !== undefined) return { why: kind }
    file = openSync(path, READ)
  } catch (cause) {
    const code = codeOf(cause)
    return { why: code === 'ENOENT' || code === 'ENOTDIR' ? '' : `cannot be read: ${code}`, cause }
  }
  // what was opened is judged, not what has its name now
  const kind = kindOf(fstatSync(file)) ?? (within === undefined || liesIn(file, path, within) ? undefined : LEADS_OUT)
  if (kind === undefined) return file
  closeSync(file)
  return { why: kind }
}

const LEADS_OUT = 'is or lies behind a link that leads out of the worktree'

function liesIn(file: number, path: string, folder: string): boolean {
  const real = process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${file}`) : realpathSync(path)
  return real.startsWith(`${realpathSync(folder)}/`)
}

/** The kind of thing, for anything but a plain file. */
function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined
  if (stats.isDirectory()) return 'is a folder, not a file'
  if (stats.isFIFO()) return 'is a named pipe, not a file'
  return stats.isSocket() ? 'is a socket, not a file' : 'is a device, not a file'
}

function sizeProblem(size: number, maxBytes: number): string | undefined {
  if (size <= maxBytes) return undefined
  const limit = maxBytes < 1024 * 1024 ? `${maxBytes / 1024} KiB` : `${Math.floor(maxBytes / 1024 / 1024)} MiB`
  return `is larger than ${limit}`
}

function readUpTo(file: number, limit: number): Buffer {
  const pieces: Buffer[] = []
  let length = 0
  // files of /proc tell no size
  while (length < limit) {
    const piece = Buffer.allocUnsafe(Math.min(CHUNK, limit - length))
    const got = readSync(file, piece, 0, piece.length, null)
    if (got === 0) break
    pieces.push(piece.subarray(0, got))
    length += got
  }
  return Buffer.concat(pieces)
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason'
}
