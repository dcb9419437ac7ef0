/**
 * The inside's part of `cp`: tar on a stream of its own, read and written entry by entry. Of what comes out nothing is believed
 * but that it is bytes: a broken or hostile archive is a clear error.
 */

import type { Backend } from '../../backends/backend.ts'
import { boundedPieces } from '../../core/bounded.ts'
import { NexusError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import { shellWord } from '../../core/shell.ts'
import {
  BadArchive,
  type ByteSource,
  byteSource,
  decodeEntry,
  encodeEntry,
  endOfArchive,
  padding,
  type TarEntry,
} from '../../core/tar.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Tell, TreeItem } from '../../system/tree.ts'
import type { Unpacker } from '../../system/unpack.ts'
import type { App } from '../app.ts'
import lookScript from './copy-look.sh'
import type { PlaceKind } from './copy-places.ts'
import receiveScript from './copy-receive.sh'
import sendScript from './copy-send.sh'
import { connectionLost, goInside } from './inside.ts'

const CHUNK = 256 * 1024
const SAID_MAX = 64 * 1024
/** Bytes behind the end of an archive, which fills up its last record. */
const REST_MAX = 64 * 1024
const NO_SPACE = /No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/

export interface Streams {
  look(record: WorkspaceRecord, path: string): Promise<{ readonly kind: PlaceKind; readonly path: string }>
  begin(record: WorkspaceRecord, argv: readonly string[], input: boolean): Session
}

/** @throws {NexusError} WORKSPACE_NOT_RUNNING for a workspace that does not run */
export async function streamsOf(app: App, records: readonly WorkspaceRecord[]): Promise<Streams> {
  const entered = new Map<string, { readonly record: WorkspaceRecord; readonly backend: Backend }>()
  for (const found of records) if (!entered.has(found.id)) entered.set(found.id, await goInside(app, found))
  const begin: Streams['begin'] = (found, argv, input) => {
    const place = entered.get(found.id)
    if (place === undefined) throw new Error(`${found.id} was not entered`)
    const streams = input ? 'pipes' : 'output'
    return place.backend.open(place.record, { argv, cwd: null, env: { LC_ALL: 'C.UTF-8' }, streams })
  }
  return { begin, look: (record, path) => look(app, begin, record, path) }
}

async function look(app: App, begin: Streams['begin'], record: WorkspaceRecord, path: string) {
  const session = begin(record, ['sh', '-c', lookScript, 'sh', path], false)
  const said = keep(session.stderr)
  const pieces = boundedPieces<Buffer>(SAID_MAX)
  const release = cutOnAbort(app, session)
  try {
    for await (const piece of session.stdout) pieces.push(piece as Buffer)
    await requireEnd(app, session, record, said)
  } finally {
    release()
  }
  const [kind = '', real = ''] = Buffer.concat(pieces).toString().split('\0')
  const known = ['folder', 'file', 'special', 'missing', 'nowhere'] as const
  return { kind: known.find((one) => one === kind) ?? 'nowhere', path: real.startsWith('/') ? real : `/${real}` }
}

/** What lies at a path inside, the folder itself first. */
export async function* readInside(
  app: App,
  streams: Streams,
  record: WorkspaceRecord,
  from: { readonly path: string; readonly isFolder: boolean },
  tell: Tell,
): AsyncGenerator<TreeItem> {
  const kind = from.isFolder ? 'folder' : 'file'
  const session = streams.begin(record, ['sh', '-c', sendScript, 'sh', kind, from.path], false)
  const said = keep(session.stderr)
  const release = cutOnAbort(app, session)
  /** Also of what goes wrong while a content is read by somebody else. */
  const explain = async (error: unknown): Promise<unknown> => {
    if (app.interruption.signal.aborted) return app.interruption.signal.reason
    if (!(error instanceof BadArchive)) return error
    session.cut()
    const code = await session.ended
    if (code === null || said().length > 0) await requireEnd(app, session, record, said)
    return new NexusError('CONTAINER_ERROR', `What ${record.name} sent cannot be unpacked: ${error.message}.`, {
      hint: `To look at it there, run \`nexus ssh ${record.name}\``,
    })
  }
  try {
    const source = byteSource(session.stdout)
    let isEmpty = true
    for (let entry = await decodeEntry(source); entry !== undefined; entry = await decodeEntry(source)) {
      isEmpty = false
      if (!from.isFolder && entry.kind !== 'file') throw new BadArchive('a file was asked for')
      const content = createContent(source, entry.size, explain)
      yield { entry: from.isFolder ? entry : { ...entry, names: [] }, content: content.read() }
      await content.skip()
      if (!from.isFolder) break
    }
    await source.drain(REST_MAX)
    if (isEmpty) throw new BadArchive('there is nothing in it')
    await endReading(app, session, record, said, tell)
  } catch (error) {
    throw await explain(error)
  } finally {
    release()
    session.cut()
    // what nobody reads would hold the connection's end of it open, and so this process
    session.stdout.destroy()
  }
}

/** tar goes on where it cannot read a file, and says so. */
async function endReading(
  app: App,
  session: Session,
  record: WorkspaceRecord,
  said: () => string,
  tell: Tell,
): Promise<void> {
  const code = await session.ended
  app.interruption.signal.throwIfAborted()
  const lines = said()
    .split('\n')
    .filter((line) => line !== '' && !/Exiting with failure status/.test(line))
  if (code !== 0 && code !== 1 && code !== 2) return requireEnd(app, session, record, said)
  for (const line of lines) {
    const text = `${record.name}: ${line.replace(/^tar: (\.\/)?/, '')}`
    tell({ text, fatal: !/ignored$/.test(line) })
  }
  if (code === 2 && lines.length === 0) await requireEnd(app, session, record, said)
}

function createContent(source: ByteSource, size: number, explain: (error: unknown) => Promise<unknown>) {
  let left = size
  let isAtEnd = false
  async function* read(): AsyncGenerator<Buffer> {
    while (left > 0) {
      const chunk = await source.some(Math.min(left, CHUNK)).catch(async (error: unknown) => {
        throw await explain(error)
      })
      left -= chunk.length
      yield chunk
    }
  }
  /** What nobody took, and what fills its last block. */
  async function skip(): Promise<void> {
    for await (const _ of read());
    const rest = padding(size).length
    if (rest > 0 && !isAtEnd) await source.take(rest)
    isAtEnd = true
  }
  return { read, skip }
}

/** Takes entries into a folder inside that is there. */
export async function writeInside(
  app: App,
  streams: Streams,
  record: WorkspaceRecord,
  base: string,
  tell: Tell,
): Promise<Unpacker> {
  const session = streams.begin(record, ['sh', '-c', receiveScript, 'sh', base], true)
  const said = keep(session.stderr)
  session.stderr.on('data', () => {
    // tar would read on to the end
    if (NO_SPACE.test(said())) session.stdin?.destroy()
  })
  session.stdout.resume()
  session.stdin?.on('error', () => undefined) // tar has ended, which `finish` tells
  const release = cutOnAbort(app, session)
  const write = (chunk: Buffer) =>
    new Promise<void>((done, fail) => {
      session.stdin?.write(chunk, (error) => (error === undefined || error === null ? done() : fail(new Gone())))
    })
  const finish = async () => {
    app.interruption.signal.throwIfAborted()
    await requireEnd(app, session, record, said, base)
  }
  const put = async (names: readonly string[], item: TreeItem) => {
    const entry: TarEntry = { ...item.entry, names }
    if (entry.kind === 'other')
      return tell({ text: `${Buffer.from(names.join('/'), 'latin1')} is no file and no folder`, fatal: false })
    if (names.length === 0) return
    try {
      await write(encodeEntry(entry))
      for await (const chunk of item.content) await write(chunk)
      if (entry.size % 512 > 0) await write(padding(entry.size))
    } catch (error) {
      if (!(error instanceof Gone)) throw error
      await finish()
      throw new Error('tar ended well before its input did')
    }
  }
  return {
    put,
    finish: async () => {
      session.stdin?.end(endOfArchive())
      await finish()
    },
    close: () => {
      release()
      session.cut()
    },
  }
}

class Gone extends Error {}

function cutOnAbort(app: App, session: Session): () => void {
  const { signal } = app.interruption
  const onAbort = () => session.cut()
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

function keep(stream: NodeJS.ReadableStream): () => string {
  const pieces = boundedPieces<Buffer>(SAID_MAX)
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  return () => Buffer.concat(pieces).toString()
}

/** @throws {NexusError} for a session that did not end well, by what it said */
async function requireEnd(
  app: App,
  session: Session,
  record: WorkspaceRecord,
  said: () => string,
  path?: string,
): Promise<void> {
  const code = await session.ended
  if (code === 0) return
  const { name } = record
  const output = said()
  const hint = `To look at it there, run \`nexus ssh ${name}\``
  const where = path === undefined ? '' : ` to write ${path}`
  if (code === null) return connectionLost(app, record)
  if (NO_SPACE.test(output)) {
    throw new NexusError('DISK_FULL', `There is no space left in ${name}${where}.`, {
      hint: `To see what uses it, run \`nexus exec ${name} -- df -h\``,
      output,
    })
  }
  if (code === 127) {
    throw new NexusError('TOOL_MISSING', `There is no tar in ${name}.`, {
      hint: `To install it, run \`nexus exec ${name} -- sudo apt-get install -y tar\``,
      output,
    })
  }
  const [, inTheWay] = /^tar: (.*): Cannot open: File exists$/m.exec(output) ?? []
  if (inTheWay !== undefined && path !== undefined) {
    throw new NexusError(
      'CONTAINER_ERROR',
      `${inTheWay} in ${name}:${path} is a folder or a mount, which no file replaces.`,
      {
        hint: `To see what is there, run \`nexus exec ${name} -- ls -la ${shellWord(path)}\``,
        output,
      },
    )
  }
  if (/Permission denied|Operation not permitted|Read-only file system|can't cd to/.test(output))
    throw new NexusError('PERMISSION_DENIED', `The user of ${name} may not do that there.`, { hint, output })
  throw new NexusError('CONTAINER_ERROR', `Copying failed inside ${name}, with code ${code}.`, { hint, output })
}
