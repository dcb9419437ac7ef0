/**
 * The identity of a process: pid, start time and boot. A record names its worker by it, so that a later command can
 * tell whether the worker still lives; the pid alone may belong to another process by then. Reads only.
 */
import { readFileSync, readlinkSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat); '' where there is no /proc. */
  readonly pidStart: string
  readonly bootId: string
  /** Network namespace, in which locks are known by their names; absent where there is none. */
  readonly network?: string
}

export function ownIdentity(): ProcessIdentity {
  const network = networkNamespace()
  return {
    pid: process.pid,
    pidStart: startOf(process.pid) ?? '',
    bootId: bootId(),
    ...(network === undefined ? {} : { network }),
  }
}

/** Stands for no process: the work failed in a server, which lives on. */
export function nobody(): ProcessIdentity {
  return { pid: 0, pidStart: 'ended', bootId: bootId() }
}

/** True where a lock that we hold keeps this process out. */
export function sharesLocks({ network }: ProcessIdentity): boolean {
  return network !== undefined && network === networkNamespace()
}

const networkNamespace = () => ownLink('ns/net')

/** A link below /proc that is about this process. */
function ownLink(name: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/${name}`)
  } catch {
    return undefined // not Linux
  }
}

/** True for the record of this very process. */
export function isOwn(identity: ProcessIdentity): boolean {
  return identity.pid === process.pid && isAlive(identity)
}

let ownMark: string | undefined

/** What the environment of every command that this process starts says, so that its orphans are found. */
export function markOf(identity?: ProcessIdentity): string {
  if (identity !== undefined) return `${identity.pid}-${identity.pidStart}`
  ownMark ??= markOf(ownIdentity())
  return ownMark
}

/** True while exactly this process runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false
  return identity.pidStart === '' ? isRunning(identity.pid) : startOf(identity.pid) === identity.pidStart
}

function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  // the second field is the program's name in parentheses and may hold anything
  const [state = '', ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  // one that has ended stays in the table until its parent asks, which a container's first process may never do
  return state === 'Z' || state === 'X' ? undefined : fields[18]
}

function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/** Leaves a removed current folder, in which libraries fail. Returns its path, if the kernel tells it. */
export function leaveFolder(): string | undefined {
  const where = ownLink('cwd')
  try {
    process.cwd()
  } catch {
    process.chdir('/')
  }
  return /^(\/.*) \(deleted\)$/.exec(where ?? '')?.[1]
}

/** True while any process has this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
