import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkSetIdFiles, checkWorktreeFolders } from '../../../lib/doctor/other-users.ts'
import type { Scan } from '../../../lib/doctor/scan.ts'
import { clearSetId, closeFolder, openTo } from '../../../lib/system/modes.ts'
import { closedFolders } from '../../../lib/workspace/worktree-place.ts'
import { localIn } from '../../support/app.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const modeOf = (path: string) => lstatSync(path).mode & 0o7777

function scanOf(repo: string, worktreeDir?: string): Scan {
  const records = [{ name: 'x', repo, local: localIn(repo, join(repo, '.worktree', 'x')) }]
  return { records, settings: { worktreeDir } } as unknown as Scan
}

suite('folders that are closed to others', (test) => {
  test('are made so, and are closed where they are open', async () => {
    await using dir = await tempDir()
    const at = (name: string) => join(dir.path, name)
    await closeFolder(at('new/below'))
    assert.equal([modeOf(at('new')), modeOf(at('new/below'))], [0o700, 0o700])
    mkdirSync(at('old'))
    // with the bit that folders below inherit
    for (const mode of [0o755, 0o2775, 0o1777, 0o750]) {
      chmodSync(at('old'), mode)
      assert.is(openTo(at('old')), mode)
      await closeFolder(at('old'))
      assert.is(modeOf(at('old')), 0o700)
    }
    assert.is(openTo(at('old')), undefined)
  })

  test('are no links, which lead to folders of the user', async () => {
    await using dir = await tempDir()
    const at = (name: string) => join(dir.path, name)
    mkdirSync(at('mine'))
    chmodSync(at('mine'), 0o755)
    symlinkSync('mine', at('link'))
    symlinkSync('nowhere', at('dangling'))
    for (const link of ['link', 'dangling']) await closeFolder(at(link))
    assert.is(modeOf(at('mine')), 0o755)
    assert.is(openTo(at('link')), undefined)
  })

  test('are .worktree and the folder of the repository in worktree_dir, and none that holds the repository', () => {
    assert.equal(closedFolders({ worktreeDir: undefined }, '/home/u/app'), ['/home/u/app/.worktree'])
    assert.equal(closedFolders({ worktreeDir: '/w' }, '/home/u/app'), ['/home/u/app/.worktree', '/w/app'])
    assert.equal(closedFolders({ worktreeDir: '/home/u' }, '/home/u/app'), ['/home/u/app/.worktree'])
  })

  test('are found and closed by doctor', async () => {
    await using dir = await tempDir()
    mkdirSync(join(dir.path, '.worktree', 'x'), { recursive: true })
    chmodSync(join(dir.path, '.worktree'), 0o755)
    const [found] = await checkWorktreeFolders(scanOf(dir.path))
    assert.is(found?.status, 'warning')
    await found?.fix?.()
    assert.is((await checkWorktreeFolders(scanOf(dir.path)))[0]?.status, 'ok')
  })
})

suite('files that run as their owner', (test) => {
  test('are found in a worktree, not behind its links, and lose the bits', async () => {
    await using dir = await tempDir()
    const tree = join(dir.path, '.worktree', 'x')
    mkdirSync(join(tree, 'deep'), { recursive: true })
    for (const path of [join(tree, 'deep', 'file'), join(dir.path, 'outside')]) {
      writeFileSync(path, 'x')
      chmodSync(path, 0o6711)
    }
    symlinkSync('../../outside', join(tree, 'link'))
    const [found] = await checkSetIdFiles(scanOf(dir.path))
    assert.match(found?.message ?? '', 'deep/file')
    assert.not.match(found?.message ?? '', 'outside')
    assert.not(await clearSetId(tree, join(tree, 'link')))
    await found?.fix?.()
    assert.is(modeOf(join(tree, 'deep', 'file')), 0o711)
    assert.is(modeOf(join(dir.path, 'outside')), 0o6711)
    assert.is((await checkSetIdFiles(scanOf(dir.path)))[0]?.status, 'ok')
  })

  test('are left alone where a folder on the way has become a link', async () => {
    await using dir = await tempDir()
    mkdirSync(join(dir.path, 'tree'))
    mkdirSync(join(dir.path, 'home'))
    writeFileSync(join(dir.path, 'home', 'file'), 'x')
    chmodSync(join(dir.path, 'home', 'file'), 0o4700)
    symlinkSync('../home', join(dir.path, 'tree', 'deep'))
    assert.not(await clearSetId(join(dir.path, 'tree'), join(dir.path, 'tree', 'deep', 'file')))
    assert.is(modeOf(join(dir.path, 'home', 'file')), 0o4700)
  })
})
