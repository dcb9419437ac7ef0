/**
 * Locks between processes. A lock is two locks: on Linux a listening abstract socket, which the kernel releases when
 * the process dies, decides between Nexus processes; proper-lockfile's folder beside the file is what other tools can
 * see. Because the socket is held first, the library's racy take-over of a stale folder is never run by two processes
 * at once.
 *
 * Another tool, which knows the folder alone, may take it while our event loop stands still for long. No Nexus gets in
 * even then. We leave the other tool's folder alone; before a write `requireHeld` notices the loss, and the body runs
 * again.
 *
 * Locks are for read-modify-write of small files and for naming who works on a workspace; see each caller.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, resolve } from 'node:path'
import lockfile from 'proper-lockfile'
import { NexusError } from '../core/errors.ts'
import { spendFor } from './reserve.ts'
import { makeFolder } from './store.ts'
import { explainWriteError, isOutOfSpace } from './temporary.ts'

/** How old proper-lockfile's folder must be to count as abandoned. */
const STALE_MS = process.platform === 'linux' ? 2_000 : 10_000
const UPDATE_MS = 1_000
const DEFAULT_WAIT_MS = 15_000

export interface LockOptions {
  /** Milliseconds to wait for the holder; then WORKSPACE_BUSY. */
  readonly waitMs?: number
  /** Called once, when the lock is found held. */
  readonly onWait?: () => void
  readonly signal?: AbortSignal | undefined
}

export interface Lock {
  /** Throws when another tool took the lock; `body` is then run again, once the lock is ours. */
  readonly requireHeld: () => void
}

class LockLost extends Error {}

/**
 * Runs `body` while holding the lock named by `path` (a file that need not exist). Not re-entrant.
 * @throws {NexusError} WORKSPACE_BUSY when it stays held for `waitMs`
 */
export async function withLock<T>(
  path: string,
  body: (lock: Lock) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  for (;;) {
    try {
      return await runLocked(resolve(path), body, options)
    } catch (error) {
      if (!(error instanceof LockLost)) throw error
    }
  }
}

async function runLocked<T>(file: string, body: (lock: Lock) => Promise<T>, options: LockOptions): Promise<T> {
  await makeFolder(dirname(file))
  const deadline = performance.now() + (options.waitMs ?? DEFAULT_WAIT_MS)
  const waiting = createWait(file, deadline, options)
  const isLinux = process.platform === 'linux'
  const socket = isLinux ? await waitFor(() => holdSocket(file), waiting) : undefined
  try {
    // no Nexus holds it, says the kernel: a killed one left the folder, which counts for two seconds at most
    const quiet = createWait(file, deadline, { signal: options.signal })
    const folder = await waitFor(() => holdFolder(file), isLinux ? quiet : waiting)
    try {
      return await body({ requireHeld: folder.requireHeld })
    } finally {
      await folder.release()
    }
  } finally {
    socket?.close()
  }
}

function createWait(file: string, deadline: number, options: LockOptions): () => Promise<void> {
  let spoken = false
  return async () => {
    options.signal?.throwIfAborted()
    if (performance.now() > deadline) {
      throw new NexusError('WORKSPACE_BUSY', `Another Nexus process holds ${file}.lock.`, {
        hint: 'To see what runs, use `nexus list`, then try again',
        details: { lock: `${file}.lock` },
      })
    }
    if (!spoken) {
      spoken = true
      options.onWait?.()
    }
    await new Promise((wake) => setTimeout(wake, 2 + Math.random() * 8))
  }
}

async function waitFor<T>(attempt: () => Promise<T | undefined>, wait: () => Promise<void>): Promise<T> {
  for (;;) {
    const got = await attempt()
    if (got !== undefined) return got
    await wait()
  }
}

/** The kernel's lock: an abstract socket named after the file; undefined while another process listens on it. */
function holdSocket(file: string): Promise<Server | undefined> {
  const name = createHash('sha256').update(file).digest('hex').slice(0, 24)
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? done(undefined) : fail(error),
    )
    server.listen(`\0nexus-lock-${process.getuid?.() ?? 0}-${name}`, () => done(server.unref()))
  })
}

interface Held extends Lock {
  release(): Promise<void>
}

async function holdFolder(file: string): Promise<Held | undefined> {
  let compromised = false
  let notice: () => void = () => {}
  const noticed = new Promise<void>((done) => {
    notice = done
  })
  try {
    const release = await lockfile.lock(file, {
      realpath: false,
      stale: STALE_MS,
      update: UPDATE_MS,
      retries: 0,
      onCompromised: () => {
        compromised = true
        notice()
      },
    })
    const own = identityOf(`${file}.lock`)
    const isHeld = () => !compromised && identityOf(`${file}.lock`) === own
    return {
      requireHeld: () => {
        if (!isHeld()) throw new LockLost()
      },
      // another tool has it now: the library must see that too, or it removes the folder when the process ends
      release: () => (isHeld() ? release() : Promise.race([noticed, expire(2 * UPDATE_MS)])),
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED' || spendFor(error)) return undefined
    // on a full disk, the kernel's lock has to do
    if (process.platform === 'linux' && isOutOfSpace(error)) return { requireHeld: () => {}, release: async () => {} }
    throw explainWriteError(error, file)
  }
}

/** Tells a folder from another one made at the same path later, which may have the same inode. */
function identityOf(folder: string): string {
  const stat = statSync(folder, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.birthtimeNs}`
}

function expire(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
