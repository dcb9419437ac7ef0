/**
 * Locks between processes. A lock is two locks: on Linux a listening abstract socket, which the kernel releases when the
 * process dies, decides between Nexus processes; proper-lockfile's folder beside the file is what other tools can see.
 * Because the socket is held first, the library's racy take-over of a stale folder is never run by two processes at once.
 *
 * Locks are for read-modify-write of small files and for naming who works on a workspace; see each caller.
 */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { dirname, resolve } from 'node:path'
import lockfile from 'proper-lockfile'
import { NexusError } from '../core/errors.ts'
import { explainWriteError, makeFolder } from './store.ts'

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

/**
 * Runs `body` while holding the lock named by `path` (a file that need not exist). Not re-entrant.
 * @throws {NexusError} WORKSPACE_BUSY when it stays held for `waitMs`
 */
export async function withLock<T>(path: string, body: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const file = resolve(path)
  await makeFolder(dirname(file))
  const deadline = performance.now() + (options.waitMs ?? DEFAULT_WAIT_MS)
  const waiting = createWait(file, deadline, options)
  const socket = process.platform === 'linux' ? await waitFor(() => holdSocket(file), waiting) : undefined
  try {
    const folder = await waitFor(() => holdFolder(file), waiting)
    try {
      return await body()
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

async function holdFolder(file: string): Promise<{ release(): Promise<void> } | undefined> {
  let compromised: Error | undefined
  try {
    const release = await lockfile.lock(file, {
      realpath: false,
      stale: STALE_MS,
      update: UPDATE_MS,
      retries: 0,
      onCompromised: (error) => {
        compromised = error
      },
    })
    // a compromised folder is somebody else's by now: leave it
    return { release: async () => (compromised === undefined ? release() : undefined) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined
    throw explainWriteError(error, file)
  }
}
