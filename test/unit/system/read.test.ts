/** The one reader: plain files of a limited size, and in words what stands in the place of one. */

import { appendFile, mkdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readDotenv } from '../../../lib/config/read.ts'
import { firstNames, isFolder, readPlain, requirePlain, requireReadable } from '../../../lib/system/read.ts'
import { copyWithin, hashWithin, readWithin } from '../../../lib/system/within.ts'
import { runProcess } from '../../support/process.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

suite('reading what others may have written', (test) => {
  test('of what is no plain file nothing is read, at once, and it is told what it is', async () => {
    await using folder = await tempDir()
    const at = (name: string) => join(folder.path, name)
    await runProcess(['mkfifo', at('pipe')])
    const server = createServer().listen(at('socket'))
    await symlink('/dev/zero', at('device'))
    await symlink('/dev/tty', at('terminal'))
    await symlink('pipe', at('link'))
    await symlink('ring', at('ring'))
    await mkdir(at('folder'))
    await writeFile(at('sparse'), '')
    await truncate(at('sparse'), 10 ** 12)
    const told: readonly (readonly [string, RegExp])[] = [
      ['pipe', /pipe is a named pipe, not a file\.$/],
      ['socket', /is a socket, not a file/],
      ['device', /is a device, not a file/],
      ['terminal', /is a device, not a file/],
      ['link', /is a named pipe, not a file/],
      ['ring', /cannot be read: ELOOP/],
      ['folder', /is a folder, not a file/],
      ['sparse', /is larger than 1 MiB/],
    ]
    for (const [name, text] of told) {
      assert.is(readPlain(at(name)), undefined, name)
      assert.match((await rejects(() => requirePlain(at(name)), 'CONFIG_INVALID')).message, text)
      assert.equal([await hashWithin(folder.path, 'pipe'), isFolder(at(name))], [undefined, name === 'folder'])
    }
    for (const name of ['pipe', 'socket', 'device', 'sparse'])
      await rejects(() => requireReadable(at(name), 1024), 'CONFIG_INVALID')
    for (const name of ['folder', 'missing', 'ring']) requireReadable(at(name), 1024)
    assert.equal([requirePlain(at('missing')), requirePlain(join(at('folder'), 'x', 'y'))], [undefined, undefined])
    assert.is(readDotenv(at('folder')), undefined)
    server.close()
  }, 5_000)

  test('at most the limit is read, also of a file that tells no size', async () => {
    await using folder = await tempDir()
    const path = join(folder.path, 'file')
    await writeFile(path, 'x'.repeat(2048))
    assert.is(readPlain(path, { maxBytes: 2048 })?.length, 2048)
    assert.match((await rejects(() => requirePlain(path, { maxBytes: 2047 }), 'CONFIG_INVALID')).message, /larger than/)
    assert.match(`${readPlain('/proc/self/status')}`, /^Name:/)
    assert.is(readPlain('/proc/self/status', { maxBytes: 10 }), undefined)
  })

  test('a link within the folder is followed, one that leads out is not', async () => {
    await using folder = await tempDir()
    const root = join(folder.path, 'root')
    await mkdir(join(root, 'sub'), { recursive: true })
    await writeFile(join(folder.path, 'outside'), 'A=secret')
    await writeFile(join(root, 'sub', 'file'), 'A=1')
    await symlink('sub/file', join(root, '.env'))
    await symlink('../outside', join(root, 'out'))
    await symlink('..', join(root, 'up'))
    assert.equal([`${readWithin(root, '.env')}`, readDotenv(join(root, '.env'), root)], ['A=1', 'A=1'])
    for (const name of ['out', 'up/outside', '../outside']) {
      assert.is(readWithin(root, name), undefined)
      const { message } = await rejects(() => requirePlain(join(root, name), { within: root }), 'CONFIG_INVALID')
      assert.match(message, /leads out of the worktree/)
      assert.is(await copyWithin(root, name, join(folder.path, 'copy'), ''), false)
    }
    assert.equal([readDotenv(join(root, 'out'), root), readDotenv(join(root, 'out'))], [undefined, 'A=secret'])
  })

  test('a file that grows while it is read comes to an end', async () => {
    await using folder = await tempDir()
    const path = join(folder.path, 'file')
    await writeFile(path, Buffer.alloc(4 * 1024 * 1024))
    let growing = true
    const grow = async () => {
      while (growing) await appendFile(path, Buffer.alloc(1024 * 1024))
    }
    const grown = grow()
    assert.is(await copyWithin(folder.path, 'file', join(folder.path, 'copy'), ''), false)
    assert.is((await hashWithin(folder.path, 'file'))?.length, 64)
    growing = false
    await grown
  }, 10_000)

  test('of a folder with many names the first ones are looked at', async () => {
    await using folder = await tempDir()
    for (let i = 0; i < 20; i++) await writeFile(join(folder.path, `${i}`), '')
    assert.equal([firstNames(folder.path, 5).length, firstNames(folder.path, 50).length], [5, 20])
  })
})
