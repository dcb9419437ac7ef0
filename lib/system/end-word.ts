/**
 * Commands that say when they have ended: the shell around a command writes a random word and the exit code to both
 * streams. What was written before the word has arrived, so a process that the command left in the background may hold
 * the streams for ever. The program that carried the streams (ssh) is ended when it does not end by itself.
 */
import { randomBytes } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

const CODE_DIGITS = 3
const CODE = new RegExp(`^\\d{${CODE_DIGITS}}$`)
/** How long the carrier of the streams may take to end by itself. */
const LINGER_MS = 50

export interface Heard {
  readonly stdout: Readable
  readonly stderr: Readable
  /** The command's exit code, once each stream had the word or its reader closed it; pending without a word. */
  readonly over: Promise<number>
}

/** A random word, so that no output contains it. */
export function createEndWord(): string {
  return randomBytes(16).toString('hex')
}

/**
 * Text for bash: writes the word and the last exit code, to stdout last, as a reader may have closed that. It holds the word in
 * halves: a command may print the command line that it stands on, such as with `ps`.
 */
export function sayEnd(word: string, stderr: string): string {
  const half = word.length / 2
  const say = `printf '%s%s%0${CODE_DIGITS}d' ${word.slice(0, half)} ${word.slice(half)} $c`
  return `c=$?; trap '' PIPE; ${say} >&${stderr}; ${say}; exit $c`
}

/** Both streams up to the word; as they are without one. */
export function hear(streams: { readonly stdout: Readable; readonly stderr: Readable }, word?: string): Heard {
  const never = new Promise<never>(() => {})
  if (word === undefined) return { ...streams, over: never }
  const [out, err] = [untilWord(streams.stdout, word), untilWord(streams.stderr, word)]
  const over = Promise.all([out.code, err.code]).then(([code, same]) => code ?? same ?? never)
  return { stdout: out.stream, stderr: err.stream, over }
}

/** The program that carries a command's streams. */
export interface Carrier {
  readonly isAlive: () => boolean
  /** Lets go of the carrier's life line. */
  readonly letGo?: (() => void) | undefined
  /** Lets another process read what the command left behind. */
  readonly relieve: () => Promise<unknown>
  readonly end: () => void
}

/** Once the command is over, lets go of its carrier, and ends the carrier when it does not end by itself. */
export async function endAfter(over: Promise<number>, { isAlive, letGo, relieve, end }: Carrier): Promise<void> {
  await over
  letGo?.()
  await pause(LINGER_MS, undefined, { ref: false })
  if (isAlive()) await relieve().catch(() => undefined) // it writes to nobody then
  if (isAlive()) end()
}

function untilWord(from: Readable, word: string) {
  const mark = Buffer.from(word)
  let waiting: Buffer = Buffer.alloc(0)
  let isOver = false
  let tell: (code: number | undefined) => void = () => {}
  const code = new Promise<number | undefined>((done) => {
    tell = done
  })
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (isOver) return done()
      const said = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
      const { at, code: found } = findEnd(said, mark)
      waiting = said.subarray(at)
      if (at > 0) this.push(said.subarray(0, at))
      if (found === undefined) return done()
      isOver = true
      this.push(null)
      tell(found)
      setImmediate(letGo)
      done()
    },
    flush(done) {
      tell(undefined)
      done(null, isOver || waiting.length === 0 ? undefined : waiting)
    },
  })
  /** Output after the word is read and dropped, so that its writer does not block. */
  const letGo = () => {
    from.unpipe(stream)
    from.resume()
    stream.end()
  }
  stream.once('close', () => {
    tell(undefined)
    if (!isOver) from.destroy()
  })
  from.once('close', () => stream.end())
  from.pipe(stream)
  return { stream: stream as Readable, code }
}

/** Where the mark stands with an exit code behind it, or else where what may still become that begins. */
function findEnd(text: Buffer, mark: Buffer): { readonly at: number; readonly code?: number } {
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
    const digits = text.toString('latin1', at + mark.length, at + mark.length + CODE_DIGITS)
    if (CODE.test(digits)) return { at, code: Number(digits) }
    // without a code behind it, it is output like any other
    if (digits.length < CODE_DIGITS && /^\d*$/.test(digits)) return { at }
  }
  return { at: text.length - beginningAtEnd(text, mark) }
}

/** Bytes at the end of a text that may be the beginning of the mark. */
function beginningAtEnd(text: Buffer, mark: Buffer): number {
  const [first = 0] = mark
  const from = Math.max(0, text.length - mark.length + 1)
  for (let at = text.indexOf(first, from); at >= 0; at = text.indexOf(first, at + 1)) {
    if (text.subarray(at).equals(mark.subarray(0, text.length - at))) return text.length - at
  }
  return 0
}
