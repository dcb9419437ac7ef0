/**
 * Files that are large in a moment (`truncate`) hold up no look at a worktree: they are named with their size, and nothing reads
 * them. Each look has a limit that is far below what git would take.
 */
import { mkdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mergeWorkspace } from '../../lib/workspace/git/merge.ts'
import { review } from '../../lib/workspace/git/review.ts'
import { deleteWorkspace } from '../../lib/workspace/trash/delete.ts'
import { openLocalApp } from '../support/local-app.ts'
import { assert, rejects, suite } from '../support/suite.ts'

const LIMIT_MS = 60_000
/** Of one look; git reads a few hundred MB in a second. */
const LOOK_MS = 10_000
/** git reads what was changed in the second in which it wrote its index. */
const RACY_MS = 1_100
const GIB = 1024 ** 3
const HUGE = 300 * GIB
const FILES = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`${name}.txt`, `${name}\n`]))

async function quick<T>(work: Promise<T>): Promise<T> {
  const began = Date.now()
  const result = await work
  assert.ok(Date.now() - began < LOOK_MS, `${Date.now() - began} ms`)
  return result
}

suite('large files', (test) => {
  test(
    'are told with their size by diff, and hold up no look',
    async () => {
      await using local = await openLocalApp({ files: FILES })
      const record = await local.up('demo')
      const worktree = record.local?.worktree ?? ''
      const at = (name: string) => join(worktree, name)
      await local.repo.git('-C', worktree, 'update-index', '--assume-unchanged', 'e.txt')
      await pause(RACY_MS)
      await truncate(at('a.txt'), HUGE)
      // git's index has the lower 32 bits of a size: to git this is as large as before
      await truncate(at('b.txt'), 64 * 4 * GIB + 2)
      await writeFile(at('c.txt'), 'changed\n')
      // its content is the same, so git would refresh the whole index at the end of a diff
      await utimes(at('d.txt'), 1, 1)
      await truncate(at('e.txt'), HUGE)
      const { files, uncommitted, patch } = await quick(review(local.app, record, { patch: true }))
      const c = { path: 'c.txt', insertions: 1, deletions: 1 }
      const none = { insertions: null, deletions: null }
      const b = { path: 'b.txt', ...none, tooLarge: 64 * 4 * GIB + 2 }
      assert.equal(files, [c, b, { path: 'a.txt', ...none, tooLarge: HUGE }])
      assert.equal(uncommitted, files)
      assert.match(
        patch,
        /^\+changed\n# b.txt: too large to compare \(275 GB\)\n# a.txt: too large to compare \(322 GB\)\n$/m,
      )
      const index = await local.repo.git('-C', worktree, 'rev-parse', '--path-format=absolute', '--git-path', 'index')
      const before = await readFile(index)
      const { listChanges } = await import('../../lib/workspace/git/losses.ts')
      const changes = await quick(listChanges(local.app, record))
      assert.equal([...changes].sort(), [' M a.txt', ' M b.txt', ' M c.txt', ' h e.txt'])
      assert.equal(await readFile(index), before)
      const wishes = { force: false, deleteBranch: false, dryRun: false, trash: true }
      const error = await quick(rejects(() => deleteWorkspace(local.app, record, wishes), 'WORKSPACE_DIRTY'))
      assert.equal(error.details?.lost, [' M c.txt', ' M b.txt', ' M a.txt', ' M e.txt (assume-unchanged)'])
    },
    LIMIT_MS,
  )

  test(
    'with names that are no UTF-8, staged or in the main worktree hold up none either',
    async () => {
      await using local = await openLocalApp({ files: FILES })
      const record = await local.up('demo')
      const worktree = record.local?.worktree ?? ''
      const odd = Buffer.concat([Buffer.from(`${worktree}/`), Buffer.from([0xff, 0x61])])
      await writeFile(odd, 'odd\n')
      await mkdir(join(worktree, 'folder'))
      await writeFile(join(worktree, 'folder', 'new'), 'new\n')
      await local.repo.git('-C', worktree, 'add', '--all')
      await local.repo.git('-C', worktree, 'commit', '--quiet', '--message', 'more')
      await writeFile(join(worktree, 'a.txt'), 'staged\n')
      await writeFile(join(worktree, 'untracked'), '')
      await writeFile(join(worktree, 'intended'), '')
      await local.repo.git('-C', worktree, 'add', 'a.txt')
      await local.repo.git('-C', worktree, 'add', '--intent-to-add', 'intended')
      await pause(RACY_MS)
      await truncate(odd, 64 * 4 * GIB + 4)
      for (const name of ['a.txt', 'untracked', 'intended']) await truncate(join(worktree, name), HUGE)
      const { files } = await quick(review(local.app, record, { patch: true }))
      const large = files.flatMap(({ path, tooLarge }) => (tooLarge === undefined ? [] : [path]))
      assert.equal(large.sort(), ['a.txt', 'intended', '\ufffda'])
      const { listChanges } = await import('../../lib/workspace/git/losses.ts')
      const changes = await quick(listChanges(local.app, record))
      assert.equal([...changes].sort(), [' M intended', ' M \ufffda', '?? untracked', 'MM a.txt'])
      await truncate(join(local.repo.path, 'b.txt'), 64 * 4 * GIB + 2)
      const merging = () => mergeWorkspace(local.app, record, { squash: false, into: undefined, dryRun: false })
      await quick(rejects(merging, 'WORKSPACE_DIRTY'))
    },
    LIMIT_MS,
  )

  test(
    'that are what git has of them are unchanged all the same',
    async () => {
      await using local = await openLocalApp({ files: FILES })
      await writeFile(join(local.repo.path, 'big'), Buffer.alloc(40 * 1024 * 1024, 'x'))
      await local.repo.git('add', '--all')
      await local.repo.git('commit', '--quiet', '--message', 'big')
      const record = await local.up('demo')
      const big = join(record.local?.worktree ?? '', 'big')
      await utimes(big, 1, 1)
      const { listChanges } = await import('../../lib/workspace/git/losses.ts')
      assert.equal(await listChanges(local.app, record), [])
      assert.equal((await review(local.app, record, { patch: true })).files, [])
      await writeFile(big, `${'x'.repeat((await stat(big)).size - 1)}y`)
      assert.equal(await listChanges(local.app, record), [' M big'])
    },
    LIMIT_MS,
  )
})
