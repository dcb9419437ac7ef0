/**
 * Deletes and the trash on the real git, without an engine: what is refused, what `--force` keeps, and that a restore brings
 * back exactly that, also after garbage was collected, the branch went on, or either was cut off in the middle.
 */

import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { workspacePaths } from '../../lib/core/paths.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { collectGarbage } from '../../lib/doctor/gc.ts'
import type { Scan } from '../../lib/doctor/scan.ts'
import { checkWorktrees } from '../../lib/doctor/worktrees.ts'
import { nobody } from '../../lib/system/process.ts'
import { requireRepository } from '../../lib/tools/repository.ts'
import type { App } from '../../lib/workspace/app.ts'
import { forgetRefs } from '../../lib/workspace/git/private-git.ts'
import { adopt } from '../../lib/workspace/lifecycle/adopt.ts'
import { bringUp } from '../../lib/workspace/lifecycle/up.ts'
import { openApp } from '../../lib/workspace/open-app.ts'
import { beginOperation } from '../../lib/workspace/operation/walk.ts'
import { type DeleteRequest, deleteWorkspace } from '../../lib/workspace/trash/delete.ts'
import {
  dropEntry,
  emptyTrash,
  expireTrash,
  listTrash,
  nameInTrash,
  saveEntry,
  type TrashEntry,
} from '../../lib/workspace/trash/trash.ts'
import { restoreTrash } from '../../lib/workspace/trash/trash-restore.ts'
import { localIn } from '../support/app.ts'
import { type LocalApp, type LocalAppOptions, openLocalApp } from '../support/local-app.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempRepo, writeFiles } from '../support/temp.ts'

const QUIET = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const FORCE: DeleteRequest = { force: true, deleteBranch: false, dryRun: false, trash: true }
const RESTORE = { given: 'demo', as: undefined, repo: undefined, dryRun: false }

interface Demo extends LocalApp {
  readonly demo: WorkspaceRecord
  readonly worktree: string
  /** git in the worktree. */
  git(...args: string[]): Promise<string>
  delete(request?: Partial<DeleteRequest>): ReturnType<typeof deleteWorkspace>
}

async function openDemo(options: LocalAppOptions = {}): Promise<Demo> {
  const local = await openLocalApp({
    files: { 'a.txt': 'a\n', 'b.txt': 'b\n', '.gitignore': 'ignored/\n' },
    ...options,
  })
  const demo = await local.up('demo')
  const worktree = demo.local?.worktree ?? ''
  const remove = async (request: Partial<DeleteRequest> = {}) =>
    deleteWorkspace(local.app, (await local.record('demo')) ?? demo, { ...FORCE, ...request })
  return { ...local, demo, worktree, git: (...args) => git(worktree, ...args), delete: remove }
}

async function git(cwd: string, ...args: string[]): Promise<string> {
  const allowed = ['-c', 'protocol.file.allow=always', '-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
  const { code, stdout, stderr } = await runProcess(['git', ...allowed, ...args], { cwd, env: QUIET })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout.trimEnd()
}

/** A submodule with two commits, both pushed. */
async function addPushed(demo: Demo): Promise<string> {
  await demo.repo.git('commit', '--quiet', '--allow-empty', '-m', 'second')
  await demo.git('submodule', '--quiet', 'add', demo.repo.path, 'deep/sub')
  await demo.git('commit', '--quiet', '-m', 'submodule')
  return join(demo.worktree, 'deep', 'sub')
}

const only = async ({ app }: LocalApp): Promise<TrashEntry> => {
  const entries = await listTrash(app)
  assert.is(entries.length, 1)
  return entries[0] as TrashEntry
}

/** Everything of a worktree that a restore must bring back. */
async function picture({ git }: Demo) {
  const [status, staged, unstaged, stages] = await Promise.all([
    git('status', '--porcelain=v2', '--branch', '--ignored'),
    git('diff', '--cached'),
    git('diff'),
    git('ls-files', '--stage'),
  ])
  return { status, staged, unstaged, stages }
}

async function collectObjects({ repo }: LocalApp): Promise<void> {
  await repo.git('reflog', 'expire', '--expire=now', '--all')
  await repo.git('gc', '--quiet', '--prune=now')
}

suite('what a delete refuses to lose', (test) => {
  const commit = ['commit', '--quiet', '--allow-empty', '-m', 'more']
  for (const [what, change, expected] of [
    ['a changed file', (demo: Demo) => writeFile(join(demo.worktree, 'a.txt'), 'x'), /^M a\.txt$/],
    ['an untracked file', (demo: Demo) => writeFile(join(demo.worktree, 'new'), 'x'), /\?\? new/],
    [
      'commits on a detached HEAD',
      async (demo: Demo) => {
        await demo.git('checkout', '--quiet', '--detach')
        await demo.git(...commit)
      },
      /1 commits on a detached HEAD/,
    ],
    [
      'a merge that is not ended, though nothing is changed',
      async (demo: Demo) => {
        await demo.repo.git(...commit)
        await demo.git(...commit)
        await demo.git('merge', '--quiet', '--no-commit', 'main')
      },
      /an unfinished merge/,
    ],
    [
      'a rebase that stopped',
      async (demo: Demo) => {
        await demo.git(...commit)
        const { code } = await runProcess(['git', 'rebase', '-x', 'false', 'HEAD~1'], {
          cwd: demo.worktree,
          env: QUIET,
        })
        assert.is(code, 1)
      },
      /an unfinished rebase/,
    ],
    [
      'a rebase in a submodule that stopped, with an autostash',
      async (demo: Demo) => {
        const sub = await addPushed(demo)
        await writeFile(join(sub, 'a.txt'), 'x')
        const args = ['rebase', '--quiet', '--autostash', '-x', 'false', 'HEAD~1']
        assert.is((await runProcess(['git', ...args], { cwd: sub, env: QUIET })).code, 1)
        assert.is(await git(sub, 'status', '--porcelain'), '')
      },
      /^an unfinished rebase in submodule deep\/sub$/,
    ],
    [
      'a merge in a submodule that is not ended',
      async (demo: Demo) => {
        const sub = await addPushed(demo)
        await git(sub, 'checkout', '--quiet', '--detach', 'HEAD~1')
        await git(sub, 'merge', '--quiet', '--no-commit', '--no-ff', 'origin/main')
        await git(sub, 'checkout', '--quiet', 'HEAD', '--', '.')
        await demo.git('submodule', '--quiet', 'absorbgitdirs')
        await demo.git('commit', '--quiet', '-m', 'back', '--', 'deep/sub')
      },
      /an unfinished merge in submodule deep\/sub/,
    ],
    [
      'a bisect in a submodule that is not checked out any more',
      async (demo: Demo) => {
        await git(await addPushed(demo), 'bisect', 'start')
        await demo.git('submodule', '--quiet', 'deinit', '--force', 'deep/sub')
      },
      /^an unfinished bisect in submodule deep\/sub$/,
    ],
    [
      'files that git knows nothing of, as the link is gone',
      (demo: Demo) => rm(join(demo.worktree, '.git')),
      /everything in/,
    ],
  ] as const) {
    test(what, async () => {
      await using demo = await openDemo()
      await change(demo)
      const error = await rejects(() => demo.delete({ force: false }), 'WORKSPACE_DIRTY')
      assert.match(String(error.output), expected)
      assert.match(error.hint ?? '', /--force`$/)
      assert.ok(demo.running.has(demo.demo.id), 'nothing is touched')
      assert.ok(existsSync(join(demo.worktree, 'b.txt')))
    })
  }

  test('not what git ignores: what tools make again, and copies, go without a word', async () => {
    await using demo = await openDemo()
    await writeFiles(demo.repo.path, { 'ignored/copy': 'x' })
    await writeFiles(demo.worktree, {
      'ignored/copy': 'x',
      'ignored/node_modules/a': 'x',
      'ignored/empty/.gitkeep': '',
    })
    await rm(join(demo.worktree, 'ignored', 'empty', '.gitkeep'))
    await demo.delete({ force: false })
    assert.not(existsSync(demo.worktree))
    assert.equal(await listTrash(demo.app), [])
  })

  test('commits that only the trash has are found nowhere else', async () => {
    await using demo = await openDemo()
    await demo.git(...commit)
    await writeFile(join(demo.worktree, 'new'), 'x')
    assert.equal((await demo.delete()).keptBranch, { name: 'nexus/demo', uniqueCommits: 1 })
    await demo.up('demo')
    const again = await demo.delete({ force: false })
    assert.equal(again.keptBranch, { name: 'nexus/demo', uniqueCommits: 1 })
  })
})

suite('the trash', (test) => {
  test('a restore brings back index, changes, ignored files, links and modes, also after garbage was collected', async () => {
    await using demo = await openDemo()
    await writeFiles(demo.worktree, { 'a.txt': 'staged\n', 'new.txt': 'new\n', 'ignored/deep/made': 'made\n' })
    await demo.git('add', 'a.txt', 'new.txt')
    await writeFiles(demo.worktree, { 'a.txt': 'staged and changed\n', untracked: 'x' })
    await rm(join(demo.worktree, 'b.txt'))
    await symlink('nowhere', join(demo.worktree, 'link'))
    await chmod(join(demo.worktree, 'untracked'), 0o751)
    const before = await picture(demo)
    const { trash } = await demo.delete({ deleteBranch: true })
    assert.is(trash?.branch, 'nexus/demo')
    assert.not(existsSync(demo.worktree))
    assert.not(existsSync(join(demo.repo.path, '.worktree')))
    assert.not.match(await demo.repo.git('worktree', 'list'), /demo/)
    assert.is(await demo.repo.git('branch', '--list', 'nexus/*'), '')
    assert.is(await demo.record('demo'), undefined)
    await collectObjects(demo)

    const would = await restoreTrash(demo.app, { ...RESTORE, dryRun: true })
    assert.is(would.record.local?.worktree, demo.worktree)
    assert.not(existsSync(demo.worktree))
    const { record } = await restoreTrash(demo.app, RESTORE)
    assert.equal(await picture(demo), before)
    assert.is(await readFile(join(demo.worktree, 'ignored', 'deep', 'made'), 'utf8'), 'made\n')
    assert.is((await lstat(join(demo.worktree, 'untracked'))).mode & 0o777, 0o751)
    assert.ok((await lstat(join(demo.worktree, 'link'))).isSymbolicLink())
    assert.is(record.id, demo.demo.id)
    assert.is(record.desired, 'stopped')
    assert.equal(await listTrash(demo.app), [])
    assert.is(await demo.repo.git('for-each-ref', 'refs/nexus'), '')
    await demo.repo.git('fsck')
    assert.is((await demo.up('demo')).id, demo.demo.id)
    assert.ok(demo.running.has(demo.demo.id))
  })

  test('commits of a branch deleted with it, and a clean tree, are kept too', async () => {
    await using demo = await openDemo()
    await demo.git('commit', '--quiet', '--allow-empty', '-m', 'mine')
    const tip = await demo.git('rev-parse', 'HEAD')
    await demo.delete({ deleteBranch: true })
    await collectObjects(demo)
    await restoreTrash(demo.app, RESTORE)
    assert.is(await demo.repo.git('rev-parse', 'nexus/demo'), tip)
    assert.is(await demo.git('status', '--porcelain'), '')
  })

  test('of a branch that was deleted by hand comes back with the branch at its last commit', async () => {
    await using demo = await openDemo()
    await demo.git('commit', '--quiet', '--allow-empty', '--message', 'mine')
    const tip = await demo.git('rev-parse', 'HEAD')
    await writeFile(join(demo.worktree, 'new'), 'x')
    await demo.git('update-ref', '-d', 'refs/heads/nexus/demo')
    const refused = await rejects(() => demo.delete({ force: false }), 'WORKSPACE_DIRTY')
    const lost = refused.details?.lost as string[]
    assert.ok(lost.includes('1 commits of nexus/demo, which is gone'), lost.join())
    await demo.delete()
    const entry = await only(demo)
    assert.is(entry.head, tip)
    await demo.repo.git('reflog', 'expire', '--expire=now', '--all')
    await demo.repo.git('gc', '--prune=now', '--quiet')
    // of one that an older Nexus made, the log that lies beside the files tells it
    await saveEntry(demo.app, { ...entry, head: null })
    const { record } = await restoreTrash(demo.app, { ...RESTORE, as: 'other' })
    assert.equal([record.branch, await git(record.local?.worktree ?? '', 'rev-parse', 'HEAD')], ['nexus/demo', tip])
    assert.is(await git(record.local?.worktree ?? '', 'status', '--porcelain'), '?? new')
  })

  test('without any commit that git has is refused in a dry run too', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.worktree, 'new'), 'x')
    await demo.delete({ deleteBranch: true })
    await saveEntry(demo.app, { ...(await only(demo)), head: 'a'.repeat(40) })
    for (const dryRun of [true, false]) await rejects(() => restoreTrash(demo.app, { ...RESTORE, dryRun }), 'GIT_ERROR')
  })

  test('a conflict goes on where it was', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.repo.path, 'a.txt'), 'theirs\n')
    await demo.repo.git('commit', '--quiet', '--all', '-m', 'theirs')
    await writeFile(join(demo.worktree, 'a.txt'), 'ours\n')
    await demo.git('commit', '--quiet', '--all', '-m', 'ours')
    assert.is((await runProcess(['git', 'merge', 'main'], { cwd: demo.worktree, env: QUIET })).code, 1)
    const before = await picture(demo)
    await demo.delete()
    await collectObjects(demo)
    await restoreTrash(demo.app, RESTORE)
    assert.equal(await picture(demo), before)
    await writeFile(join(demo.worktree, 'a.txt'), 'both\n')
    await demo.git('commit', '--quiet', '--all', '-m', 'merged')
    assert.is(await demo.git('log', '-1', '--format=%P').then((parents) => parents.split(' ').length), 2)
  })

  test('a conflict keeps what is staged alone, also after garbage was collected', async () => {
    await using demo = await openDemo()
    await demo.git('submodule', '--quiet', 'add', demo.repo.path, 'sub')
    await demo.git('commit', '--quiet', '-m', 'submodule')
    await writeFile(join(demo.worktree, 'a.txt'), 'stashed\n')
    await demo.git('stash', 'push', '--quiet', '--', 'a.txt')
    await writeFile(join(demo.worktree, 'a.txt'), 'ours\n')
    await demo.git('commit', '--quiet', '-m', 'ours', '--', 'a.txt')
    await writeFiles(demo.worktree, { 'staged only\n100644': 'staged, then changed\n', 'empty.txt': '' })
    await demo.git('add', '--', 'staged only\n100644', 'empty.txt')
    await writeFile(join(demo.worktree, 'staged only\n100644'), 'changed\n')
    assert.is((await runProcess(['git', 'stash', 'apply'], { cwd: demo.worktree, env: QUIET })).code, 1)
    await demo.git('stash', 'drop', '--quiet')
    const before = await picture(demo)
    assert.match(before.stages, / 3\ta\.txt/)
    await demo.delete()
    await collectObjects(demo)
    await restoreTrash(demo.app, RESTORE)
    assert.equal(await picture(demo), before)
    assert.is(await demo.git('show', ':3:a.txt'), 'stashed')
    assert.is(await demo.git('show', ':staged only\n100644'), 'staged, then changed')
    await demo.repo.git('fsck')
  })

  for (const [what, begin, end] of [
    ['a rebase', ['rebase', '--autostash', '-x', 'false', 'HEAD~1'], ['rebase', '--abort']],
    ['a rebase by patches', ['rebase', '--apply', '--autostash', 'main'], ['rebase', '--abort']],
    ['a merge', ['merge', '--autostash', 'main'], ['merge', '--abort']],
  ] as const) {
    test(`${what} has what it put aside, also after garbage was collected`, async () => {
      await using demo = await openDemo()
      await writeFile(join(demo.repo.path, 'a.txt'), 'theirs\n')
      await demo.repo.git('commit', '--quiet', '--all', '-m', 'theirs')
      await writeFile(join(demo.worktree, 'a.txt'), 'ours\n')
      await demo.git('commit', '--quiet', '--all', '-m', 'ours')
      await writeFile(join(demo.worktree, 'b.txt'), 'put aside\n')
      assert.is((await runProcess(['git', ...begin], { cwd: demo.worktree, env: QUIET })).code, 1)
      assert.is(await readFile(join(demo.worktree, 'b.txt'), 'utf8'), 'b\n')
      await demo.delete()
      await collectObjects(demo)
      await restoreTrash(demo.app, RESTORE)
      await demo.git(...end)
      assert.is(await readFile(join(demo.worktree, 'b.txt'), 'utf8'), 'put aside\n')
    })
  }

  test('a submodule keeps its unpushed commits, under another name too', async () => {
    await using library = await tempRepo({ files: { 'lib.txt': 'one\n' } })
    await using demo = await openDemo()
    await demo.git('submodule', '--quiet', 'add', library.path, 'vendor/lib')
    await demo.git('commit', '--quiet', '-m', 'submodule')
    const inside = join(demo.worktree, 'vendor', 'lib')
    await git(inside, 'commit', '--quiet', '--allow-empty', '-m', 'unpushed')
    const tip = await git(inside, 'rev-parse', 'HEAD')
    const error = await rejects(() => demo.delete({ force: false }), 'WORKSPACE_DIRTY')
    assert.match(String(error.output), /commits of submodule vendor\/lib that are not pushed/)
    await demo.delete()
    const { record } = await restoreTrash(demo.app, { ...RESTORE, as: 'other' })
    assert.is(record.local?.worktree, join(demo.repo.path, '.worktree', 'other'))
    const moved = join(record.local?.worktree ?? '', 'vendor', 'lib')
    assert.is(await git(moved, 'rev-parse', 'HEAD'), tip)
    assert.is(await git(moved, 'rev-parse', '--show-toplevel'), moved)
    assert.is(await git(record.local?.worktree ?? '', 'status', '--porcelain'), ' M vendor/lib')
  })

  test('a branch that went on, or is used elsewhere, stays; the files come on a new one at their commit', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.worktree, 'a.txt'), 'mine\n')
    await demo.git('commit', '--quiet', '--all', '-m', 'mine')
    await writeFile(join(demo.worktree, 'a.txt'), 'changed\n')
    await demo.delete()
    await demo.repo.git('checkout', '--quiet', 'nexus/demo')
    await demo.repo.git('commit', '--quiet', '--allow-empty', '-m', 'further')
    const { branch, record } = await restoreTrash(demo.app, { ...RESTORE, as: 'second' })
    assert.is(branch, 'nexus/demo-restored')
    assert.is(await git(record.local?.worktree ?? '', 'status', '--porcelain'), ' M a.txt')
    assert.is(await git(record.local?.worktree ?? '', 'log', '-1', '--format=%s'), 'mine')
    assert.is(await demo.repo.git('log', '-1', '--format=%s'), 'further')
  })

  test('a worktree within it is known where it lies, in the trash and after a restore', async () => {
    await using demo = await openDemo()
    await demo.git('worktree', 'add', '--quiet', '-b', 'inner', 'sub/inner')
    await writeFile(join(demo.worktree, 'sub', 'inner', 'staged'), 'x')
    await demo.git('-C', 'sub/inner', 'add', 'staged')
    const isKnown = async (folder: string) => {
      await demo.repo.git('worktree', 'prune')
      assert.match(await demo.repo.git('worktree', 'list'), new RegExp(`^${folder}/sub/inner `, 'm'))
      assert.is(await git(join(folder, 'sub', 'inner'), 'status', '--porcelain'), 'A  staged')
    }
    await demo.delete()
    await isKnown((await only(demo)).files ?? '')
    const { record } = await restoreTrash(demo.app, { ...RESTORE, as: 'other' })
    await isKnown(record.local?.worktree ?? '')
    assert.is(await git(record.local?.worktree ?? '', 'status', '--porcelain'), '?? sub/')
  })

  test('a detached HEAD comes back as one', async () => {
    await using demo = await openDemo()
    await demo.git('checkout', '--quiet', '--detach')
    await demo.git('commit', '--quiet', '--allow-empty', '-m', 'loose')
    await demo.delete()
    await collectObjects(demo)
    assert.is((await restoreTrash(demo.app, RESTORE)).branch, null)
    assert.is(await demo.git('log', '-1', '--format=%s'), 'loose')
    assert.is((await runProcess(['git', 'symbolic-ref', '-q', 'HEAD'], { cwd: demo.worktree })).code, 1)
  })

  test('on another file system the files stay there, beside the worktree', async () => {
    await using demo = await openDemo({ homeIn: '/dev/shm' })
    await writeFile(join(demo.worktree, 'new'), 'x')
    const before = await picture(demo)
    const { trash } = await demo.delete()
    assert.is(trash?.files, join(demo.repo.path, '.worktree', '.trash', trash?.key ?? ''))
    assert.ok(existsSync(join(trash?.files ?? '', 'new')))
    assert.is(await demo.repo.git('status', '--porcelain'), '')
    await restoreTrash(demo.app, RESTORE)
    assert.equal(await picture(demo), before)
    assert.not(existsSync(join(demo.repo.path, '.worktree', '.trash')))
    await demo.delete()
    await emptyTrash(demo.app, { olderThanMs: 0, dryRun: false })
    assert.not(existsSync(join(demo.repo.path, '.worktree')))
  })

  test('a worktree whose repository is gone: its files are kept', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.worktree, 'new'), 'x')
    await rename(join(demo.repo.path, '.git'), join(demo.repo.path, 'was-git'))
    await rejects(() => demo.delete({ force: false }), 'WORKSPACE_DIRTY')
    const { trash } = await demo.delete()
    assert.is(await readFile(join(trash?.files ?? '', 'new'), 'utf8'), 'x')
    assert.not(existsSync(demo.worktree))
    await rename(join(demo.repo.path, 'was-git'), join(demo.repo.path, '.git'))
  })
})

suite('which entry', (test) => {
  test('a name means this repository, another one is named or refused before anything is changed', async () => {
    await using other = await tempRepo({ files: { 'a.txt': 'other\n' } })
    await using demo = await openDemo()
    const elsewhere: App = { ...demo.app, cwd: other.path, asking: { command: 'trash restore', effect: 'changes' } }
    const trashed = async (app: App, path: string, name: string) => {
      const request = { given: name, repo: requireRepository(path), start: true, dryRun: false, existing: undefined }
      const { record } = await bringUp(app, request)
      await writeFile(join(record.local?.worktree ?? '', 'new'), name)
      return (await deleteWorkspace(app, record, FORCE)).trash as TrashEntry
    }
    const mine = await trashed(demo.app, demo.repo.path, 'same')
    const error = await rejects(() => restoreTrash(elsewhere, { ...RESTORE, given: 'same' }), 'WORKSPACE_NOT_FOUND')
    assert.match(error.hint ?? '', new RegExp(`nexus trash restore ${mine.record.project}/same`))
    const theirs = await trashed(elsewhere, other.path, 'same')
    const chosen = async (app: App, given: string, repo?: string) => {
      const at = repo === undefined ? undefined : requireRepository(repo)
      return (await restoreTrash(app, { ...RESTORE, given, repo: at, dryRun: true })).entry.key
    }
    assert.is(await chosen(demo.app, 'same'), mine.key)
    assert.is(await chosen(elsewhere, 'same'), theirs.key)
    assert.is(await chosen(demo.app, `${theirs.record.project}/same`), theirs.key)
    assert.is(await chosen(demo.app, 'same', other.path), theirs.key)
    assert.is(await chosen(elsewhere, mine.record.id), mine.key)
    await writeFiles(demo.app.home.home, { 'config.yaml': `workspaces: {shop: {path: ${other.path}}}\n` })
    const fresh: App = { ...openApp(demo.app), backend: demo.app.backend }
    assert.is(await chosen(fresh, 'shop/same'), theirs.key)
    await rejects(() => chosen(fresh, 'shop/none'), 'WORKSPACE_NOT_FOUND')
    for (const wrong of [theirs.key, theirs.record.id]) {
      const refused = await rejects(() => chosen(demo.app, wrong, demo.repo.path), 'INVALID_ARGUMENT')
      assert.match(refused.message, /is not the repository of/)
    }
    await rename(other.path, `${other.path}-moved`)
    assert.is(await chosen(demo.app, 'same', `${other.path}-moved`), theirs.key)
    await rejects(() => chosen(demo.app, theirs.key, demo.repo.path), 'INVALID_ARGUMENT')
    await rename(`${other.path}-moved`, other.path)
  })

  test('a stash in a git dir of its own refuses, and goes to the trash', async () => {
    await using demo = await openDemo()
    const { privateGit } = workspacePaths(demo.app.home, demo.demo.id)
    await writeFiles(privateGit, { HEAD: 'ref: refs/heads/nexus/demo\n', 'refs/stash': `${'a'.repeat(40)}\n` })
    await demo.app.records.save({ ...demo.demo, gitMode: 'private' })
    await writeFile(join(demo.worktree, 'new'), 'x')
    const { plan } = await demo.delete({ dryRun: true })
    assert.match(plan.find(({ id }) => id === 'trash')?.cause ?? '', /^kept for a while: \?\? new and 1 more$/)
    const error = await rejects(() => demo.delete({ force: false, dryRun: true }), 'WORKSPACE_DIRTY')
    assert.equal(error.details?.lost, ['?? new', 'a stash'])
    await rm(demo.worktree, { recursive: true })
    const gone = await rejects(() => demo.delete({ force: false, dryRun: true }), 'WORKSPACE_DIRTY')
    assert.equal(gone.details?.lost, ['a stash'])
    await demo.app.records.save(demo.demo)
  })

  test('each ref that stays of a git dir of its own gets a branch name of its own', async () => {
    await using demo = await openDemo()
    const record = { ...demo.demo, gitMode: 'private' as const }
    for (const branch of ['one', 'two']) {
      const commit = await demo.git('commit-tree', '-p', 'HEAD', '-m', branch, 'HEAD^{tree}')
      await demo.git('update-ref', `refs/nexus/${record.id}/heads/${branch}`, commit)
    }
    await forgetRefs(demo.app, record, false)
    const hints = demo.events.flatMap((event) => (event.type === 'warning' ? [event.hint ?? ''] : []))
    assert.equal(
      hints.map((hint) => /branch (\S+)/.exec(hint)?.[1]),
      ['demo-rest', 'demo-rest-2'],
    )
  })
})

suite('how long', (test) => {
  const trashed = async (options: LocalAppOptions = {}) => {
    const demo = await openDemo(options)
    await writeFile(join(demo.worktree, 'new'), 'x')
    await demo.delete()
    return demo
  }
  const age = async (demo: Demo, ms: number) => {
    const entry = await only(demo)
    const note = join(demo.app.home.trash, entry.key, 'entry.json')
    await writeFile(note, JSON.stringify({ ...entry, deletedAt: new Date(Date.now() - ms).toISOString() }))
  }
  const DAY = 86_400_000

  test('what is older than trash.keep goes, with its ref, at the next delete too', async () => {
    await using demo = await trashed()
    await age(demo, 6 * DAY)
    assert.equal(await expireTrash(demo.app, false), [])
    await age(demo, 8 * DAY)
    const { key } = await only(demo)
    assert.equal(
      (await expireTrash(demo.app, true)).map((entry) => entry.key),
      [key],
    )
    const { items } = await collectGarbage(demo.app, { all: false, dryRun: true })
    assert.equal(
      items.filter(({ kind }) => kind === 'trash').map(({ name }) => name),
      [key],
    )
    await only(demo)
    const other = await demo.up('other')
    await writeFile(join(other.local?.worktree ?? '', 'new'), 'x')
    await deleteWorkspace(demo.app, other, FORCE)
    const made = (await listTrash(demo.app)).filter((entry) => entry.key !== key)
    assert.is((await listTrash(demo.app)).length, 2, 'all that was there is too old at once')
    assert.is(demo.events.filter((event) => event.type === 'warning' && /clock/.test(event.text)).length, 1)
    // one beside it that is not too old
    const note = join(demo.app.home.trash, key, 'entry.json')
    const { doubtful: _, ...old } = JSON.parse(await readFile(note, 'utf8'))
    await writeFile(note, JSON.stringify(old))
    await deleteWorkspace(demo.app, await demo.up('last'), { ...FORCE, force: false })
    assert.equal(await listTrash(demo.app), made)
    assert.not(existsSync(join(demo.app.home.trash, key)))
    assert.is(
      await demo.repo.git('for-each-ref', '--format=%(refname)', 'refs/nexus'),
      `refs/nexus/trash/${made[0]?.key}`,
    )
  })

  test('what comes from the future, or is doubtful, is told once and left to gc', async () => {
    await using demo = await trashed()
    await age(demo, -100 * DAY)
    for (const name of ['one', 'two']) await deleteWorkspace(demo.app, await demo.up(name), { ...FORCE, force: false })
    assert.is(demo.events.filter((event) => event.type === 'warning' && /clock/.test(event.text)).length, 1)
    await age(demo, 100 * DAY)
    await deleteWorkspace(demo.app, await demo.up('three'), { ...FORCE, force: false })
    await only(demo)
    await collectGarbage(demo.app, { all: false, dryRun: false })
    assert.equal(await listTrash(demo.app), [])
  })

  test('empty removes what comes from the future too, unless it is asked for an age', async () => {
    await using demo = await trashed()
    await age(demo, -100 * DAY)
    assert.is((await emptyTrash(demo.app, { olderThanMs: DAY, dryRun: false })).removed.length, 0)
    assert.is((await emptyTrash(demo.app, { olderThanMs: 0, dryRun: false })).removed.length, 1)
    assert.equal(await listTrash(demo.app), [])
  })

  test('another trash.keep, and none', async () => {
    await using demo = await trashed({ env: { NEXUS_TRASH_KEEP: '1h' } })
    await age(demo, 2 * 3_600_000)
    assert.is((await expireTrash(demo.app, true)).length, 1)
    await using off = await trashed({ env: { NEXUS_TRASH_KEEP: 'off' } })
    assert.equal(await listTrash(off.app), [])
  })

  test('nothing that would be lost: no trash; nor with --no-trash', async () => {
    await using demo = await openDemo()
    assert.is((await demo.delete()).trash, null)
    await demo.up('demo')
    await writeFiles(demo.worktree, { 'ignored/made': 'x', new: 'x' })
    assert.is((await demo.delete({ trash: false })).trash, null)
    await demo.up('demo')
    await writeFiles(demo.worktree, { 'ignored/made': 'x' })
    const { trash, data } = await demo.delete()
    assert.equal(trash?.lost, [])
    assert.is(data, 'ignored/ (1 file, 1 B)')
  })

  test('empty removes by age, and says in a dry run what it would', async () => {
    await using demo = await trashed()
    await age(demo, 2 * DAY)
    const empty = (olderThanMs: number, dryRun = false) => emptyTrash(demo.app, { olderThanMs, dryRun })
    assert.equal(await empty(3 * DAY), { removed: [], kept: [] })
    assert.is((await empty(DAY, true)).removed.length, 1)
    await only(demo)
    assert.is((await empty(DAY)).removed.length, 1)
    assert.equal(await listTrash(demo.app), [])
  })
})

suite('ignored files and data of services', (test) => {
  const PLAIN = { ...FORCE, force: false }
  const withData = async (options: LocalAppOptions = {}) => {
    const demo = await openDemo(options)
    demo.volumes.set('data', { id: demo.demo.id, bytes: 48_000_000 })
    return demo
  }
  const told = ({ events }: LocalApp) => events.flatMap((event) => (event.type === 'warning' ? [event.text] : []))

  test('refuse nothing, are kept and come back; what tools make again does not', async () => {
    await using demo = await withData()
    await writeFiles(demo.worktree, { 'ignored/made': 'made\n', '.gitignore': 'ignored/\nnode_modules/\n' })
    await demo.git('commit', '--quiet', '--all', '-m', 'ignore')
    await writeFiles(demo.worktree, { 'lib/node_modules/a/index.js': 'x' })
    const would = await demo.delete({ ...PLAIN, dryRun: true })
    const said = 'ignored/ (1 file, 5 B) and the data of db (48 MB)'
    assert.is(would.data, said)
    assert.ok(would.plan.some(({ id, cause }) => id === 'trash' && cause.includes(said)))
    assert.equal(await listTrash(demo.app), [])
    const { trash } = await demo.delete(PLAIN)
    assert.equal(trash?.lost, [])
    assert.ok(existsSync(join(trash?.files ?? '', 'ignored', 'made')))
    assert.not(existsSync(join(trash?.files ?? '', 'lib', 'node_modules')))
    assert.ok(demo.volumes.has('data'))
    const { record } = await restoreTrash(demo.app, { ...RESTORE, as: 'other' })
    assert.is(await readFile(join(record.local?.worktree ?? '', 'ignored', 'made'), 'utf8'), 'made\n')
    assert.is(record.id, demo.demo.id)
    assert.is(record.madeAs, 'demo', 'the name that is in those of its volumes')
    assert.ok(demo.volumes.has('data'))
    assert.equal(await listTrash(demo.app), [])
  })

  test('of data alone no files are kept, and the worktree comes back from its commit', async () => {
    await using demo = await withData()
    const { trash } = await demo.delete(PLAIN)
    assert.is(trash?.files, null)
    assert.not(existsSync(demo.worktree))
    assert.is(await demo.repo.git('branch', '--list', 'nexus/*'), '')
    await collectObjects(demo)
    await restoreTrash(demo.app, RESTORE)
    assert.is(await demo.git('status', '--porcelain'), '')
    assert.is(await readFile(join(demo.worktree, 'a.txt'), 'utf8'), 'a\n')
    assert.ok(demo.volumes.has('data'))
    // also where the folder was removed by hand before
    await rm(demo.worktree, { recursive: true })
    await demo.delete(PLAIN)
    await restoreTrash(demo.app, RESTORE)
    assert.is(await demo.git('status', '--porcelain'), '')
  })

  test('go with the entry: by empty, by time, and not those of a workspace that is there again', async () => {
    await using demo = await withData()
    await demo.delete(PLAIN)
    const entry = await only(demo)
    await emptyTrash(demo.app, { olderThanMs: 0, dryRun: false })
    assert.equal([...demo.volumes], [])
    demo.volumes.set('data', { id: demo.demo.id, bytes: 1 })
    await demo.app.records.save(demo.demo)
    await dropEntry(demo.app, entry)
    assert.ok(demo.volumes.has('data'))
  })

  test('beside changes too, and of a worktree that was adopted', async () => {
    await using demo = await withData()
    await writeFiles(demo.worktree, { 'a.txt': 'changed\n', 'ignored/made': 'x' })
    await rejects(() => demo.delete(PLAIN), 'WORKSPACE_DIRTY')
    const { trash, data } = await demo.delete()
    assert.equal(trash?.lost, [' M a.txt'])
    assert.is(data, 'the data of db (48 MB)', 'all files are kept anyway')
    const { record } = await restoreTrash(demo.app, RESTORE)
    await demo.app.records.save({ ...record, local: { ...localIn(record.repo, demo.worktree), adopted: true } })
    await demo.delete(PLAIN)
    assert.ok(existsSync(join(demo.worktree, 'ignored', 'made')))
    assert.ok(demo.volumes.has('data'))
    assert.is((await restoreTrash(demo.app, RESTORE)).record.local?.worktree, demo.worktree)
    assert.is(await readFile(join(demo.worktree, 'a.txt'), 'utf8'), 'changed\n')
  })

  test('are not kept beyond the budget, without a trash, or against one; the first two are said', async () => {
    await using demo = await withData({ env: { NEXUS_TRASH_BUDGET: '64m' } })
    demo.volumes.set('more', { id: demo.demo.id, bytes: 30_000_000 })
    await demo.delete(PLAIN)
    assert.equal([...demo.volumes.keys()], ['more'])
    assert.match(told(demo).join('\n'), /not kept: the data of db \(48 MB\), as it does not fit into trash\.budget/)
    // a newer one pushes an older one out
    const other = await demo.up('other')
    demo.volumes.set('newer', { id: other.id, bytes: 60_000_000 })
    await deleteWorkspace(demo.app, other, PLAIN)
    assert.equal([...demo.volumes.keys()], ['newer'])
    assert.match(
      told(demo).join('\n'),
      /trash\.budget \(67 MB\) is full: the data of db \(30 MB\) of demo, deleted .* went/,
    )
    const entry = await only(demo)
    assert.is(entry.record.name, 'other')
    assert.is(await nameInTrash(demo.app, entry), 'other')
    await saveEntry(demo.app, { ...entry, key: 'ws-aaaaaaaa-20261123T080000Z', data: [] })
    assert.is(await nameInTrash(demo.app, entry), entry.key)
    // what has room is kept beside what has none
    await using large = await withData({ env: { NEXUS_TRASH_BUDGET: '64m' }, files: { '.gitignore': '*.log\n.env\n' } })
    await writeFiles(large.worktree, { 'big.log': '', 'small.log': 'x', '.env': 'y' })
    await truncate(join(large.worktree, 'big.log'), 70_000_000)
    await large.delete(PLAIN)
    assert.match(told(large).join('\n'), /not kept: big\.log \(70 MB\), as it does not fit/)
    const files = (await only(large)).files ?? ''
    assert.equal(await Promise.all(['small.log', '.env'].map((name) => readFile(join(files, name), 'utf8'))), [
      'x',
      'y',
    ])
    assert.not.ok(existsSync(join(files, 'big.log')))
    await using off = await withData({ env: { NEXUS_TRASH_KEEP: 'off' } })
    await off.delete(PLAIN)
    assert.equal([...off.volumes], [])
    assert.match(told(off).join('\n'), /not kept: the data of db \(48 MB\), as trash\.keep is off/)
    await using against = await withData()
    await against.delete({ ...PLAIN, trash: false })
    assert.equal([[...against.volumes], told(against)], [[], []])
  })

  test('is what a service has in a folder, whatever that is called', async () => {
    await using demo = await withData({ files: { '.gitignore': 'target/\nnode_modules/\n' } })
    await writeFiles(demo.worktree, { 'target/gold': 'x', 'node_modules/a': 'y', 'lib/target/b': 'z' })
    demo.volumes.set(join(demo.worktree, 'target'), { id: demo.demo.id, bytes: null, isFolder: true })
    assert.is((await demo.delete(PLAIN)).data, 'target/, the data of db (1 file, 1 B) and the data of db (48 MB)')
    const files = (await only(demo)).files ?? ''
    assert.is(await readFile(join(files, 'target', 'gold'), 'utf8'), 'x')
    assert.equal(
      ['node_modules', 'lib/target'].filter((name) => existsSync(join(files, name))),
      [],
    )
  })

  test('a delete that was cut off keeps what it began to keep, and looks again where it had not begun', async () => {
    await using demo = await withData()
    await writeFiles(demo.worktree, { 'ignored/made': 'x' })
    const cut = { ...beginOperation('delete'), step: 'trash', begun: ['remove', 'trash'], done: ['remove'] }
    await demo.app.records.save({ ...demo.demo, operation: cut })
    assert.is((await demo.delete(PLAIN)).data, 'ignored/ (1 file, 1 B) and the data of db (48 MB)')
    const entry = await only(demo)
    // as a kill right after the files were moved leaves it
    await demo.app.records.save({ ...demo.demo, operation: cut })
    await demo.delete(PLAIN)
    assert.equal(await only(demo), entry)
    assert.ok(demo.volumes.has('data'))
    await restoreTrash(demo.app, RESTORE)
    assert.is(await readFile(join(demo.worktree, 'ignored', 'made'), 'utf8'), 'x')
  })
})

suite('cut off in the middle', (test) => {
  test('a delete whose files are in the trash already is finished, with and without --force', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.worktree, 'a.txt'), 'changed\n')
    await demo.git('add', 'a.txt')
    const before = await picture(demo)
    const { trash } = await demo.delete()
    const entry = await only(demo)
    // as a kill between the two moves leaves it
    await mkdir(join(demo.repo.path, '.git', 'worktrees'), { recursive: true })
    await rename(join(demo.app.home.trash, entry.key, 'git'), join(demo.repo.path, '.git', 'worktrees', 'demo'))
    await demo.app.records.save({ ...demo.demo, operation: beginOperation('delete') })
    const again = await demo.delete({ force: false })
    assert.is(again.trash?.key, trash?.key)
    assert.not(existsSync(join(demo.repo.path, '.git', 'worktrees', 'demo')))
    await restoreTrash(demo.app, RESTORE)
    assert.equal(await picture(demo), before)
  })

  test('a restore that registered the worktree, or moved the files too, is finished', async () => {
    await using demo = await openDemo()
    await writeFiles(demo.worktree, { 'a.txt': 'changed\n', new: 'x' })
    const before = await picture(demo)
    for (const moved of [false, true]) {
      await demo.delete()
      const entry = await only(demo)
      const restoring = { worktree: demo.worktree, name: 'demo' }
      await writeFile(join(demo.app.home.trash, entry.key, 'entry.json'), JSON.stringify({ ...entry, restoring }))
      await mkdir(join(demo.worktree, '..'), { recursive: true })
      const finishes = /nexus trash restore demo`$/
      await demo.repo.git('worktree', 'add', '--no-checkout', '-b', 'nexus/demo', demo.worktree, 'main')
      if (moved) {
        const link = await readFile(join(demo.worktree, '.git'))
        await rm(demo.worktree, { recursive: true })
        await rename(entry.files ?? '', demo.worktree)
        await writeFile(join(demo.worktree, '.git'), link)
      }
      for (const wrong of [
        () => demo.up('demo'),
        () => adopt(demo.app, { given: demo.worktree, name: undefined, dryRun: false }),
        () => adopt(demo.app, { given: demo.worktree, name: 'other', dryRun: false }),
      ]) {
        const error = await rejects(wrong, 'WORKSPACE_ALREADY_EXISTS')
        assert.match(error.hint ?? '', finishes)
      }
      assert.is((await emptyTrash(demo.app, { olderThanMs: 0, dryRun: false })).kept.length, 1)
      const scan = { app: demo.app, records: await demo.app.records.list(), settings: undefined }
      assert.match((await checkWorktrees(scan as unknown as Scan))[0]?.hint ?? '', finishes)
      await restoreTrash(demo.app, RESTORE)
      assert.equal(await picture(demo), before, `files moved: ${moved}`)
      // as a kill right before the entry went leaves it
      await saveEntry(demo.app, { ...entry, restoring })
      assert.is((await restoreTrash(demo.app, RESTORE)).record.id, demo.demo.id)
      assert.equal(await listTrash(demo.app), [])
    }
  })

  test('a forced delete without a trash loses nothing that was made since', async () => {
    await using demo = await openDemo()
    const options = ['force', 'no-trash']
    const cut = async (step: string) => {
      const operation = { ...beginOperation('delete', options), ...nobody(), step, begun: [step] }
      await demo.app.records.save({ ...demo.demo, operation })
    }
    await cut('remove')
    await writeFiles(demo.worktree, { 'later.q': 'x', 'ignored/made': 'x' })
    await rejects(() => demo.delete({ force: false }), 'WORKSPACE_DIRTY')
    assert.is((await demo.up('demo')).id, demo.demo.id)
    assert.ok(existsSync(join(demo.worktree, 'later.q')))
    await cut('worktree-remove')
    assert.is.not((await demo.up('demo')).id, demo.demo.id)
    assert.not(existsSync(join(demo.worktree, 'later.q')))
    const { files } = await only(demo)
    assert.ok(existsSync(join(files ?? '', 'later.q')) && existsSync(join(files ?? '', 'ignored', 'made')))
    await demo.delete()
    await emptyTrash(demo.app, { olderThanMs: 0, dryRun: false })
    // asked for again
    const again = await demo.up('demo')
    await writeFiles(demo.worktree, { later: 'x' })
    await demo.app.records.save({ ...again, operation: beginOperation('delete', options) })
    await demo.delete({ trash: false })
    assert.equal(await listTrash(demo.app), [])
  })

  test('nothing is overwritten: a folder at the place is refused, another name works', async () => {
    await using demo = await openDemo()
    await writeFile(join(demo.worktree, 'new'), 'x')
    await demo.delete()
    await writeFiles(demo.worktree, { theirs: 'x' })
    const error = await rejects(() => restoreTrash(demo.app, RESTORE), 'WORKSPACE_ALREADY_EXISTS')
    assert.match(error.message, /already there/)
    const { record } = await restoreTrash(demo.app, { ...RESTORE, as: 'demo-2' })
    assert.ok(existsSync(join(record.local?.worktree ?? '', 'new')))
    assert.ok(existsSync(join(demo.worktree, 'theirs')))
    await rejects(() => restoreTrash(demo.app, RESTORE), 'WORKSPACE_NOT_FOUND')
  })
})
