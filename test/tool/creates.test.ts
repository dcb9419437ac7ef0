/**
 * Creates in repositories of all sorts: hooks and filters that fail or look for state in the git dir, parts of the git dir that lie
 * elsewhere, refs in the way, names of all scripts. And a full disk, on which what takes away needs no new room.
 *
 * | finding | what happened on the old code | where it was | since |
 * |---|---|---|---|
 * | F12 | a post-checkout hook that failed undid a good create | lib/tools/git.ts, `checkOut` | 3501e83 |
 * | F19 | refs in the way ended in git's raw words, late | lib/workspace/lifecycle/branch.ts | 3501e83 |
 * | F11 | the hint for a branch `a@b` led to another branch | lib/core/names.ts | 3501e83 |
 * | issue 15 | git-crypt's keys were looked for in the worktree's part of the git dir | lib/tools/git.ts, `checkOut` | 3501e83 |
 * | issue 15 | `up` of a workspace whose repository was made anew ended in git's raw words | lib/workspace/lifecycle/up.ts | 1bf2d1e |
 * | issue 15 | `.git` as a link: made, and git worked not inside | lib/workspace/lifecycle/draft.ts | 3501e83 |
 * | issue 15 | stop and delete failed on a full disk | lib/system/store.ts | 3501e83 |
 */

import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Event } from '../../lib/core/events.ts'
import { worktreeOf } from '../../lib/core/record-parts.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { keepReserve } from '../../lib/system/reserve.ts'
import { findRepository, requireRepository } from '../../lib/tools/repository.ts'
import { tellRoot } from '../../lib/workspace/lifecycle/as-root.ts'
import { stop } from '../../lib/workspace/lifecycle/stop-pause.ts'
import { bringUp } from '../../lib/workspace/lifecycle/up.ts'
import { findWorkspace } from '../../lib/workspace/names/find.ts'
import { deleteWorkspace } from '../../lib/workspace/trash/delete.ts'
import { type LocalApp, openLocalApp } from '../support/local-app.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const PLAIN = { force: false, deleteBranch: false, dryRun: false, trash: true }

function warnings({ events }: LocalApp): readonly { readonly text: string; readonly hint?: string | undefined }[] {
  return events.flatMap((event) => (event.type === 'warning' ? [event] : []))
}

async function script(path: string, text: string): Promise<void> {
  await writeFile(path, text)
  await chmod(path, 0o755)
}

/** Alphabetic letters go one further; without the key in the git dir that git tells it of, it fails. */
const FILTER = (set: string) => `#!/bin/sh
key="$(git rev-parse --git-dir)/git-crypt/keys/default"
[ -e "$key" ] || { echo "no key at $key" >&2; exit 1; }
tr ${set}
`

/** A repository with `a.secret`, which is stored in other letters, as with git-crypt. */
async function encrypt({ repo }: LocalApp): Promise<void> {
  const tools = join(repo.path, '.git', 'tools.d')
  await mkdir(tools)
  await script(join(tools, 'smudge'), FILTER('a-z b-za'))
  await script(join(tools, 'clean'), FILTER('b-za a-z'))
  await mkdir(join(repo.path, '.git', 'git-crypt', 'keys'), { recursive: true })
  await writeFile(join(repo.path, '.git', 'git-crypt', 'keys', 'default'), 'k\n')
  for (const way of ['smudge', 'clean']) await repo.git('config', `filter.git-crypt.${way}`, join(tools, way))
  await repo.git('config', 'filter.git-crypt.required', 'true')
  await writeFile(join(repo.path, '.gitattributes'), '*.secret filter=git-crypt\n')
  await writeFile(join(repo.path, 'a.secret'), 'hidden\n')
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '-m', 'encrypted')
}

suite('a hook after the checkout that fails', (test) => {
  for (const [what, text, code] of [
    ['with its own words', '#!/bin/sh\necho lint is missing >&2\nexit 141\n', 141],
    ['as husky does before npm install', '#!/bin/sh\nexit 127\n', 127],
    ['for want of its interpreter', '#!/no/such/interpreter\n', undefined],
  ] as const) {
    test(`${what}: a warning, and the workspace`, async () => {
      await using local = await openLocalApp({ files: { 'a.txt': 'a\n' } })
      const hook = join(local.repo.path, '.git', 'hooks', 'post-checkout')
      await mkdir(join(local.repo.path, '.git', 'hooks'), { recursive: true })
      await script(hook, text)
      const worktree = worktreeOf(await local.up('x'))
      assert.is(await readFile(join(worktree ?? '', 'a.txt'), 'utf8'), 'a\n')
      const [warning] = warnings(local)
      assert.ok(warning?.text.includes(`the hook post-checkout (${hook}) ended with code ${code ?? ''}`), warning?.text)
      assert.is(warning?.text.includes('lint is missing'), text.includes('lint'))
      assert.match(warning?.hint ?? '', /`git -C \S+ checkout`$/)
    })
  }
})

suite('filters that look for state in the git dir', (test) => {
  test('find it from a worktree, and nothing counts as changed', async () => {
    await using local = await openLocalApp()
    await encrypt(local)
    assert.is(await local.repo.git('cat-file', 'blob', 'HEAD:a.secret'), 'ghccdm')
    const record = await local.up('x')
    assert.is(await readFile(join(record.local?.worktree ?? '', 'a.secret'), 'utf8'), 'hidden\n')
    assert.equal(warnings(local), [])
    assert.is(await local.repo.git('-C', record.local?.worktree ?? '', 'status', '--porcelain'), '')
    assert.is((await deleteWorkspace(local.app, record, PLAIN)).changed, true)
    assert.ok(existsSync(join(local.repo.path, '.git', 'git-crypt', 'keys', 'default')))
  })

  test('that fail all the same leave the files as they are stored, and say so', async () => {
    await using local = await openLocalApp()
    await encrypt(local)
    await rename(join(local.repo.path, '.git', 'git-crypt'), join(local.repo.path, 'kept-elsewhere'))
    const record = await local.up('x')
    assert.is(await readFile(join(record.local?.worktree ?? '', 'a.secret'), 'utf8'), 'ghccdm\n')
    const [warning] = warnings(local)
    assert.match(warning?.text ?? '', /filter git-crypt stay .* as it failed: no key at /)
    assert.match(warning?.hint ?? '', /cat-file --filters nexus\/x:a\.secret`$/)
  })

  test('and are not set up: told, with what sets them up', async () => {
    await using local = await openLocalApp()
    await encrypt(local)
    await local.repo.git('config', '--remove-section', 'filter.git-crypt')
    await local.up('x')
    assert.match(warnings(local)[0]?.text ?? '', /filter git-crypt stay encrypted, as it is not set up/)
  })
})

/** Asserts that a create is refused, and leaves neither record nor branch. */
async function refused(local: LocalApp, given: string, code: Parameters<typeof rejects>[1], branch?: string) {
  const before = await local.repo.git('for-each-ref')
  const request = { given, branch, repo: requireRepository(local.repo.path), start: false, dryRun: false }
  const error = await rejects(() => bringUp(local.app, { ...request, existing: undefined }), code)
  assert.equal(await local.app.records.list(), [])
  assert.is(await local.repo.git('for-each-ref'), before)
  return error
}

suite('parts of the git dir that lie elsewhere', (test) => {
  test('.git as a link is refused with a command, after which it works', async () => {
    await using local = await openLocalApp()
    await using store = await tempDir()
    const { path } = local.repo
    await rename(join(path, '.git'), join(store.path, 'own repo.git'))
    await symlink(join(store.path, 'own repo.git'), join(path, '.git'))
    const error = await refused(local, 'x', 'UNSUPPORTED')
    const [, command = ''] = /`(.*)`/.exec(error.hint ?? '') ?? []
    assert.is((await runProcess(['sh', '-c', command], { cwd: '/' })).code, 0, command)
    const record = await local.up('x')
    assert.is(findRepository(record.local?.worktree ?? '')?.root, path)
    assert.is(await local.repo.git('-C', record.local?.worktree ?? '', 'rev-parse', '--abbrev-ref', 'HEAD'), 'nexus/x')
  })

  test('so are objects and refs; a folder of hooks may be one', async () => {
    await using local = await openLocalApp()
    await using store = await tempDir()
    for (const part of ['objects', 'refs', 'hooks']) {
      const [from, to] = [join(local.repo.path, '.git', part), join(store.path, part)]
      await mkdir(from, { recursive: true })
      await rename(from, to)
      await symlink(to, from)
      if (part === 'hooks') await local.up('x')
      else assert.ok((await refused(local, 'x', 'UNSUPPORTED')).message.startsWith(from))
      await runProcess(['sh', '-c', 'rm "$1" && mv "$2" "$1"', 'sh', from, to])
    }
  })
})

suite('refs and names', (test) => {
  test('refs in the way are told before anything is made', async () => {
    await using local = await openLocalApp()
    const { git } = local.repo
    const head = await git('rev-parse', 'HEAD')
    await git('branch', 'nexus/x/y')
    for (const name of ['origin/f', 'origin/g/h']) await git('update-ref', `refs/remotes/${name}`, head)
    for (const name of ['f', 'g']) await git('branch', name)
    assert.match((await refused(local, 'x', 'BRANCH_IN_USE')).hint ?? '', /`nexus up x-2`/)
    assert.match((await refused(local, 'origin/f', 'BRANCH_IN_USE')).hint ?? '', /`nexus up f`$/)
    assert.match((await refused(local, 'o', 'BRANCH_IN_USE', 'origin/f')).hint ?? '', /`nexus up o --branch f`$/)
    assert.match((await refused(local, 'g/h', 'BRANCH_IN_USE')).hint ?? '', /`git branch -m g g-old`$/)
  })

  test('a workspace of a repository that was made anew at its path is told so, and a delete makes room', async () => {
    await using local = await openLocalApp()
    const { repo } = local
    const worktree = worktreeOf(await local.up('x'))
    for (const gone of [worktree ?? '', join(repo.path, '.git')]) await rm(gone, { recursive: true })
    await repo.git('init', '--quiet')
    await repo.git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--allow-empty', '-m', 'anew')
    local.running.clear()
    const { message, hint } = await rejects(() => local.up('x'), 'GIT_ERROR')
    assert.match(message, /is another one: it has neither the worktree nor branch nexus\/x/)
    assert.match(hint ?? '', /`nexus delete x && nexus up x`/)
    assert.not.ok(existsSync(worktree ?? ''))
    await deleteWorkspace(local.app, (await local.record('x')) as WorkspaceRecord, PLAIN)
    await local.up('x')
  })

  test('a branch that no name can be made of is used, and found again', async () => {
    await using local = await openLocalApp()
    const repo = requireRepository(local.repo.path)
    for (const branch of ['a@b', 'fix-🎉', "it's", 'x,y', 'per%cent', 'a+b=c', 'team/a@b']) {
      await refusedAs(local, branch)
      await local.repo.git('branch', branch)
      const record = await local.up(branch)
      assert.equal([record.branch, record.given], [branch, branch])
      assert.is((await findWorkspace(local.app, branch, repo))?.id, record.id)
      await deleteWorkspace(local.app, record, PLAIN)
    }
  })

  test('names without Latin letters keep them in their branch', async () => {
    await using local = await openLocalApp()
    assert.is((await local.up('修复登录')).branch, 'nexus/修复登录')
    assert.is((await local.up('Исправление')).branch, 'nexus/Исправление')
    assert.match((await local.up('Ärger')).branch, /^nexus\/arger-/)
  })
})

suite('a create by root', (test) => {
  test('in a repository of another user says whose the files will be', () => {
    const told = (env: NodeJS.ProcessEnv, owner: number, uid: number) => {
      const events: Event[] = []
      tellRoot({ env, emit: (event) => events.push(event) }, '/r', owner, uid)
      return events.flatMap((event) => (event.type === 'warning' ? [`${event.text} ${event.hint}`] : []))
    }
    const sudo = { SUDO_UID: '1000', SUDO_USER: 'alice' }
    assert.match(
      told(sudo, 1000, 0).join(),
      /belong to root, and the repository to alice .*`sudo -u alice nexus up <name>`$/,
    )
    assert.match(told({}, 1000, 0).join(), /to user 1000 .*`sudo -u '#1000' nexus up <name>`$/)
    assert.equal([...told(sudo, 0, 0), ...told(sudo, 1000, 1000)], [])
  })
})

/** While there is no such branch, the text is no name; with a good one as the hint. */
async function refusedAs(local: LocalApp, text: string): Promise<void> {
  if (/^[\w./+#-]+$/.test(text)) return
  await refused(local, text, 'INVALID_ARGUMENT')
}

suite('a full disk', (test) => {
  test('stop and delete need no new room in NEXUS_HOME, nor in the repository', async () => {
    await using disk = await tempDir()
    const mount = ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk.path]
    assert.is((await runProcess(mount)).code, 0)
    try {
      await using local = await openLocalApp({ homeIn: disk.path })
      keepReserve(local.app.home.reserve)
      const one = await local.up('one')
      const two = await local.up('two')
      await fill(disk.path)
      await rejects(() => local.up('three'), 'DISK_FULL')
      assert.is((await stop(local.app, one, false)).record.desired, 'stopped')
      await fill(disk.path)
      await deleteWorkspace(local.app, one, PLAIN)
      await writeFile(join(two.local?.worktree ?? '', 'new.txt'), 'my own work\n')
      await rejects(() => deleteWorkspace(local.app, two, PLAIN), 'WORKSPACE_DIRTY')
      await fill(disk.path)
      const { trash } = await deleteWorkspace(local.app, two, { ...PLAIN, force: true })
      assert.is(await readFile(join(trash?.files ?? '', 'new.txt'), 'utf8'), 'my own work\n')
      assert.equal(await local.app.records.list(), [])
    } finally {
      await runProcess(['umount', '--lazy', disk.path])
    }
  })
})

async function fill(folder: string): Promise<void> {
  await runProcess(['sh', '-c', 'cat /dev/zero >> "$1"', 'sh', join(folder, `full-${Date.now()}`)])
}
