/**
 * Small notes that are no state: a file's time, or a number in it, is all that counts. The hottest paths write them, by
 * system calls alone, and a failed write is no error: a full disk or a read-only home is reported by the code that
 * writes state. What must survive goes through `store.ts`.
 */
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Marks a file as used now; made where it is missing and `make` says so. */
export function stamp(path: string, make: boolean): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    if (make) note(path, '')
  }
}

export function stampedAt(path: string): Date | undefined {
  try {
    return statSync(path).mtime
  } catch {
    return undefined
  }
}

export function noteCount(path: string, count: number): void {
  note(path, `${count}\n`)
}

/** 0 where nothing, or nothing that is a number, was noted. */
export function readCount(path: string): number {
  try {
    const count = Number(readFileSync(path, 'utf8'))
    return Number.isSafeInteger(count) && count > 0 ? count : 0
  } catch {
    return 0
  }
}

export function dropNote(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // it stays, as it would where nothing can be written
  }
}

function note(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, text, { mode: 0o600 })
  } catch {
    // not reported; see above
  }
}
