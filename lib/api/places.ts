/**
 * Where a home's server is found: its socket, and a note of who it is. Reads, and makes the folder; the socket's folder is
 * its owner's alone, which is what guards the door.
 */
import { lstatSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { HomePaths } from '../core/paths.ts'
import { isAlive, isOwn, type ProcessIdentity } from '../system/process.ts'
import { runPlace } from '../system/run-place.ts'
import { readIfPresent, writeFileAtomic } from '../system/store.ts'

/** A socket's path has at most 107 bytes. */
const PATH_MAX_BYTES = 100

/**
 * In `run/`, or in a short private folder when that path would be too long.
 * @throws {NexusError} PERMISSION_DENIED when that folder is not this user's alone
 */
export function socketPath(home: HomePaths): string {
  return runPlace(home, { name: 'api.sock', maxBytes: PATH_MAX_BYTES })
}

/** Where this home's server is to be asked: the server's own note says it; without a server, where the next one will listen. */
export async function servedSocket(home: HomePaths): Promise<string> {
  return (await findServer(home))?.socket ?? socketPath(home)
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
