/**
 * What a merge tells is what it does, and nothing of the branch runs meanwhile: histories with several merge bases, links on the way
 * to hooks and filters, a filter that a condition of the configuration names in the new worktree alone.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mergeWorkspace } from '../../lib/workspace/git/merge.ts'
import { review } from '../../lib/workspace/git/review.ts'
import { type LocalApp, openLocalApp } from '../support/local-app.ts'
import { assert, rejects, suite } from '../support/suite.ts'

const MERGE = { squash: false, into: undefined, dryRun: false }
const LIMIT_MS = 60_000

async function put(folder: string, path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
  await chmod(join(folder, path), mode)
}

/** A program that notes that it ran. */
const trap = (local: LocalApp) => `#!/bin/sh\ntouch ${join(local.repo.path, '.git', 'ran')}\ncat\n`
const hasRun = (local: LocalApp) => existsSync(join(local.repo.path, '.git', 'ran'))

async function commitAll(local: LocalApp, folder: string): Promise<void> {
  await local.repo.git('-C', folder, 'add', '--all')
  await local.repo.git('-C', folder, 'commit', '--quiet', '--message', 'more')
}

suite('what the main worktree has not finished', (test) => {
  test('a rebase or a merge in conflict, a bisect: named, with the commands that git takes', async () => {
    await using local = await openLocalApp({ files: { 'a.txt': 'first\n' } })
    const { repo } = local
    const record = await local.up('demo')
    await repo.git('switch', '--quiet', '--create', 'side')
    await put(repo.path, 'a.txt', 'side\n')
    await commitAll(local, repo.path)
    await repo.git('switch', '--quiet', 'main')
    await put(repo.path, 'a.txt', 'main\n')
    await commitAll(local, repo.path)
    for (const [begin, end] of [
      [['rebase', 'side'], '`git -C REPO rebase --continue`; to take it back, `git -C REPO rebase --abort`'],
      [['merge', 'side'], '`git -C REPO merge --continue`; to take it back, `git -C REPO merge --abort`'],
      [['bisect', 'start', 'main', 'main~1'], '`git -C REPO bisect reset`'],
    ] as const) {
      await repo.git(...begin).catch(() => undefined)
      const error = await rejects(() => mergeWorkspace(local.app, record, MERGE), 'WORKSPACE_DIRTY')
      assert.is(error.message, `The main worktree ${repo.path} holds an unfinished ${begin[0]}.`)
      const ends = end.replaceAll('REPO', repo.path)
      assert.ok(error.hint?.endsWith(ends), error.hint)
      await repo.git(...(/`git -C \S+ ([^`]+)`$/.exec(ends)?.[1] ?? '').split(' '))
      await mergeWorkspace(local.app, record, MERGE)
    }
  })
})

suite('merges and what they tell', (test) => {
  test(
    'with several merge bases diff and merge show what a merge takes back',
    async () => {
      await using local = await openLocalApp({ files: { 'a.txt': 'first\n' } })
      const { repo } = local
      const record = await local.up('demo')
      await repo.git('checkout', '--quiet', '-b', 'fix')
      await put(repo.path, 'a.txt', 'fixed\n')
      await put(repo.path, 'x.txt', 'x\n')
      await commitAll(local, repo.path)
      await repo.git('checkout', '--quiet', 'main')
      await put(repo.path, 'm.txt', 'm\n')
      await commitAll(local, repo.path)
      const before = (await repo.git('rev-parse', 'main')).trim()
      await repo.git('merge', '--quiet', '--no-edit', 'fix')
      const worktree = record.local?.worktree ?? ''
      await repo.git('-C', worktree, 'reset', '--quiet', '--hard', before)
      await repo.git('-C', worktree, 'merge', '--quiet', '--no-edit', 'fix')
      await repo.git('-C', worktree, 'checkout', '--quiet', before, '--', 'a.txt')
      await repo.git('-C', worktree, 'commit', '--quiet', '--amend', '--no-edit')
      const { files, patch } = await review(local.app, record, { patch: true })
      assert.equal(files, [{ path: 'a.txt', insertions: 1, deletions: 1 }])
      assert.match(patch, /^-fixed\n\+first$/m)
      const merged = await mergeWorkspace(local.app, record, MERGE)
      assert.equal(merged.files, files)
      assert.is(await readFile(join(repo.path, 'a.txt'), 'utf8'), 'first\n')
    },
    LIMIT_MS,
  )

  test(
    'a link on the way to the hooks that the merge turns: no hook runs',
    async () => {
      await using local = await openLocalApp({ files: { 'one/hooks/keep': '' } })
      const { repo } = local
      await symlink('one', join(repo.path, 'way'))
      await commitAll(local, repo.path)
      await repo.git('config', 'core.hooksPath', 'way/hooks')
      const record = await local.up('demo')
      const worktree = record.local?.worktree ?? ''
      await put(worktree, 'two/hooks/post-merge', trap(local), 0o755)
      await unlink(join(worktree, 'way'))
      await symlink('two', join(worktree, 'way'))
      await commitAll(local, worktree)
      await mergeWorkspace(local.app, record, MERGE)
      assert.not(hasRun(local))
      assert.ok(local.events.some((event) => event.type === 'warning' && /^no hooks run/.test(event.text)))
    },
    LIMIT_MS,
  )

  test(
    'a link on the way to a filter that the merge turns: refused',
    async () => {
      await using local = await openLocalApp({ files: { '.gitattributes': '*.dat filter=x\n', 'z.dat': 'z\n' } })
      const { repo } = local
      await put(repo.path, 'one/x', '#!/bin/sh\ncat\n', 0o755)
      await symlink('one', join(repo.path, 'way'))
      await commitAll(local, repo.path)
      for (const word of ['smudge', 'clean']) await repo.git('config', `filter.x.${word}`, './way/x')
      const record = await local.up('demo')
      const worktree = record.local?.worktree ?? ''
      await put(worktree, 'two/x', trap(local), 0o755)
      await put(worktree, 'z.dat', 'y\n')
      await unlink(join(worktree, 'way'))
      await symlink('two', join(worktree, 'way'))
      await commitAll(local, worktree)
      // git itself ran it in the worktree, where it was committed
      await rm(join(repo.path, '.git', 'ran'), { force: true })
      const { message } = await rejects(() => mergeWorkspace(local.app, record, MERGE), 'UNSUPPORTED')
      assert.match(message, /made of way while it merges/)
      assert.not(hasRun(local))
    },
    LIMIT_MS,
  )

  test(
    'a filter that the configuration names for one branch alone: refused, and nothing is left',
    async () => {
      await using local = await openLocalApp()
      const { repo } = local
      await repo.git('checkout', '--quiet', '-b', 'evil')
      await put(repo.path, 'tools/x', trap(local), 0o755)
      await put(repo.path, '.gitattributes', '*.dat filter=x\n')
      await put(repo.path, 'z.dat', 'z\n')
      await commitAll(local, repo.path)
      await repo.git('checkout', '--quiet', 'main')
      await put(repo.path, '.git/more', '[filter "x"]\n\tsmudge = ./tools/x\n\tclean = cat\n')
      await repo.git('config', 'includeIf.onbranch:evil*.path', 'more')
      await rejects(() => local.up('evil'), 'UNSUPPORTED')
      assert.not(hasRun(local))
      assert.not(existsSync(join(repo.path, '.worktree', 'evil')))
    },
    LIMIT_MS,
  )
})
