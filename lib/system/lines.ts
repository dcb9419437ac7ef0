/** What a command says, line by line, while it runs. */
import { StringDecoder } from 'node:string_decoder'

/** Characters; what is longer is told as several lines. */
const LINE_MAX = 64 * 1024
/** Characters that one command may have shown line by line. */
const SHOWN_MAX = 16 * 1024 * 1024

/** Passes lines on until they are too many to be read by anybody, and says so. */
export function limitLines(onLine: (line: string) => void): (line: string) => void {
  let left = SHOWN_MAX
  return (line) => {
    if (left < 0) return
    left -= line.length + 1
    onLine(left < 0 ? '[what is said from here on is not shown]' : line)
  }
}

export function onLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n/)
    rest = lines.pop() ?? ''
    if (rest.length > LINE_MAX) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => rest !== '' && onLine(rest))
}
