/**
 * Files in a folder that somebody in a workspace writes to, read and copied by us on this machine: beside `store.ts`, the door
 * for what is written. Nothing there is believed, neither names nor links nor what kind of thing lies in a file's place.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { explainWriteError } from './temporary.ts'

let sequence = 0

/**
 * Opens a file in a folder that somebody in a workspace writes to: only a plain file that really lies in `root`. No link leads
 * out, not even one that is swapped in meanwhile, and no pipe is waited for.
 */
function openWithin(root: string, path: string): number | undefined {
  let file: number
  try {
    file = openSync(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined // whatever stands in the way there, it is not what is looked for
  }
  const real = process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${file}`) : realpathSync(join(root, path))
  if (fstatSync(file).isFile() && real.startsWith(`${realpathSync(root)}/`)) return file
  closeSync(file)
  return undefined
}

/** Bytes of such a file, undefined when there is none of at most `maxBytes`. */
export function readWithin(root: string, path: string, maxBytes = 1024 * 1024): Buffer | undefined {
  const file = openWithin(root, path)
  if (file === undefined) return undefined
  try {
    return fstatSync(file).size <= maxBytes ? readFileSync(file) : undefined
  } finally {
    closeSync(file)
  }
}

/** Copies such a file to where its content has this SHA-256; false, and nothing is left, where it has not. */
export async function copyWithin(root: string, path: string, target: string, sha256: string): Promise<boolean> {
  const file = openWithin(root, path)
  if (file === undefined) return false
  const temporary = `${target}.${process.pid}.${sequence++}.tmp`
  const hash = createHash('sha256')
  try {
    await mkdir(dirname(target), { recursive: true })
    const source = createReadStream('', { fd: file })
    source.on('data', (chunk) => hash.update(chunk))
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
