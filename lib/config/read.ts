/** Reads the text of a file that people write: a configuration, a compose file. It may be a stranger's. */
import { isFolder, requirePlain, unreadable } from '../system/read.ts'

export const FILE_MAX_BYTES = 64 * 1024

export interface ReadOptions {
  readonly maxBytes?: number
  /** The folder in which the file must really lie. */
  readonly within?: string
  /** Replaces what is not UTF-8 instead of refusing the file. */
  readonly lossy?: boolean
}

/**
 * The file's text with its byte order mark; undefined when there is no file.
 * @throws {NexusError} CONFIG_INVALID when it is there and cannot be read as UTF-8 text
 */
export async function readText(file: string, options: ReadOptions = {}): Promise<string | undefined> {
  const { maxBytes = FILE_MAX_BYTES, lossy = false, within } = options
  const bytes = requirePlain(file, { maxBytes, ...(within === undefined ? {} : { within }) })
  if (bytes === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: !lossy, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw unreadable(file, 'cannot be read: it is not UTF-8 text', error)
  }
}

/**
 * The text of a `.env`; undefined when there is none. A folder of that name is somebody's virtual environment, and no concern of compose.
 * @param within where one that a link leads out of that folder counts as none: it is read only when that was approved
 * @throws {NexusError} CONFIG_INVALID when something else is there
 */
export function readDotenv(file: string, within?: string): string | undefined {
  if (isFolder(file)) return undefined
  return requirePlain(file, within === undefined ? {} : { within, linksOut: 'none' })?.toString()
}
