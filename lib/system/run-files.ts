/**
 * Files of a running server: a file that only the first process may create, and a log with a size limit. Neither holds
 * state.
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { explainWriteError } from './temporary.ts'

/** False when there is one already. */
export async function createExclusive(path: string, text: string, mode: number): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } catch (error) {
      await unlink(path)
      throw error
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw explainWriteError(error, path)
  }
}

/** Appends lines; at `maxBytes` the file replaces `<path>.1`. A full disk costs only the line. */
export function createLogFile(path: string, maxBytes: number): (line: string) => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return (line) => {
    const text = `${line}\n`
    try {
      if (size + text.length > maxBytes) {
        renameSync(path, `${path}.1`)
        size = 0
      }
      appendFileSync(path, text, { mode: 0o600 })
      size += text.length
    } catch {
      // a request matters more than its log line
    }
  }
}
