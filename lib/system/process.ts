/**
 * Who a process is, so that a record can name its worker and a later command can tell whether that one still lives: the
 * pid alone may have been given to another process. Reads only.
 */
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat); '' where there is no /proc. */
  readonly pidStart: string
  readonly bootId: string
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, pidStart: startOf(process.pid) ?? '', bootId: bootId() }
}

/** True while exactly this process runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false
  if (identity.pidStart !== '') return startOf(identity.pid) === identity.pidStart
  try {
    process.kill(identity.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  // the second field is the program's name in parentheses and may hold anything
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
