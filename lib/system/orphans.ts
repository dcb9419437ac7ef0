/**
 * The commands that a killed Nexus left running. Each command carries the mark of the Nexus that started it in its
 * environment; a note on disk would cost a write per command and miss one that was started right before the kill. A
 * repair ends them first, because a checkout that goes on would fill a worktree that is being removed.
 */
import { readdirSync } from 'node:fs'
import { kill, WORKER_VARIABLE } from './exec.ts'
import { markOf, type ProcessIdentity } from './process.ts'
import { readPlain } from './read.ts'

/** Milliseconds between TERM and KILL; git removes its lock files in that time. */
const TERM_GRACE_MS = 2_000
const KILL_GRACE_MS = 3_000
const POLL_MS = 10
/** More than the kernel takes. */
const ENVIRONMENT_MAX_BYTES = 16 * 1024 * 1024

/** Ends what is left of a dead process's commands and waits until it is gone; returns how many there were. */
export async function endOrphans(worker: ProcessIdentity): Promise<number> {
  const mark = `${WORKER_VARIABLE}=${markOf(worker)}`
  const first = findMarked(mark)
  if (first.length === 0) return 0
  if (!(await endAll(mark, 'SIGTERM', TERM_GRACE_MS))) await endAll(mark, 'SIGKILL', KILL_GRACE_MS)
  return first.length
}

/** Repeated, as a process that is asked to end may start another one first; true when none is left. */
async function endAll(mark: string, signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
  const asked = new Set<number>()
  const deadline = performance.now() + patienceMs
  for (;;) {
    const left = findMarked(mark)
    if (left.length === 0) return true
    for (const pid of left.filter((one) => !asked.has(one))) kill(pid, signal)
    for (const pid of left) asked.add(pid)
    if (performance.now() > deadline) return false
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
}

/** Processes of this user with the mark; none where there is no /proc. */
function findMarked(mark: string): readonly number[] {
  return listProcesses().filter((pid) => pid !== process.pid && hasVariable(pid, mark))
}

function listProcesses(): readonly number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

/** A process that has ended but was not waited for has no environment any more; another user's shows none. */
function hasVariable(pid: number, variable: string): boolean {
  const environment = readPlain(`/proc/${pid}/environ`, { maxBytes: ENVIRONMENT_MAX_BYTES })
  return environment?.toString().split('\0').includes(variable) === true
}
