/**
 * A terminal inside that has no counterpart here. ssh asks for one without a size; the size is set inside, at first by the command line
 * and later by a second session, and the kernel there tells the programs of it, as if a window had been dragged.
 */
import { randomBytes } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'
import type { TerminalSize } from '../../core/terminal-size.ts'

/** What may be printed before it. */
const MARKER_WITHIN_BYTES = 64 * 1024
const TERMINAL = 'xterm-256color'
/** A master that is given no terminal asks for one with every mode off: nothing is echoed, and Ctrl-C is a letter. */
const SANE = 'sane iutf8'

/** What `command.sh` is told of it. */
export interface TerminalWords {
  /** For stty. */
  readonly settings: string
  /** Printed once they hold. */
  readonly marker: string
}

/** What ssh and the command line are told, and how the output begins: behind a marker, when the terminal is as it should be. */
export function openTerminal(size: TerminalSize) {
  const marker = randomBytes(8).toString('hex')
  return {
    options: ['-o', 'EscapeChar=none'],
    env: { TERM: TERMINAL },
    words: { settings: `${SANE} cols ${size.columns} rows ${size.rows}`, marker },
    read: (from: Readable) => withoutMarker(from, Buffer.from(marker)),
  }
}

/** One at a time; of those that come meanwhile only the newest is done. */
export function lastOnly<T>(work: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let next: { readonly value: T } | undefined
  let running: Promise<void> | undefined
  const run = async () => {
    for (let now = next; now !== undefined; now = next) {
      next = undefined
      await work(now.value)
    }
    running = undefined
  }
  return (value) => {
    next = { value }
    running ??= run()
    return running
  }
}

/** What is said without the marker; `seen` resolves when that has come, or when nothing comes any more. */
function withoutMarker(from: Readable, marker: Buffer): { readonly stdout: Readable; readonly seen: Promise<void> } {
  let said: Buffer | undefined = Buffer.alloc(0)
  let see = () => {}
  const seen = new Promise<void>((done) => {
    see = done
  })
  const stdout = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (said === undefined) return done(null, chunk)
      said = Buffer.concat([said, chunk])
      const at = said.indexOf(marker)
      if (at < 0 && said.length < MARKER_WITHIN_BYTES) return done()
      this.push(at < 0 ? said : Buffer.concat([said.subarray(0, at), said.subarray(at + marker.length)]))
      said = undefined
      see()
      done()
    },
    flush(done) {
      see()
      done(null, said)
    },
  })
  from.pipe(stdout)
  return { stdout, seen }
}
