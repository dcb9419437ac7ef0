/**
 * Where the sockets of a home lie: in `run/`, or in a short folder below /tmp when the kernel would not take so long a path. The home
 * alone decides which: a login, cron and `su` have different variables, and must find the same server.
 * Other users can make folders in /tmp too, and somebody may remove ours while we run: each use makes the folder or checks it. A folder
 * that others could enter is refused, not closed: they may have put something there already.
 */
import { lstatSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import type { HomePaths } from '../core/paths.ts'
import { shellWord } from '../core/shell.ts'
import { explainWriteError } from './temporary.ts'

type Home = Pick<HomePaths, 'home' | 'run'>

export interface Wanted {
  readonly name: string
  /** Of the whole path. */
  readonly maxBytes: number
}

const BASE = '/tmp'

const STICKY = 0o1000

/** The path alone; it may be another user's. */
export function runPath({ home, run }: Home, { name, maxBytes }: Wanted, base = BASE): string {
  const path = join(run, name)
  if (Buffer.byteLength(path) <= maxBytes) return path
  return join(base, `nexus-${process.getuid?.() ?? 0}-${sha256(home).slice(0, 8)}`, name)
}

/**
 * The path to use now.
 * @throws {NexusError} PERMISSION_DENIED when the short folder is not this user's alone
 */
export function runPlace(home: Home, wanted: Wanted, base = BASE): string {
  const path = runPath(home, wanted, base)
  const folder = dirname(path)
  if (folder === home.run) return path
  requireOwnFolder(folder)
  const above = statSync(dirname(folder))
  // others could put a folder of theirs in its place
  if (!isOwn(above.uid) && above.uid !== 0) throw notOwn(folder)
  if ((above.mode & 0o022) !== 0 && (above.mode & STICKY) === 0) throw notOwn(folder)
  return path
}

/**
 * Makes a folder that only its owner can enter, or checks that the one that is there is such.
 * @throws {NexusError} PERMISSION_DENIED when it is somebody else's, open to others, or a link
 */
export function requireOwnFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    // what else is there is told below
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw explainWriteError(error, path)
  }
  const stat = lstatSync(path)
  if (!stat.isDirectory() || !isOwn(stat.uid) || (stat.mode & 0o077) !== 0) throw notOwn(path)
}

function isOwn(uid: number): boolean {
  return uid === (process.getuid?.() ?? uid)
}

function notOwn(path: string): NexusError {
  return new NexusError('PERMISSION_DENIED', `${path} is not a folder of yours alone, so no socket there is used.`, {
    hint: `To see whose it is, run \`ls -ld ${shellWord(path)}\`; to close one of yours, run \`chmod 700 ${shellWord(path)}\``,
    details: { path },
  })
}
