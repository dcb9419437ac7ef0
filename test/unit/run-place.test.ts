/** Where sockets lie when the home's path is too long: a folder that is looked at on every use. */
import { existsSync, statSync } from 'node:fs'
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runPath, runPlace } from '../../lib/system/run-place.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

suite('where sockets lie', (test) => {
  const home = { home: `/h/${'x'.repeat(100)}`, run: `/h/${'x'.repeat(100)}/run` }

  test('in the home while its path is short, and nothing is made', () => {
    const short = { home: '/nowhere', run: '/nowhere/run' }
    assert.is(runPlace(short, { name: 'a.sock', maxBytes: 88 }), '/nowhere/run/a.sock')
    assert.not.ok(existsSync('/nowhere'))
  })

  test('below a base that is absolute and short enough, else in /tmp', () => {
    const at = (base: string | undefined) => dirname(dirname(runPath(home, { name: 'a.sock', maxBytes: 88, base })))
    assert.equal(
      [at('/run/user/1'), at(undefined), at(''), at('relative'), at(`/${'y'.repeat(90)}`)],
      ['/run/user/1', '/tmp', '/tmp', '/tmp', '/tmp'],
    )
  })

  test('in a folder of this user alone, which is looked at each time', async () => {
    await using folder = await tempDir()
    const wanted = { name: 'a.sock', maxBytes: 88, base: folder.path }
    const own = dirname(runPlace(home, wanted))
    assert.is(statSync(own).mode & 0o777, 0o700)
    assert.is(runPlace(home, wanted), join(own, 'a.sock'))
    const refused = async () => {
      const { message, hint } = await rejects(() => runPlace(home, wanted), 'PERMISSION_DENIED')
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
    assert.is(runPlace(home, wanted), join(own, 'a.sock'))
  })
})
