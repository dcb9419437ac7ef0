/** The size of a folder, by `du`, and the space left on its disk. Reads only; null for unknown. */
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { NexusError } from '../core/errors.ts'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { formatSize } from '../core/sizes.ts'
import type { Runner } from '../system/exec.ts'

const TIMEOUT_MS = 10_000
/** Less than this is worth a word: one build can take it. */
const LOW_BYTES = 5e9
const EMPTY_BYTES = 5e8

/** Bytes; 0 for a folder that is not there. */
export async function measureFolder(runner: Runner, path: string, timeoutMs = TIMEOUT_MS): Promise<number | null> {
  if (!existsSync(path)) return 0
  if (timeoutMs <= 0) return null
  try {
    // what cannot be read (root's files) is left out, with code 1 and a remark
    const { stdout } = await runner.run(['du', '-sk', '--', path], { timeoutMs, okCodes: [0, 1] })
    const kilobytes = /^(\d+)/.exec(stdout)?.[1]
    return kilobytes === undefined ? null : Number(kilobytes) * 1024
  } catch (error) {
    if (error instanceof NexusError) return null
    throw error
  }
}

/** Bytes that this user can still write; null for a folder that is not on this machine. */
export async function freeSpace(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return null // whatever the reason, there is nothing to say about it
  }
}

export function judgeSpace(folder: string, free: number | null): readonly Diagnosis[] {
  if (free === null) return []
  const message = `${folder} has ${formatSize(free)} left`
  if (free >= LOW_BYTES) return [well(message)]
  const tell = free < EMPTY_BYTES ? failure : warning
  const why = 'Without space builds, databases and commits fail half-way.'
  return [tell({ message: `${message}.`, why, hint: 'To see what Nexus can give back, run `nexus gc --dry-run`' })]
}
