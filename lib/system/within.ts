/**
 * Reads (through `read.ts`) and copies files of a folder that a workspace writes to; besides it only `store.ts` and
 * `unpack.ts` write files. Nothing there is trusted: neither names nor links nor the kind of a file.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, fstatSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openPlain, readPlain } from './read.ts'
import { explainWriteError, removeAbandoned, temporaryName } from './temporary.ts'

/** Bytes of such a file, undefined when there is none of at most `maxBytes`. */
export function readWithin(root: string, path: string, maxBytes?: number): Buffer | undefined {
  return readPlain(join(root, path), { within: root, ...(maxBytes === undefined ? {} : { maxBytes }) })
}

/** SHA-256 of such a file, however large; undefined when there is none, or when the signal comes first. */
export async function hashWithin(root: string, path: string, signal?: AbortSignal): Promise<string | undefined> {
  const file = openPlain(join(root, path), root)
  if (file === undefined) return undefined
  const hash = createHash('sha256')
  for await (const chunk of contentOf(file)) {
    if (signal?.aborted === true) return undefined
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}

/** Copies such a file to where its content has this SHA-256; false, and nothing is left, where it has not. */
export async function copyWithin(root: string, path: string, target: string, sha256: string): Promise<boolean> {
  const file = openPlain(join(root, path), root)
  if (file === undefined) return false
  const temporary = temporaryName(target)
  const hash = createHash('sha256')
  try {
    await mkdir(dirname(target), { recursive: true })
    removeAbandoned(dirname(target))
    const source = contentOf(file).on('data', (chunk) => hash.update(chunk))
    await pipeline(source, createWriteStream(temporary, { flags: 'wx', mode: 0o644 }))
    if (hash.digest('hex') !== sha256) return false
    await rename(temporary, target)
    return true
  } catch (error) {
    throw explainWriteError(error, target)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** As much as the file has now, as it may grow while it is read. Closes it. */
function contentOf(file: number) {
  const { size } = fstatSync(file)
  return createReadStream('', { fd: file, start: 0, end: Math.max(size, 1) - 1 })
}
