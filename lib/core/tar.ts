/**
 * The part of the tar format that `nexus cp` needs: it writes heads with pax records, and reads what GNU tar writes.
 * Names are kept as bytes, one per character (latin1), as file systems have them. The input comes from inside a
 * workspace and is not trusted: every name has to stay below the top of the tree. Pure.
 */

export const BLOCK = 512
/** Bytes of what pax records and long names may take together. */
const RECORDS_MAX = 1024 * 1024
/** Seconds since 1970; a file system may take no later time. */
const LATEST = 2 ** 33

export type EntryKind = 'file' | 'folder' | 'link' | 'other'

/** What an archive says of one file, before its content. */
export interface TarEntry {
  /** Names from the top of the tree, one byte a character; none for the top itself. */
  readonly names: readonly string[]
  readonly kind: EntryKind
  /** Bytes of content; 0 for anything but a file. */
  readonly size: number
  /** Permission bits alone. */
  readonly mode: number
  /** Seconds since 1970, with their fraction. */
  readonly mtime: number
  /** Where a link leads, one byte a character; else ''. */
  readonly target: string
}

export class BadArchive extends Error {}

/** The head of an entry: its pax records and the ustar block. Content and padding follow. */
export function encodeEntry({ names, kind, size, mode, mtime, target }: TarEntry): Buffer {
  const path = `${names.join('/') || '.'}${kind === 'folder' ? '/' : ''}`
  const records = [record('path', path), record('mtime', mtime.toFixed(9)), record('size', String(size))]
  if (kind === 'link') records.push(record('linkpath', target))
  const pax = Buffer.concat(records)
  const type = kind === 'folder' ? '5' : kind === 'link' ? '2' : '0'
  const head = block({ path: 'x', type: 'x', size: pax.length, mode: 0o600, mtime: 0 })
  return Buffer.concat([head, pax, padding(pax.length), block({ path: path.slice(0, 100), type, size, mode, mtime })])
}

/** What fills up the last block of a content. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * BLOCK)
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`.length
  let length = rest + String(rest).length
  if (String(length).length > String(rest).length) length = rest + String(length).length
  return Buffer.from(`${length} ${key}=${value}\n`, 'latin1')
}

interface Block {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly mode: number
  readonly mtime: number
}

/** Sizes and times that do not fit are in the pax records. */
function block({ path, type, size, mode, mtime }: Block): Buffer {
  const head = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number) => {
    const most = 8 ** (length - 1) - 1
    head.write(
      Math.max(0, Math.min(Math.floor(value), most))
        .toString(8)
        .padStart(length - 1, '0'),
      at,
      'latin1',
    )
  }
  head.write(path, 0, 100, 'latin1')
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(mtime, 136, 12)
  head.write('        ', 148, 'latin1')
  head.write(type, 156, 'latin1')
  head.write('ustar\x0000', 257, 'latin1')
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return head
}

/** Bytes from a stream, as many as are asked for at a time. */
export interface ByteSource {
  /**
   * Exactly so many; undefined when the stream ended before the first of them. @throws {BadArchive} when it ended
   * within
   */
  take(length: number): Promise<Buffer | undefined>
  /** At least one and at most `most`. @throws {BadArchive} when the stream ended */
  some(most: number): Promise<Buffer>
  /** Reads to the end. @throws {BadArchive} when that is further than `most` bytes away */
  drain(most: number): Promise<void>
}

export function byteSource(stream: AsyncIterable<Buffer>): ByteSource {
  const iterator = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const { value, done } = await iterator.next()
    if (done === true) return false
    rest = rest.length === 0 ? value : Buffer.concat([rest, value])
    return true
  }
  const cut = (length: number) => {
    const taken = rest.subarray(0, length)
    rest = rest.subarray(length)
    return taken
  }
  return {
    take: async (length) => {
      while (rest.length < length) {
        if (await more()) continue
        if (rest.length === 0) return undefined
        throw new BadArchive('it ends too early')
      }
      return cut(length)
    },
    some: async (most) => {
      while (rest.length === 0) if (!(await more())) throw new BadArchive('it ends too early')
      return cut(Math.min(most, rest.length))
    },
    drain: async (most) => {
      let left = most
      do {
        left -= rest.length
        rest = Buffer.alloc(0)
        if (left < 0) throw new BadArchive('it does not end where it says')
      } while (await more())
    },
  }
}

/**
 * The next entry; undefined at the end. Its content has to be taken from the source before the next is asked for.
 * @throws {BadArchive}
 */
export async function decodeEntry(source: ByteSource): Promise<TarEntry | undefined> {
  const said = new Map<string, string>()
  for (;;) {
    const head = await source.take(BLOCK)
    if (head === undefined || head.every((byte) => byte === 0)) return undefined
    requireChecksum(head)
    const type = head.toString('latin1', 156, 157)
    const size = numberAt(head, 124, 12)
    if (type === 'x' || type === 'L' || type === 'K') {
      const text = await takeRecords(source, size)
      if (type === 'x') for (const [key, value] of parseRecords(text)) said.set(key, value)
      else said.set(type === 'L' ? 'path' : 'linkpath', text.replace(/\0.*$/s, ''))
      continue
    }
    if (type === 'g') {
      await takeRecords(source, size)
      continue
    }
    return entryOf(head, type, said)
  }
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '5': 'folder',
  '2': 'link',
}

function entryOf(head: Buffer, type: string, said: ReadonlyMap<string, string>): TarEntry {
  const prefix = head.toString('latin1', 257, 263) === 'ustar\0' ? textAt(head, 345, 155) : ''
  const path = said.get('path') ?? (prefix === '' ? '' : `${prefix}/`) + textAt(head, 0, 100)
  const kind = KINDS[type] ?? 'other'
  const size = said.has('size') ? Number(said.get('size')) : numberAt(head, 124, 12)
  const mtime = said.has('mtime') ? Number(said.get('mtime')) : numberAt(head, 136, 12)
  if (!Number.isSafeInteger(size) || size < 0) throw new BadArchive('a size is no number')
  const target = kind === 'link' ? (said.get('linkpath') ?? textAt(head, 157, 100)) : ''
  if (kind === 'link' && (target === '' || target.includes('\0'))) throw new BadArchive('a link leads nowhere')
  return {
    names: namesOf(path),
    kind,
    size,
    mode: numberAt(head, 100, 8) & 0o777,
    mtime: Math.abs(mtime) <= LATEST ? mtime : 0,
    target,
  }
}

/** @throws {BadArchive} for a name that would lead out of the tree */
function namesOf(path: string): readonly string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (path.startsWith('/') || path.includes('\0') || names.includes('..'))
    throw new BadArchive('a name in it leads out of its tree')
  return names
}

async function takeRecords(source: ByteSource, size: number): Promise<string> {
  if (size > RECORDS_MAX) throw new BadArchive('its records are too long')
  const text = await source.take(size + padding(size).length)
  return (text ?? Buffer.alloc(0)).toString('latin1', 0, size)
}

function parseRecords(text: string): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = []
  let at = 0
  while (at < text.length) {
    const space = text.indexOf(' ', at)
    const length = Number(text.slice(at, space))
    const line = text.slice(space + 1, at + length - 1)
    const equals = line.indexOf('=')
    if (space === -1 || !Number.isInteger(length) || length < 5 || at + length > text.length || equals < 1)
      throw new BadArchive('its records are damaged')
    found.push([line.slice(0, equals), line.slice(equals + 1)])
    at += length
  }
  return found
}

function textAt(head: Buffer, at: number, length: number): string {
  return head.toString('latin1', at, at + length).replace(/\0.*$/s, '')
}

/** Octal, or GNU's binary for what is too large. */
function numberAt(head: Buffer, at: number, length: number): number {
  if (((head[at] ?? 0) & 0x80) !== 0) {
    let value = 0
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (head[i] ?? 0)
    return value
  }
  const text = textAt(head, at, length).trim()
  if (!/^[0-7]*$/.test(text)) throw new BadArchive('a number in it is damaged')
  return text === '' ? 0 : Number.parseInt(text, 8)
}

function requireChecksum(head: Buffer): void {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (head[i] ?? 0)
  if (sum !== numberAt(head, 148, 8)) throw new BadArchive('it is damaged, or no archive')
}

/**
 * True for a link that stays in its tree: only upwards first, and never above the top. A name may be a link itself, so
 * that no way up can follow one.
 */
export function staysWithin(names: readonly string[], target: string): boolean {
  if (target.startsWith('/')) return false
  const parts = target.split('/').filter((part) => part !== '' && part !== '.')
  const up = parts.findIndex((part) => part !== '..')
  const ups = up === -1 ? parts.length : up
  return ups < names.length && !parts.slice(ups).includes('..')
}
