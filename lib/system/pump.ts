/**
 * Copies a child's output to our own stdout and stderr, so that a failed write is noticed and becomes an error. A
 * reader that has gone is no error: the child hears of it at its next write.
 */
import { fstatSync, write } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { NexusError } from '../core/errors.ts'

/** The other end is non-blocking. */
const AGAIN_MS = 5

/** Turns of the event loop: one reads what can be read, the others let it pass the streams in between. */
const DRAIN_TURNS = 4

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left',
  EDQUOT: 'the disk quota is exceeded',
  EFBIG: 'the file would be larger than is allowed',
  EIO: 'an input or output error',
  EROFS: 'the file system is read-only',
}

/** Undefined for a reader that has gone. The error has no hint, as no command of Nexus can help. */
export function unwritable(error: unknown, stream = 'stdout'): NexusError | undefined {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'EPIPE') return undefined
  return new NexusError('DISK_FULL', `${stream} cannot be written: ${WHY[code] ?? (code || message)}`, { cause: error })
}

export interface Pumping {
  /** After the end of the child: when all that it said is written. @throws {NexusError} DISK_FULL for stdout */
  finish(): Promise<void>
}

/** Null for a stream that the child has itself. */
export function pumpOut(stdout: Readable | null, stderr: Readable | null): Pumping {
  // where both lead to one place, in the order in which it came
  const one = createWriter(1)
  const two = stderr !== null && isSamePlace() ? one : createWriter(2)
  const flows = [startFlow(stdout, one), startFlow(stderr, two)]
  return {
    finish: async () => {
      const [failure] = await Promise.all(flows.map((flow) => flow.finish()))
      const error = failure === undefined ? undefined : unwritable(failure)
      if (error !== undefined) throw error
    },
  }
}

function startFlow(from: Readable | null, writer: ReturnType<typeof createWriter>) {
  if (from === null) return { finish: async () => undefined }
  let pieces = 0
  let failure: unknown
  let isFinished = false
  const flow = async () => {
    for await (const chunk of from) {
      pieces++
      await writer.write(chunk as Buffer)
    }
  }
  const done = flow().catch((error: unknown) => {
    if (!isFinished) failure = error
  })
  /** Reads what was written before the child ended; another process may hold the stream for ever. */
  const isDrained = async () => {
    for (let before = -1; before !== pieces || writer.isBusy(); ) {
      before = pieces
      for (let turns = 0; turns < DRAIN_TURNS; turns++) await turn()
    }
  }
  return {
    finish: async () => {
      await Promise.race([done, isDrained()])
      isFinished = true
      from.destroy() // somebody else may hold it
      return failure
    },
  }
}

function createWriter(fd: number) {
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  return {
    isBusy: () => waiting > 0,
    write: (chunk: Buffer): Promise<void> => {
      waiting++
      const mine = last.then(() => writeWhole(fd, chunk)).finally(() => waiting--)
      last = mine.catch(() => undefined) // told to who wrote that piece
      return mine
    },
  }
}

async function writeWhole(fd: number, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const written = await writeSome(fd, chunk.subarray(at))
    if (written === 0) await pause(AGAIN_MS)
    at += written
  }
}

function writeSome(fd: number, chunk: Buffer): Promise<number> {
  return new Promise((done, fail) => {
    write(fd, chunk, (error, written) => {
      if (error === null) done(written)
      else if (error.code === 'EAGAIN') done(0)
      else fail(error)
    })
  })
}

function isSamePlace(): boolean {
  const [one, two] = [fstatSync(1), fstatSync(2)]
  return one.dev === two.dev && one.ino === two.ino
}
