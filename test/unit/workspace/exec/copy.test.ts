/**
 * `cp` without an engine: what goes where, the archive format against whatever bytes, and the unpacking of archives that mean ill
 * into folders that somebody prepared: nothing outside of the target is read, written or followed.
 */

import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { chmod, mkdir, readdir, rename, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { createInterruption } from '../../../../lib/core/interruption.ts'
import type { Session } from '../../../../lib/core/session.ts'
import {
  BadArchive,
  byteSource,
  decodeEntry,
  encodeEntry,
  endOfArchive,
  padding,
  staysWithin,
  type TarEntry,
} from '../../../../lib/core/tar.ts'
import type { WorkspaceRecord } from '../../../../lib/core/workspace.ts'
import { bytesOf, readTree, type Tell } from '../../../../lib/system/tree.ts'
import { createUnpacker } from '../../../../lib/system/unpack.ts'
import type { App } from '../../../../lib/workspace/app.ts'
import { readInside, type Streams } from '../../../../lib/workspace/exec/copy-inside.ts'
import { type CopyPlace, type PlaceKind, planCopy, splitPlace } from '../../../../lib/workspace/exec/copy-places.ts'
import { localIn } from '../../../support/app.ts'
import { anyText, FUZZ, FUZZ_LIMIT_MS } from '../../../support/fuzz.ts'
import { runProcess } from '../../../support/process.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { tempDir, writeFiles } from '../../../support/temp.ts'

const file = (names: readonly string[], text = 'x', more: Partial<TarEntry> = {}): readonly [TarEntry, string] => [
  { names, kind: 'file', size: Buffer.byteLength(text), mode: 0o644, mtime: 1e9, target: '', ...more },
  text,
]
const folder = (...names: readonly string[]): readonly [TarEntry, string] => [
  { names, kind: 'folder', size: 0, mode: 0o755, mtime: 1e9, target: '' },
  '',
]
const link = (names: readonly string[], target: string): readonly [TarEntry, string] => [
  { names, kind: 'link', size: 0, mode: 0o777, mtime: 1e9, target },
  '',
]

async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

async function unpack(base: string, entries: readonly (readonly [TarEntry, string])[]): Promise<readonly string[]> {
  const told: string[] = []
  const tell: Tell = ({ text }) => void told.push(text)
  const sink = createUnpacker(base, tell)
  try {
    for (const [entry, text] of entries) await sink.put(entry.names, { entry, content: bytes(text) })
    await sink.finish()
  } finally {
    sink.close()
  }
  return told
}

async function* pieces(all: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size)
}

async function decodeAll(all: Buffer, size = 1000): Promise<readonly TarEntry[]> {
  const source = byteSource(pieces(all, size))
  const found: TarEntry[] = []
  for (let entry = await decodeEntry(source); entry !== undefined; entry = await decodeEntry(source)) {
    found.push(entry)
    await source.take(entry.size + padding(entry.size).length)
  }
  return found
}

const isBad = async (all: Buffer) => {
  try {
    await decodeAll(all)
    return false
  } catch (error) {
    if (error instanceof BadArchive) return true
    throw error
  }
}

suite('what goes where', (test) => {
  const record = { id: 'ws-aaaaaaaa', name: 'demo', local: localIn('/r', '/r/.worktree/demo') } as WorkspaceRecord
  const here = (text: string, kind: PlaceKind, path = text): CopyPlace => ({ text, record: undefined, kind, path })
  const inside = (path: string, kind: PlaceKind): CopyPlace => ({ text: `demo:${path}`, record, kind, path })
  const told = (sources: readonly CopyPlace[], target: CopyPlace) => {
    const { base, steps } = planCopy(sources, target)
    return steps.map(({ names }) => [base, ...names].join('/'))
  }

  test('a name stands before the first colon, unless the word begins as a path does', () => {
    assert.equal(splitPlace('demo:a:b'), { name: 'demo', path: 'a:b' })
    assert.equal(splitPlace('app/demo:'), { name: 'app/demo', path: '' })
    for (const text of ['./a:b', '../a:b', '/a:b', '~/a:b', ':a', 'plain'])
      assert.equal(splitPlace(text), { name: undefined, path: text })
  })

  test('as cp -r: into a folder, by a new name, what is in it for /.', () => {
    assert.equal(told([here('/a', 'file')], inside('/t', 'folder')), ['/t/a'])
    assert.equal(told([here('/a', 'file')], inside('/t/new', 'missing')), ['/t/new'])
    assert.equal(told([here('/a', 'folder')], inside('/t/new', 'missing')), ['/t/new'])
    assert.equal(told([here('/a/.', 'folder', '/a')], inside('/t', 'folder')), ['/t'])
    assert.equal(told([here('/a/.', 'folder', '/a')], inside('/t/new', 'missing')), ['/t/new'])
    assert.equal(told([here('/a', 'file'), here('/b', 'folder')], inside('/t', 'folder')), ['/t/a', '/t/b'])
    assert.equal(told([inside('/x/y', 'folder')], here('/t', 'folder')), ['/t/y'])
  })

  test('what does not fit is refused before anything is copied', async () => {
    const cases: readonly (readonly [readonly CopyPlace[], CopyPlace])[] = [
      [[here('/a', 'missing')], inside('/t', 'folder')],
      [[here('/a', 'special')], inside('/t', 'folder')],
      [[here('/a', 'file'), here('/b', 'file')], inside('/t', 'missing')],
      [[here('/a', 'folder')], inside('/t', 'file')],
      [[here('/a', 'file')], inside('/t/new/', 'missing')],
      [[here('/a', 'file')], inside('/no/where', 'nowhere')],
      [[inside('/a', 'folder')], inside('/a/b', 'folder')],
      [[inside('/d/a', 'file')], inside('/d', 'folder')],
      [[here('/r/.worktree/demo/a', 'file')], inside('/r/.worktree/demo', 'folder')],
      [[inside('/r/.worktree/demo', 'folder')], here('/r/.worktree/demo/sub', 'folder')],
    ]
    for (const [sources, target] of cases) {
      const { hint = '' } = await rejects(() => planCopy(sources, target), 'INVALID_ARGUMENT')
      assert.match(hint, /`(nexus exec demo -- )?(ls|mkdir) /)
    }
  })
})

suite('archives', (test) => {
  const name = fc.stringMatching(/^[\x01-\x2e\x30-\xff]{1,120}$/).filter((text) => !['.', '..'].includes(text))

  test(
    'what is written is read again, in pieces of any size',
    async () => {
      const names = fc.array(name, { minLength: 1, maxLength: 4 })
      const kind = fc.constantFrom('file', 'folder', 'link')
      const time = fc.integer({ min: 0, max: 4e9 })
      await fc.assert(
        fc.asyncProperty(names, kind, fc.nat(3000), name, time, fc.integer({ min: 1, max: 2000 }), async (...given) => {
          const [path, type, bytesLong, target, mtime, size] = given
          const isFile = type === 'file'
          const entry: TarEntry = {
            ...{ names: path, kind: type as TarEntry['kind'], size: isFile ? bytesLong : 0, mode: 0o640, mtime },
            target: type === 'link' ? target : '',
          }
          const content = Buffer.alloc(entry.size, 1)
          const all = Buffer.concat([encodeEntry(entry), content, padding(entry.size), endOfArchive()])
          assert.equal(await decodeAll(all, size), [entry])
        }),
        { ...FUZZ, numRuns: Math.ceil(FUZZ.numRuns / 4) },
      )
    },
    FUZZ_LIMIT_MS,
  )

  test('GNU tar reads what is written, and is read', async () => {
    await using dir = await tempDir()
    const long = 'l'.repeat(200)
    const names = ['with space', 'new\nline', `größe-${long}`, '-dash'].map(bytesOf)
    const archive = Buffer.concat([...names.map((one) => encodeEntry(file([one], '')[0])), endOfArchive()])
    const list = 'base64 -d | tar -tf - --quoting-style=literal'
    const out = await runProcess(['bash', '-c', list], { input: archive.toString('base64') })
    assert.is(out.code, 0, out.stderr)
    assert.is(out.stdout, names.map((one) => `${Buffer.from(one, 'latin1')}\n`).join(''))
    await writeFiles(dir.path, { [`${long}/a b`]: 'text' })
    const made = await runProcess(['bash', '-c', 'tar -C "$0" -c --format=pax . | base64 -w0', dir.path])
    const read = await decodeAll(Buffer.from(made.stdout, 'base64'))
    assert.equal(read.map(({ names: path }) => path.join('/')).sort(), ['', long, `${long}/a b`])
  })

  test('a name that leads out, a damaged head, and an end too early are refused', async () => {
    for (const path of ['..', 'a/../../b', '/etc/passwd']) {
      const entry = { ...file(path.split('/'))[0], names: path.split('/') }
      assert.ok(await isBad(Buffer.concat([encodeEntry(entry), Buffer.alloc(512)])), path)
    }
    const good = Buffer.concat([encodeEntry(file(['a'])[0]), Buffer.alloc(512)])
    for (const at of [512 * 2 + 150, 512 + 1]) {
      const broken = Buffer.from(good)
      broken[at] = 0x7f
      assert.ok(await isBad(broken), String(at))
    }
    assert.ok(await isBad(good.subarray(0, 700)))
  })

  test('what nobody reads of a sender that never ends is let go', async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    stdout.write(Buffer.concat([encodeEntry(folder('.')[0]), endOfArchive(), Buffer.alloc(100_000, 1)]))
    const session: Session = {
      stdin: null,
      stdout,
      stderr,
      ready: Promise.resolve(),
      ended: Promise.resolve(137),
      signal: async () => {},
      resize: async () => {},
      end: async () => {},
      cut: () => {},
    }
    const streams = { begin: () => session } as unknown as Streams
    const app = { interruption: createInterruption() } as unknown as App
    const from = { path: '/tmp/x', isFolder: true }
    await rejects(async () => {
      for await (const _ of readInside(app, streams, { name: 'demo' } as WorkspaceRecord, from, () => {}));
    }, 'CONTAINER_ERROR')
    assert.ok(stdout.destroyed, 'the connection is held open')
  })

  test(
    'whatever bytes come, they are entries, an end, or refused',
    async () => {
      const whole = encodeEntry(file(['a', 'b'])[0])
      const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { maxLength: 6 }),
          fc.uint8Array({ maxLength: 1500 }),
          async (changes, rest) => {
            const all = Buffer.concat([whole, rest])
            for (const [at, byte] of changes) all[at] = byte
            await isBad(all)
          },
        ),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )
})

suite('unpacking', (test) => {
  test('modes, times and links arrive; set-uid bits do not', async () => {
    await using dir = await tempDir()
    const told = await unpack(dir.path, [
      folder('d'),
      file(['d', 'run'], '#!', { mode: 0o4755 & 0o777, mtime: 981_173_106.5 }),
      link(['d', 'l'], '../d/run'),
      link(['up'], 'd/run'),
    ])
    assert.equal(told, [])
    const { mode, mtimeMs } = statSync(join(dir.path, 'd', 'run'))
    assert.is(mode & 0o7777, 0o755)
    assert.is(mtimeMs, 981_173_106_500)
    assert.is(statSync(join(dir.path, 'd')).mtimeMs, 1e12)
    assert.is(readlinkSync(join(dir.path, 'd', 'l')), '../d/run')
  })

  test('a link that leads out is left out and told', async () => {
    for (const target of ['/etc/passwd', '..', '../x', 'sub/../..', 'a/../b', './../..']) {
      assert.not(staysWithin(['l'], target), target)
      await using dir = await tempDir()
      const told = await unpack(dir.path, [link(['l'], target)])
      assert.match(told.join(), /leads out of what is copied/)
      assert.equal(await readdir(dir.path), [])
    }
    for (const [names, target] of [
      [['d', 'l'], '../x'],
      [['l'], './x/y'],
      [['a', 'b', 'l'], '../../c'],
    ] as const)
      assert.ok(staysWithin(names, target), target)
  })

  test('nothing goes through a link that lies in the target', async () => {
    await using dir = await tempDir()
    const [outside, target] = [join(dir.path, 'outside'), join(dir.path, 'target')]
    await writeFiles(dir.path, { 'outside/keep': 'kept', 'target/x': '' })
    await symlink(outside, join(target, 'link'))
    await symlink(join(outside, 'keep'), join(target, 'to-file'))
    for (const entries of [[file(['link', 'evil'])], [folder('link'), file(['link', 'evil'])]])
      await rejects(() => unpack(target, entries), 'INVALID_ARGUMENT')
    // a link in the place of a file is replaced, not written through
    await unpack(target, [file(['to-file'], 'new'), file(['link2'], 'n')])
    assert.is(readFileSync(join(target, 'to-file'), 'utf8'), 'new')
    assert.not(lstatSync(join(target, 'to-file')).isSymbolicLink())
    assert.equal(await readdir(outside), ['keep'])
    assert.is(readFileSync(join(outside, 'keep'), 'utf8'), 'kept')
  })

  test('a folder that becomes a link while it is filled leads nowhere', async () => {
    await using dir = await tempDir()
    const [outside, target] = [join(dir.path, 'outside'), join(dir.path, 'target')]
    await mkdir(outside)
    await mkdir(target)
    const sink = createUnpacker(target, () => {})
    const put = ([entry, text]: readonly [TarEntry, string]) => sink.put(entry.names, { entry, content: bytes(text) })
    await put(folder('d'))
    await put(file(['d', 'one']))
    await rename(join(target, 'd'), join(target, 'moved'))
    symlinkSync(outside, join(target, 'd'))
    await put(file(['d', 'two']))
    await put(file(['other']))
    await rejects(() => put(file(['d', 'three'])), 'INVALID_ARGUMENT')
    sink.close()
    assert.equal(await readdir(outside), [])
    assert.equal((await readdir(join(target, 'moved'))).sort(), ['one', 'two'])
  })

  test('what is of another kind stays, and a file that breaks off leaves the old one', async () => {
    await using dir = await tempDir()
    await writeFiles(dir.path, { 'd/x': 'x', f: 'old' })
    const astray = [file(['none', 'x']), folder('n'.repeat(300)), link(['no', 'l'], 'x')]
    for (const entry of [file(['d']), link(['d'], 'f'), folder('f'), file(['f', 'x']), ...astray])
      await rejects(() => unpack(dir.path, [entry]), 'INVALID_ARGUMENT')
    const sink = createUnpacker(dir.path, () => {})
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('half')
      throw new BadArchive('it ends too early')
    }
    const [entry] = file(['f'], 'new')
    const failed = await sink.put(['f'], { entry, content: broken() }).then(
      () => undefined,
      (error: unknown) => error,
    )
    sink.close()
    assert.instance(failed, BadArchive)
    assert.is(readFileSync(join(dir.path, 'f'), 'utf8'), 'old')
    assert.equal((await readdir(dir.path)).sort(), ['d', 'f'])
  })

  test(
    'whatever names and links come, nothing lands outside',
    async () => {
      await using dir = await tempDir()
      const target = join(dir.path, 'target')
      const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
      const to = fc.oneof(
        anyText,
        fc.array(fc.constantFrom('a', 'b', '..', '.'), { maxLength: 4 }).map((all) => all.join('/')),
      )
      const entry = fc.oneof(
        names.map((all) => folder(...all)),
        names.map((all) => file(all)),
        fc.tuple(names, to).map(([all, text]) => link(all, text.replaceAll('\0', '') || 'a')),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
          await mkdir(target, { recursive: true })
          for (const one of entries) await unpack(target, [one]).catch((error: unknown) => requireRefused(error))
          assert.equal(await readdir(dir.path), ['target'])
          for (const found of await readdir(target, { recursive: true, withFileTypes: true })) {
            const path = join(found.parentPath, found.name)
            if (found.isSymbolicLink() && existsSync(path)) {
              assert.ok(`${realpathSync(path)}/`.startsWith(`${target}/`), `${path} -> ${readlinkSync(path)}`)
            }
          }
        }),
        { ...FUZZ, numRuns: Math.ceil(FUZZ.numRuns / 20) },
      )
    },
    FUZZ_LIMIT_MS,
  )
})

function requireRefused(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'INVALID_ARGUMENT') throw error
}

suite('reading trees', (test) => {
  test('links stay links, what cannot be copied is told, times and modes are there', async () => {
    await using dir = await tempDir()
    await writeFiles(dir.path, { 'top/sub/a b': 'text' })
    await symlink('/etc/passwd', join(dir.path, 'top', 'l'))
    await runProcess(['mkfifo', join(dir.path, 'top', 'pipe')])
    await chmod(join(dir.path, 'top', 'sub', 'a b'), 0o751)
    await utimes(join(dir.path, 'top', 'sub', 'a b'), 1e9, 1e9)
    const told: string[] = []
    const seen: string[] = []
    for await (const { entry, content } of readTree(join(dir.path, 'top'), ({ text }) => void told.push(text))) {
      let text = ''
      for await (const chunk of content) text += chunk
      seen.push([entry.kind, entry.names.join('/'), entry.target, text].join('|'))
      if (entry.kind === 'file') assert.equal([entry.mode, entry.mtime], [0o751, 1e9])
    }
    assert.equal(seen, ['folder|||', 'link|l|/etc/passwd|', 'folder|sub||', 'file|sub/a b||text'])
    assert.match(told.join(), /pipe is no file and no folder/)
  })

  test('what the kernel makes up has no size, which is told; an empty file is none of it', async () => {
    await using dir = await tempDir()
    await writeFiles(dir.path, { empty: '' })
    const told: string[] = []
    for (const path of ['/proc/version', join(dir.path, 'empty')]) {
      for await (const { content } of readTree(path, ({ text, fatal }) => void told.push(`${fatal} ${text}`)))
        for await (const chunk of content) assert.unreachable(chunk.toString())
    }
    assert.equal(told, ['false the content of /proc/version, which has size 0 as files of /proc have'])
  })

  test('a file that becomes shorter while it is read keeps its size in the archive, and is told', async () => {
    await using dir = await tempDir()
    await writeFiles(dir.path, { f: 'x'.repeat(600_000) })
    const told: boolean[] = []
    let length = 0
    for await (const { content } of readTree(join(dir.path, 'f'), ({ fatal }) => void told.push(fatal))) {
      for await (const chunk of content) {
        if (length === 0) await runProcess(['truncate', '-s', '10', join(dir.path, 'f')])
        length += chunk.length
      }
    }
    assert.is(length, 600_000)
    assert.equal(told, [true])
  })
})
