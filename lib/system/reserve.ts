/**
 * Room that NEXUS_HOME holds back for a full disk. stop, delete and gc note what they do, and a note needs room before
 * anything is freed, since a record is written beside the old one and renamed. When such a write finds no room, these
 * commands give up a part of the reserve and write again. A later command that finds room fills it up.
 */

import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, statfsSync, statSync, truncateSync } from 'node:fs'
import { dirname } from 'node:path'
import { isOutOfSpace } from './temporary.ts'

const RESERVE_BYTES = 512 * 1024
/** For a command or two: records are some kilobytes, and each is written beside the old one. */
const PART_BYTES = 64 * 1024
/** A disk with less room than so many times the reserve keeps it. */
const ROOM = 4

let spendable: string | undefined

/** From now on this process may give it up. */
export function maySpend(reserve: string): void {
  spendable = reserve
}

/** Fills the reserve up; on a nearly full disk it stays smaller, or empty. */
export function keepReserve(reserve: string): void {
  try {
    const missing = RESERVE_BYTES - sizeOf(reserve)
    if (missing <= 0) return
    mkdirSync(dirname(reserve), { recursive: true, mode: 0o700 })
    const { bavail, bsize } = statfsSync(dirname(reserve))
    // what a file system could leave out or press together would be no room
    if (bavail * bsize > ROOM * RESERVE_BYTES) appendFileSync(reserve, randomBytes(missing), { mode: 0o600 })
  } catch {
    // a trouble with the folder is reported by the writes into it
  }
}

/** True when the write that found no room is worth another try. */
export function spendFor(error: unknown): boolean {
  if (spendable === undefined || !isOutOfSpace(error)) return false
  const size = sizeOf(spendable)
  if (size === 0) return false
  truncateSync(spendable, Math.max(0, size - PART_BYTES))
  return true
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
