/** Where sockets lie when the home's path is too long: a folder that is looked at on every use. */
import { existsSync, statSync } from 'node:fs'
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runPath, runPlace } from '../../../lib/system/run-place.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

suite('where sockets lie', (test) => {
  const home = { home: `/h/${'x'.repeat(100)}`, run: `/h/${'x'.repeat(100)}/run` }

  test('in the home while its path is short, and nothing is made', () => {
    const short = { home: '/nowhere', run: '/nowhere/run' }
    assert.is(runPlace(short, { name: 'a.sock', maxBytes: 88 }), '/nowhere/run/a.sock')
    assert.not.ok(existsSync('/nowhere'))
  })

  test('else in /tmp, where no variable leads elsewhere', () => {
    const path = runPath(home, { name: 'a.sock', maxBytes: 88 })
    assert.match(path, /^\/tmp\/nexus-\d+-[0-9a-f]{8}\/a\.sock$/)
    const before = process.env.XDG_RUNTIME_DIR
    process.env.XDG_RUNTIME_DIR = '/run/user/1'
    assert.is(runPath(home, { name: 'a.sock', maxBytes: 88 }), path)
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR
    else process.env.XDG_RUNTIME_DIR = before
  })

  test('in a folder of this user alone, which is looked at each time', async () => {
    await using folder = await tempDir()
    const wanted = { name: 'a.sock', maxBytes: 88 }
    const place = () => runPlace(home, wanted, folder.path)
    const own = dirname(place())
    assert.is(statSync(own).mode & 0o777, 0o700)
    assert.is(place(), join(own, 'a.sock'))
    const refused = async () => {
      const { message, hint } = await rejects(place, 'PERMISSION_DENIED')
      assert.match(message, /is not a folder of yours alone/)
      assert.match(hint ?? '', /ls -ld/)
    }
    await chmod(own, 0o770)
    await refused()
    await rm(own, { recursive: true })
    await mkdir(join(folder.path, 'other'), { mode: 0o700 })
    await symlink('other', own)
    await refused()
    await rm(own)
    await symlink('missing', own)
    await refused()
    await rm(own)
    await writeFile(own, '')
    await refused()
    await rm(own)
    await chmod(folder.path, 0o777)
    await refused()
    await chmod(folder.path, 0o1777)
    assert.is(place(), join(own, 'a.sock'))
  })
})
