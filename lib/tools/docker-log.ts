/**
 * The engine's log stream as lines: frames of eight bytes and a piece each (or plain bytes, of a container with a
 * terminal), where every piece begins with a time. A line of more than 16 KB comes in several pieces, each with the
 * time of the first; one without an end, the last of a container, in a piece without a line break. A piece may come in
 * several reads. Pure.
 */

export interface LogLine {
  readonly stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds, as the engine writes it, so that it orders as text. */
  readonly time: string
  readonly text: string
}

const HEADER_BYTES = 8
const TIME_MAX_BYTES = 40
/** What the engine cuts longer lines into. */
const PIECE_BYTES = 16 * 1024
/** A line that goes on and on is told in parts. */
const LINE_MAX_BYTES = 1024 * 1024

export async function* readLogLines(chunks: AsyncIterable<Uint8Array>, tty: boolean): AsyncGenerator<LogLine> {
  const splitters = { stdout: createSplitter('stdout'), stderr: createSplitter('stderr') }
  if (tty) {
    for await (const chunk of chunks) yield* splitters.stdout.add(Buffer.from(chunk))
  } else {
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of chunks) {
      rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
      for (let size = frameSize(rest); size !== undefined; size = frameSize(rest)) {
        const name = rest[0] === 2 ? 'stderr' : 'stdout'
        yield* splitters[name].addPiece(rest.subarray(HEADER_BYTES, size))
        rest = rest.subarray(size)
      }
    }
  }
  for (const { end } of Object.values(splitters)) yield* end()
}

/** Bytes of the first frame with its header; undefined while it is not whole. */
function frameSize(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined
  const size = HEADER_BYTES + bytes.readUInt32BE(4)
  return bytes.length < size ? undefined : size
}

function createSplitter(stream: 'stdout' | 'stderr') {
  let rest: Buffer = Buffer.alloc(0)
  const add = (piece: Buffer): readonly LogLine[] => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const lines: LogLine[] = []
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      lines.push(parseLine(stream, rest.subarray(0, end)))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > LINE_MAX_BYTES) lines.push(...end())
    return lines
  }
  const addPiece = (piece: Buffer): readonly LogLine[] => {
    const time = rest.length === 0 ? undefined : timeOf(piece)
    if (time === undefined) return add(piece)
    return time === timeOf(rest) ? add(piece.subarray(time.length + 1)) : [...end(), ...add(piece)]
  }
  const end = (): readonly LogLine[] => {
    const last = rest
    rest = Buffer.alloc(0)
    return last.length === 0 ? [] : [parseLine(stream, last)]
  }
  return { add, addPiece, end }
}

function parseLine(stream: 'stdout' | 'stderr', bytes: Buffer): LogLine {
  const time = timeOf(bytes)
  const told = time === undefined ? bytes : withoutTimes(bytes, time)
  return { stream, time: time ?? '', text: told.toString('utf8').replace(/\r$/, '') }
}

function timeOf(bytes: Buffer): string | undefined {
  return /^\d{4}-\d\d-\d\dT[^ \r]*/.exec(bytes.toString('latin1', 0, TIME_MAX_BYTES))?.[0]
}

/** Where no frames tell the pieces apart, their times stand in the midst of a long line. */
function withoutTimes(bytes: Buffer, time: string): Buffer {
  const said = bytes.subarray(time.length + 1)
  if (said.length <= PIECE_BYTES) return said
  return Buffer.from(said.toString('latin1').replaceAll(`${time} `, ''), 'latin1')
}

/** `2026-11-26T20:14:26.619346047Z` as seconds with nanoseconds, which the engine takes as a beginning. */
export function sinceOf(time: string): string {
  const fraction = /\.(\d+)Z$/.exec(time)?.[1] ?? ''
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? '' : `${Math.floor(ms / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`
}

/** Lines of several streams, each in order, as one in order. */
export async function* mergeByTime<T extends { readonly time: string }>(
  streams: readonly AsyncIterable<T>[],
): AsyncGenerator<T> {
  const heads = await Promise.all(
    streams.map(async (stream) => {
      const iterator = stream[Symbol.asyncIterator]()
      return { iterator, head: await iterator.next() }
    }),
  )
  let open = heads.filter(({ head }) => head.done !== true)
  while (open.length > 0) {
    const first = open.reduce((least, one) => (one.head.value.time < least.head.value.time ? one : least))
    yield first.head.value
    first.head = await first.iterator.next()
    if (first.head.done === true) open = open.filter((one) => one !== first)
  }
}
