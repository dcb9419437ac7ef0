/** The stamp of a workspace's last use: made by a use, moved by its end, gone with the record, and never in the way. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newWorkspaceId } from '../../../lib/core/names.ts'
import { homePaths } from '../../../lib/core/paths.ts'
import {
  forgetUnusedStarts,
  lastEntry,
  noteEnd,
  noteUnusedStart,
  noteUse,
  unusedStarts,
} from '../../../lib/record/last-use.ts'
import { createRecords } from '../../../lib/workspace/records.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

suite('activity', (test) => {
  test('a use is noted, its end moves the note, and removing the record takes it away', async () => {
    await using dir = await tempDir()
    const home = homePaths(dir.path)
    const id = newWorkspaceId()
    assert.is(lastEntry(home, id), undefined)
    noteEnd(home, id)
    assert.is(lastEntry(home, id), undefined, 'an end alone makes nothing')
    noteUse(home, id)
    const long = new Date('2020-01-01T00:00:00Z')
    await utimes(join(home.activity, id), long, long)
    assert.equal(lastEntry(home, id), long)
    noteEnd(home, id)
    assert.ok(Date.now() - (lastEntry(home, id)?.getTime() ?? 0) < 60_000)
    await createRecords(home, () => {}).remove(id)
    assert.not(existsSync(join(home.activity, id)))
    noteEnd(home, id)
    assert.not(existsSync(join(home.activity, id)), 'a connection that ends later brings nothing back')
  })

  test('starts of no use are counted until a use', async () => {
    await using dir = await tempDir()
    const home = homePaths(dir.path)
    const id = newWorkspaceId()
    const other = newWorkspaceId()
    noteUnusedStart(home, other)
    for (let count = 0; count < 3; count++) {
      assert.is(unusedStarts(home, id), count)
      noteUnusedStart(home, id)
    }
    noteUse(home, id)
    assert.is(unusedStarts(home, id), 0)
    noteUnusedStart(home, id)
    forgetUnusedStarts(home, id)
    assert.is(unusedStarts(home, id), 0)
    assert.is(unusedStarts(home, other), 1)
    for (const damaged of ['', 'x', '-3', '1.5', 'Infinity']) {
      await writeFile(join(home.activity, `${id}.starts`), damaged)
      assert.is(unusedStarts(home, id), 0, JSON.stringify(damaged))
    }
  })

  test('where nothing can be written, a use goes on', async () => {
    await using dir = await tempDir()
    const home = homePaths(join(dir.path, 'home'))
    await mkdir(home.home)
    await writeFile(home.run, 'a file where the folder should be')
    await chmod(home.home, 0o500)
    const id = newWorkspaceId()
    noteUse(home, id)
    noteEnd(home, id)
    assert.is(lastEntry(home, id), undefined)
  })
})
