/** Reads the text of a file that people write: a configuration, a compose file. It may be a stranger's, so that no pipe, device or endless file may hold us up. */
import { constants } from 'node:fs'
import { type FileHandle, open as openForReading } from 'node:fs/promises'
import { NexusError } from '../core/errors.ts'
import { quote } from './problem.ts'

export const FILE_MAX_BYTES = 64 * 1024

export interface ReadOptions {
  readonly maxBytes?: number
  /** Replaces what is not UTF-8 instead of refusing the file. */
  readonly lossy?: boolean
}

/**
 * The file's text with its byte order mark; undefined when there is no file.
 * @throws {NexusError} CONFIG_INVALID when it is there and cannot be read as UTF-8 text
 */
export async function readText(file: string, options: ReadOptions = {}): Promise<string | undefined> {
  const { maxBytes = FILE_MAX_BYTES, lossy = false } = options
  let handle: FileHandle | undefined
  try {
    // opening a pipe waits for its other end, unless told not to
    handle = await openForReading(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await handle.stat()).isFile()) throw unreadable(file, 'it is not a regular file')
    const bytes = await readUpTo(handle, maxBytes + 1)
    if (bytes.length > maxBytes) throw unreadable(file, `it is larger than ${maxBytes / 1024} KiB`)
    return new TextDecoder('utf-8', { fatal: !lossy, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    if (error instanceof NexusError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw unreadable(file, 'it is not UTF-8 text', error)
    throw unreadable(file, code ?? 'unknown reason', error)
  } finally {
    await handle?.close()
  }
}

async function readUpTo(handle: FileHandle, limit: number): Promise<Buffer> {
  const bytes = Buffer.alloc(limit)
  let length = 0
  while (length < limit) {
    const { bytesRead } = await handle.read(bytes, length, limit - length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}

function unreadable(file: string, why: string, cause?: unknown): NexusError {
  const name = /^[\w./@:+-]+$/.test(file) ? file : quote(file)
  return new NexusError('CONFIG_INVALID', `${file} cannot be read: ${why}.`, {
    hint: `To see what it is, run \`ls -ld ${name}\``,
    details: { file },
    cause,
  })
}
