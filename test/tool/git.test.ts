/**
 * git.ts and repository.ts against the real git: every layout of a repository, worktrees that are half made, locked or gone,
 * and what would be lost. Paths hold spaces and quotes.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createGit } from '../../lib/tools/git.ts'
import { parseStatus } from '../../lib/tools/git-failures.ts'
import { createInertGit } from '../../lib/tools/git-inert.ts'
import {
  findRepository,
  isOnItsOwn,
  listAlternates,
  listLinkedWorktrees,
  readBranch,
  requireRepository,
} from '../../lib/tools/repository.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { type TempRepo, tempDir, tempRepo, writeFiles } from '../support/temp.ts'

const QUIET = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const AWKWARD = `it's "a" folder, $HOME`

const runner = createRunner(() => {}, { ...process.env, ...QUIET }, createInterruption())
const git = createGit(runner)
const inert = createInertGit(runner, join(tmpdir(), 'inert'))
const repositoryAt = (repo: TempRepo, worktree = repo.path) => ({
  root: repo.path,
  gitDir: join(repo.path, '.git'),
  worktree,
})

/** The real git in any folder. */
async function run(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid', '-c', 'protocol.file.allow=always']
  const { code, stdout, stderr } = await runProcess(['git', ...identity, ...args], { cwd, env: QUIET })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

const head = (repo: TempRepo) => repo.git('rev-parse', 'HEAD')

interface Added {
  readonly path: string
  readonly commit: string
}

async function addWorktree(repo: TempRepo, name = 'x', again = false, create = true): Promise<Added> {
  const [path, commit] = [join(repo.path, '.worktree', name), await head(repo)]
  await git.addWorktree(repo.path, path, { name: `nexus/${name}`, create, commit, again })
  await git.checkOut(path, () => {})
  return { path, commit }
}

suite('findRepository', (test) => {
  test('from the root and from deep inside', async () => {
    await using repo = await tempRepo({ files: { 'a/b/c.txt': 'x' } })
    const expected = { root: repo.path, gitDir: join(repo.path, '.git'), worktree: repo.path }
    assert.equal(findRepository(repo.path), expected)
    assert.equal(findRepository(join(repo.path, 'a', 'b')), expected)
    assert.equal(requireRepository(join(repo.path, 'a')), expected)
  })

  test('of a file by the folder that it lies in', async () => {
    await using repo = await tempRepo({ files: { 'c.txt': 'x' } })
    await using dir = await tempDir()
    await writeFile(join(dir.path, 'file'), '')
    for (const path of ['file', 'file/below']) assert.is(findRepository(join(dir.path, path)), undefined)
    assert.is(findRepository(join(repo.path, 'c.txt'))?.root, repo.path)
  })

  test('through a symbolic link, by its real path', async () => {
    await using repo = await tempRepo()
    await using dir = await tempDir()
    await symlink(repo.path, join(dir.path, 'link'))
    assert.is(findRepository(join(dir.path, 'link'))?.root, repo.path)
  })

  test('from a linked worktree, wherever it lies', async () => {
    await using repo = await tempRepo()
    await using dir = await tempDir()
    const path = join(dir.path, AWKWARD)
    await repo.git('worktree', 'add', '--quiet', '-b', 'side', path)
    assert.equal(findRepository(path), { root: repo.path, gitDir: join(repo.path, '.git'), worktree: path })
    await mkdir(join(path, 'deep'))
    assert.is(findRepository(join(path, 'deep'))?.worktree, path)
  })

  test('from a submodule, and from a worktree of it', async () => {
    await using part = await tempRepo()
    await using repo = await tempRepo()
    await run(repo.path, 'submodule', 'add', '--quiet', part.path, 'libs/part')
    const [sub, gitDir] = [join(repo.path, 'libs', 'part'), join(repo.path, '.git', 'modules', 'libs', 'part')]
    assert.equal(findRepository(sub), { root: sub, gitDir, worktree: sub })
    const side = join(repo.path, 'side of part')
    await run(sub, 'worktree', 'add', '--quiet', '-b', 'side', side)
    assert.equal(findRepository(side), { root: sub, gitDir, worktree: side })
  })

  test('with a separate git dir, and from a worktree of it', async () => {
    await using dir = await tempDir()
    const [work, separate] = [join(dir.path, 'work'), join(dir.path, 'elsewhere.git')]
    await run(dir.path, 'init', '--quiet', `--separate-git-dir=${separate}`, work)
    await run(work, 'commit', '--quiet', '--allow-empty', '-m', 'first')
    assert.equal(findRepository(work), { root: work, gitDir: separate, worktree: work })
    const side = join(dir.path, 'side')
    await run(work, 'worktree', 'add', '--quiet', '-b', 'side', side)
    const found = findRepository(side)
    assert.is(found?.gitDir, separate)
    assert.is(found?.worktree, side)
  })

  test('a bare repository is refused, with a worktree of it found', async () => {
    await using repo = await tempRepo()
    await using dir = await tempDir()
    const bare = join(dir.path, 'bare.git')
    await run(dir.path, 'clone', '--quiet', '--bare', repo.path, bare)
    assert.is(findRepository(bare), undefined)
    const error = await rejects(() => requireRepository(bare), 'INVALID_ARGUMENT')
    assert.match(error.message, /bare/)
    const side = join(dir.path, 'side')
    await run(bare, 'worktree', 'add', '--quiet', '-b', 'side', side)
    const found = requireRepository(side)
    assert.equal([found.gitDir, found.root, isOnItsOwn(found)], [bare, side, true])
    assert.not(isOnItsOwn(requireRepository(repo.path)))
  })

  test('no repository, and no folder', async () => {
    await using dir = await tempDir()
    assert.is(findRepository(dir.path), undefined)
    await rejects(() => requireRepository(dir.path), 'REPOSITORY_NOT_FOUND')
    await rejects(() => requireRepository(join(dir.path, 'nope')), 'REPOSITORY_NOT_FOUND')
    await mkdir(join(dir.path, '.git'))
    assert.is(findRepository(dir.path), undefined, 'an empty .git is no repository')
  })

  test('a .git file that leads nowhere is no repository', async () => {
    await using dir = await tempDir()
    await writeFile(join(dir.path, '.git'), 'gitdir: /nowhere/at/all\n')
    assert.is(findRepository(dir.path), undefined)
  })

  test('alternates of a shared clone', async () => {
    await using repo = await tempRepo()
    await using dir = await tempDir()
    const clone = join(dir.path, AWKWARD)
    await run(dir.path, 'clone', '--quiet', '--shared', repo.path, clone)
    assert.equal(listAlternates(join(clone, '.git')), [join(repo.path, '.git', 'objects')])
    assert.equal(listAlternates(join(repo.path, '.git')), [])
    // whoever can write to the git dir could have any folder mounted
    await mkdir(join(dir.path, 'keys', 'info'), { recursive: true })
    await writeFile(join(repo.path, '.git', 'objects', 'info', 'alternates'), `${join(dir.path, 'keys')}\n`)
    assert.equal(listAlternates(join(repo.path, '.git')), [])
  })
})

suite('worktrees', (test) => {
  test('are added on a new branch that tracks nothing, with their files', async () => {
    await using repo = await tempRepo({ files: { 'README.md': 'hello', 'src/a b.txt': 'x' } })
    const { path, commit } = await addWorktree(repo)
    assert.equal((await readdir(path)).sort(), ['.git', 'README.md', 'src'])
    assert.is(await run(path, 'rev-parse', 'HEAD'), commit)
    assert.is(await run(path, 'symbolic-ref', 'HEAD'), 'refs/heads/nexus/x')
    assert.is(await run(path, 'status', '--porcelain'), '')
    assert.is((await runProcess(['git', 'config', 'branch.nexus/x.merge'], { cwd: path })).code, 1)
    assert.is(readBranch(path), 'nexus/x')
    assert.equal(listLinkedWorktrees(join(repo.path, '.git')), [{ path, branch: 'nexus/x', present: true }])
  })

  test('the user’s checkout, index and stash stay as they are', async () => {
    await using repo = await tempRepo()
    await writeFiles(repo.path, { 'README.md': 'changed', 'new.txt': 'new' })
    await repo.git('add', 'new.txt')
    const look = async () => [
      await repo.git('status', '--porcelain', '--untracked-files=no'),
      await repo.git('rev-parse', '--abbrev-ref', 'HEAD'),
      await repo.git('config', '--local', '--list'),
    ]
    const before = await look()
    const { path } = await addWorktree(repo)
    assert.equal(await look(), before)
    await git.removeWorktree(repo.path, path)
    assert.equal(await look(), before)
  })

  test('an existing branch is used as it is', async () => {
    await using repo = await tempRepo()
    await repo.git('branch', 'nexus/x')
    const { path } = await addWorktree(repo, 'x', false, false)
    assert.is(readBranch(path), 'nexus/x')
  })

  test('a branch that is checked out is BRANCH_IN_USE, naming where', async () => {
    await using repo = await tempRepo()
    const path = join(repo.path, 'other')
    const branch = { name: 'main', create: false, commit: await head(repo), again: false }
    const error = await rejects(() => git.addWorktree(repo.path, path, branch), 'BRANCH_IN_USE')
    assert.is(error.details?.worktree, repo.path)
  })

  test('a detached HEAD has no branch, a folder that is no worktree neither', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo)
    await run(path, 'checkout', '--quiet', '--detach')
    assert.is(readBranch(path), null)
    assert.is(listLinkedWorktrees(join(repo.path, '.git'))[0]?.branch, null)
    assert.is(readBranch(join(repo.path, '.worktree')), undefined)
  })

  for (const [what, damage] of [
    ['without files', async () => {}],
    ['whose folder is gone', (path: string) => rm(path, { recursive: true })],
    ['whose .git file is gone', (path: string) => rm(join(path, '.git'))],
    ['with an index lock', (_path: string, repo: string) => writeFile(join(repo, '.git/worktrees/x/index.lock'), '')],
    ['without its HEAD', (_path: string, repo: string) => rm(join(repo, '.git/worktrees/x/HEAD'))],
    ['without its gitdir file', (_path: string, repo: string) => rm(join(repo, '.git/worktrees/x/gitdir'))],
    ['that is locked', (path: string, repo: string) => run(repo, 'worktree', 'lock', path)],
    [
      'that git knows no more',
      (_path: string, repo: string) => rm(join(repo, '.git/worktrees/x'), { recursive: true }),
    ],
  ] as const) {
    test(`one ${what} is made anew`, async () => {
      await using repo = await tempRepo()
      const path = join(repo.path, '.worktree', 'x')
      const branch = { name: 'nexus/x', commit: await head(repo) }
      await git.addWorktree(repo.path, path, { ...branch, create: true, again: false })
      await damage(path, repo.path)
      await addWorktree(repo, 'x', true, false)
      assert.is(await run(path, 'status', '--porcelain'), '')
      assert.is(readBranch(path), 'nexus/x')
      assert.ok(existsSync(join(path, 'README.md')))
      assert.is((await run(repo.path, 'worktree', 'list')).split('\n').length, 2)
    })

    test(`one ${what} is removed`, async () => {
      await using repo = await tempRepo()
      const path = join(repo.path, '.worktree', 'x')
      const branch = { name: 'nexus/x', commit: await head(repo), create: true, again: false }
      await git.addWorktree(repo.path, path, branch)
      await damage(path, repo.path)
      await git.removeWorktree(repo.path, path)
      assert.not(existsSync(path))
      assert.is((await run(repo.path, 'worktree', 'list')).split('\n').length, 1)
      assert.equal(listLinkedWorktrees(join(repo.path, '.git')), [])
    })
  }

  test('removing one that never was is fine, and leaves the others', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo, 'other')
    await git.removeWorktree(repo.path, join(repo.path, '.worktree', 'x'))
    assert.ok(existsSync(join(path, 'README.md')))
  })

  test('a repository path with spaces, quotes and a dollar', async () => {
    await using dir = await tempDir()
    const repo = join(dir.path, AWKWARD)
    await run(dir.path, 'init', '--quiet', '--initial-branch=main', repo)
    await writeFiles(repo, { "it's.txt": 'x' })
    await run(repo, 'add', '--all')
    await run(repo, 'commit', '--quiet', '-m', 'first')
    const commit = await run(repo, 'rev-parse', 'HEAD')
    const path = join(repo, '.worktree', 'x')
    await git.addWorktree(repo, path, { name: 'nexus/x', create: true, commit, again: false })
    await git.checkOut(path, () => {})
    assert.equal(findRepository(path), { root: repo, gitDir: join(repo, '.git'), worktree: path })
    assert.equal(await inert.listChanges({ root: repo, gitDir: join(repo, '.git'), worktree: path }), [])
    const refs = await git.listRefs(repo, ['refs/heads/nexus/x'])
    assert.equal(refs, [{ name: 'refs/heads/nexus/x', commit, worktree: await realpath(path) }])
    await git.removeWorktree(repo, path)
    assert.not(existsSync(path))
  })
})

suite('looks', (test) => {
  test('findCommit and findFile know what is not there', async () => {
    await using repo = await tempRepo({ files: { 'a.txt': 'text\n' } })
    assert.is(await git.findCommit(repo.path, 'main'), await head(repo))
    assert.is(await git.findCommit(repo.path, 'nowhere'), undefined)
    assert.is(await git.findCommit(repo.path, '--all'), undefined)
    assert.is(await git.findFile(repo.path, 'HEAD', 'a.txt'), 'text\n')
    assert.is(await git.findFile(repo.path, 'HEAD', 'b.txt'), undefined)
  })

  test('an unborn branch has no commit', async () => {
    await using repo = await tempRepo({ commits: 0 })
    assert.is(await git.findCommit(repo.path, 'HEAD'), undefined)
  })

  test('isBranchName is git’s own opinion', async () => {
    await using repo = await tempRepo()
    for (const [text, good] of [
      ['feature/x', true],
      ['a..b', false],
      ['a b', false],
      ['x.lock', false],
      ['@{', false],
    ] as const) {
      assert.is(await git.isBranchName(repo.path, text), good, text)
    }
  })

  test('identity is what git has, or empty', async () => {
    await using repo = await tempRepo()
    assert.equal(await git.identity(repo.path), { name: 'Test', email: 'test@example.invalid', comfort: [] })
    for (const key of ['user.name', 'user.email']) await repo.git('config', key, '')
    assert.equal(await git.identity(repo.path), { name: '', email: '', comfort: [] })
  })

  test('how commits are signed is told for SSH keys alone, and a command only from the user’s own configuration', async () => {
    await using repo = await tempRepo()
    const signing = async () => (await git.identity(repo.path)).signing
    for (const [key, value] of [
      ['user.signingkey', '~/.ssh/id.pub'],
      ['commit.gpgsign', 'yes'],
      ['gpg.ssh.defaultKeyCommand', 'touch /tmp/never'],
    ] as const) {
      await repo.git('config', key, value)
    }
    assert.is(await signing(), undefined)
    await repo.git('config', 'gpg.format', 'ssh')
    const told = { key: '~/.ssh/id.pub', command: '', commits: true, tags: false, local: true }
    assert.equal(await signing(), told)
  })

  test('listChanges names all that would be lost, and only that', async () => {
    await using repo = await tempRepo({
      files: { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c', '.gitignore': 'ignored\n' },
    })
    const { path } = await addWorktree(repo)
    assert.equal(await inert.listChanges(repositoryAt(repo, path)), [])
    await writeFiles(path, { 'a.txt': 'A', ignored: 'x', 'new "file" it\'s': 'x', 'folder/deep.txt': 'x' })
    await run(path, 'mv', 'b.txt', 'renamed b.txt')
    await run(path, 'rm', '--quiet', 'c.txt')
    assert.equal([...(await inert.listChanges(repositoryAt(repo, path)))].sort(), [
      ' M a.txt',
      '?? folder/',
      `?? new "file" it's`,
      'D  c.txt',
      'R  renamed b.txt',
    ])
  })

  test('listChanges runs nothing from the worktree and takes no lock', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo)
    const mark = join(repo.path, '.git', 'ran')
    const script = join(path, 'evil.sh')
    await writeFile(script, `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 })
    await run(path, 'config', 'core.fsmonitor', script)
    await writeFile(join(repo.path, '.git', 'worktrees', 'x', 'index.lock'), '')
    assert.equal(await inert.listChanges(repositoryAt(repo, path)), ['?? evil.sh'])
    assert.not(existsSync(mark), 'core.fsmonitor was run')
  })

  test('parseStatus of a rename skips its old name', () => {
    assert.equal(parseStatus({ stdout: 'R  new\0old\0?? x\0', stderr: '' }), ['R  new', '?? x'])
    assert.equal(parseStatus({ stdout: '', stderr: '' }), [])
  })

  test('a folder that git may not look into is not passed over', () => {
    const stderr = "warning: could not open directory 'data/it's ü/': Permission denied\n"
    assert.equal(parseStatus({ stdout: ' M a\0', stderr }), [' M a', "?? data/it's ü/"])
  })
})

suite('countUniqueCommits', (test) => {
  const REF = 'refs/heads/nexus/x'
  const count = (repo: TempRepo) => inert.countUniqueCommits(repositoryAt(repo), REF, REF)
  const commit = (path: string) => run(path, 'commit', '--quiet', '--allow-empty', '-m', 'more')

  test('a branch without commits of its own has none', async () => {
    await using repo = await tempRepo()
    await addWorktree(repo)
    assert.is(await count(repo), 0)
  })

  test('commits of a branch that is checked out in a worktree count', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo)
    await commit(path)
    await commit(path)
    assert.is(await count(repo), 2)
    await git.removeWorktree(repo.path, path)
    assert.is(await count(repo), 2)
  })

  for (const [what, args] of [
    ['merged into main', ['merge', '--quiet', '--ff-only', 'nexus/x']],
    ['reached by another branch', ['branch', 'copy', 'nexus/x']],
    ['reached by a tag', ['tag', 'v1', 'nexus/x']],
    ['reached by a remote-tracking branch', ['update-ref', 'refs/remotes/origin/x', 'nexus/x']],
  ] as const) {
    test(`commits ${what} do not`, async () => {
      await using repo = await tempRepo()
      const { path } = await addWorktree(repo)
      await commit(path)
      await repo.git(...args)
      assert.is(await count(repo), 0)
    })
  }

  test('a branch of which another is the beginning keeps what is above it', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo)
    await commit(path)
    await repo.git('branch', 'nexus/x2', 'nexus/x')
    await commit(path)
    assert.is(await count(repo), 1)
  })

  test('commits on a detached HEAD count', async () => {
    await using repo = await tempRepo()
    const { path } = await addWorktree(repo)
    await run(path, 'checkout', '--quiet', '--detach')
    await commit(path)
    assert.is(await inert.countUniqueCommits(repositoryAt(repo, path), 'HEAD'), 1)
    assert.is(await count(repo), 0)
  })

  test('a branch goes only while it points where it was seen', async () => {
    await using repo = await tempRepo()
    const { path, commit: seen } = await addWorktree(repo)
    await commit(path)
    await git.removeWorktree(repo.path, path)
    await rejects(() => git.deleteBranch(repo.path, 'nexus/x', seen), 'GIT_ERROR')
    const now = await repo.git('rev-parse', 'nexus/x')
    await git.deleteBranch(repo.path, 'nexus/x', now)
    assert.is(await git.findCommit(repo.path, REF), undefined)
  })
})

suite('remotes and submodules', (test) => {
  test('refs of origin are found and fetched without FETCH_HEAD', async () => {
    await using origin = await tempRepo({ files: { 'origin.txt': 'x' } })
    await using repo = await tempRepo()
    await repo.git('remote', 'add', 'origin', origin.path)
    await origin.git('update-ref', 'refs/pull/7/head', 'HEAD')
    const [ref, commit] = ['refs/pull/7/head', await head(origin)]
    const asked = ['refs/pull/8/head', ref]
    assert.equal(await git.findRemoteRef(repo.path, asked), { name: ref, commit })
    assert.is(await git.findRemoteRef(repo.path, ['refs/pull/8/head']), undefined)
    const before = await repo.git('for-each-ref')
    await git.fetchRef(repo.path, ref)
    assert.is(await git.findCommit(repo.path, commit), commit)
    assert.is(await repo.git('for-each-ref'), before)
    assert.not(existsSync(join(repo.path, '.git', 'FETCH_HEAD')))
  })

  test('a repository without origin is a git error with git’s words', async () => {
    await using repo = await tempRepo()
    const error = await rejects(() => git.findRemoteRef(repo.path, ['HEAD']), 'GIT_ERROR')
    assert.match(error.output ?? '', /origin/)
  })

  test('commits of a submodule that are pushed nowhere are found', async () => {
    await using part = await tempRepo()
    await using repo = await tempRepo()
    await run(repo.path, 'submodule', 'add', '--quiet', part.path, 'part')
    await repo.git('commit', '--quiet', '-m', 'with part')
    const sub = join(repo.path, 'part')
    assert.equal((await inert.lookAtSubmodules(repositoryAt(repo))).unpushed, [])
    await run(sub, 'commit', '--quiet', '--allow-empty', '-m', 'more')
    assert.equal((await inert.lookAtSubmodules(repositoryAt(repo))).unpushed, ['part'])
  })
})
