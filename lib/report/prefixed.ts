/**
 * Mixes the output of several programs, line by line with the program's name before it. Bytes in, bytes out: binary
 * data passes unchanged, and a very long line is shown in pieces. Pure.
 */
import { styleText } from 'node:util'

/** Bytes that are waited for until a line ends. */
const LINE_MAX = 64 * 1024
const NEWLINE = 0x0a
const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const

export interface Prefixer {
  /** The whole lines that are there by now, with the prefix before each. */
  add(chunk: Buffer): Buffer
  /** What is left without the end of a line, with one. */
  rest(): Buffer
}

/** Names filled up to the same width; coloured where a terminal reads them. */
export function prefixesOf(names: readonly string[], colour: boolean): readonly string[] {
  const wide = Math.max(0, ...names.map((name) => name.length))
  return names.map((name, i) => {
    const text = `${name.padEnd(wide)} |`
    return `${colour ? styleText(COLOURS[i % COLOURS.length] ?? 'cyan', text, { validateStream: false }) : text} `
  })
}

export function createPrefixer(prefix: string): Prefixer {
  const before = Buffer.from(prefix)
  const end = Buffer.from('\n')
  let waiting: Buffer[] = []
  let waitingBytes = 0
  const flush = (out: Buffer[]) => {
    out.push(before, ...waiting, end)
    waiting = []
    waitingBytes = 0
  }
  return {
    add: (chunk) => {
      const out: Buffer[] = []
      let at = 0
      for (let stop = chunk.indexOf(NEWLINE); stop !== -1; stop = chunk.indexOf(NEWLINE, at)) {
        waiting.push(chunk.subarray(at, stop))
        flush(out)
        at = stop + 1
      }
      if (at < chunk.length) {
        waiting.push(chunk.subarray(at))
        waitingBytes += chunk.length - at
        if (waitingBytes >= LINE_MAX) flush(out)
      }
      return Buffer.concat(out)
    },
    rest: () => {
      const out: Buffer[] = []
      if (waitingBytes > 0) flush(out)
      return Buffer.concat(out)
    },
  }
}
