/**
 * Commands that say when they are over, by a word on both of their streams with the exit code behind it. What they leave behind may
 * hold the streams as long as it likes: whatever was written before the word has arrived, and nothing else is waited for. The program
 * that carried the streams is ended when it does not end by itself.
 */
import { randomBytes } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'

const CODE_DIGITS = 3
/** What carried the streams may take so long to end by itself. */
const LINGER_MS = 50

export interface Heard {
  readonly stdout: Readable
  readonly stderr: Readable
  /** The command's exit code, once each stream had the word or was closed by who read it; without any word it stays open. */
  readonly over: Promise<number>
}

/** One that no output has. */
export function createEndWord(): string {
  return randomBytes(16).toString('hex')
}

/** Shell text of bash: says the word, with the code of the command before it. stdout last, which is what a reader may have closed. */
export function sayEnd(word: string, stderr: string): string {
  const say = `printf '${word}%0${CODE_DIGITS}d' $c`
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

/** Ends what carried the streams of a command that is over. */
export function endSoon(end: () => void): void {
  setTimeout(end, LINGER_MS).unref()
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
      const at = said.indexOf(mark)
      if (at >= 0 && said.length >= at + mark.length + CODE_DIGITS) {
        isOver = true
        if (at > 0) this.push(said.subarray(0, at))
        this.push(null)
        tell(Number(said.subarray(at + mark.length, at + mark.length + CODE_DIGITS).toString()))
        setImmediate(() => from.destroy())
        return done()
      }
      const kept = at >= 0 ? said.length - at : beginningAtEnd(said, mark)
      waiting = said.subarray(said.length - kept)
      done(null, said.length === kept ? undefined : said.subarray(0, said.length - kept))
    },
    flush(done) {
      tell(undefined)
      done(null, isOver || waiting.length === 0 ? undefined : waiting)
    },
  })
  stream.once('close', () => {
    tell(undefined)
    from.destroy()
  })
  from.once('close', () => stream.end())
  from.pipe(stream)
  return { stream: stream as Readable, code }
}

/** Bytes at the end of a text that may be the beginning of the mark. */
function beginningAtEnd(text: Buffer, mark: Buffer): number {
  for (let count = Math.min(mark.length - 1, text.length); count > 0; count--) {
    if (text.subarray(-count).equals(mark.subarray(0, count))) return count
  }
  return 0
}
