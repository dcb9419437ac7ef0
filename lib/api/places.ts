/**
 * Where a home's server is found: its socket, and a note of who it is. Reads, and makes the folder; the socket's folder is
 * its owner's alone, which is what guards the door.
 */
import { lstatSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { HomePaths } from '../core/paths.ts'
import { isAlive, isOwn, type ProcessIdentity } from '../system/process.ts'
import { runPlace } from '../system/run-place.ts'
import { makeFolder, readIfPresent, restrict, writeFileAtomic } from '../system/store.ts'

/** A socket's path has at most 107 bytes. */
const PATH_MAX_BYTES = 100

/**
 * In `run/`, or in a short private folder when that path would be too long.
 * @throws {NexusError} PERMISSION_DENIED when that folder is not this user's alone
 */
export function socketPath(home: HomePaths, env: NodeJS.ProcessEnv): string {
  return runPlace(home, { name: 'api.sock', maxBytes: PATH_MAX_BYTES, base: env.XDG_RUNTIME_DIR })
}

/**
 * Makes the socket's folder, or sees that the one there is ours and nobody else's.
 * @throws {NexusError} PERMISSION_DENIED
 */
export async function requirePrivateFolder(socket: string): Promise<void> {
  const folder = dirname(socket)
  await makeFolder(folder)
  const stat = lstatSync(folder)
  const own = stat.isDirectory() && (process.getuid === undefined || stat.uid === process.getuid())
  if (!own) {
    throw new NexusError('PERMISSION_DENIED', `${folder} is not a folder of this user's, so no socket is put there.`, {
      hint: `To see whose it is, run \`ls -ld ${folder}\``,
    })
  }
  if ((stat.mode & 0o077) !== 0) await restrict(folder, 0o700)
}

/** The socket that this process listens at, told from one that another process has put there. */
export interface OwnSocket {
  isThere(): boolean
  /** Leaves what is another's. */
  remove(): void
}

export function ownSocket(path: string): OwnSocket {
  const { dev, ino } = lstatSync(path)
  const isThere = () => {
    const now = lstatSync(path, { throwIfNoEntry: false })
    return now?.dev === dev && now.ino === ino
  }
  return { isThere, remove: () => void (isThere() && rmSync(path, { force: true })) }
}

/** Who serves, as the server itself noted it. */
export interface ServerNote extends ProcessIdentity {
  readonly socket: string
  /** Of 127.0.0.1 and, where there is one, ::1; null without TCP. */
  readonly port: number | null
  readonly startedAt: string
  readonly version: string
}

export function noteFile(home: HomePaths): string {
  return join(home.run, 'serve.json')
}

export async function writeNote(home: HomePaths, note: ServerNote): Promise<void> {
  await writeFileAtomic(noteFile(home), `${JSON.stringify(note)}\n`)
}

/** The server that lives; undefined when there is none. */
export async function findServer(home: HomePaths): Promise<ServerNote | undefined> {
  const text = await readIfPresent(noteFile(home))
  if (text === undefined) return undefined
  try {
    const note = JSON.parse(text) as ServerNote
    return isAlive(note) ? note : undefined
  } catch {
    return undefined // it is made anew by the next server
  }
}

/** The note of this process; another's stays. */
export async function removeNote(home: HomePaths): Promise<void> {
  const server = await findServer(home)
  if (server === undefined || isOwn(server)) await rm(noteFile(home), { force: true })
}
