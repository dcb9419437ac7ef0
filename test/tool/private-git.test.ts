/**
 * The making of a private git dir with the real git: what it takes along and what it leaves, what it refuses, and that giving it
 * a worktree again writes nowhere else, whatever was left in it.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import { CommandFailed } from '../../lib/system/exec.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createGit } from '../../lib/tools/git.ts'
import { explainGitFailure } from '../../lib/tools/git-failures.ts'
import { fetchFrom } from '../../lib/tools/git-fetch.ts'
import { createPrivateGit } from '../../lib/tools/private-git.ts'
import { readPrivateBranches } from '../../lib/tools/private-refs.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { type TempRepo, tempRepo, writeFiles } from '../support/temp.ts'

const QUIET = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const runner = createRunner(() => {}, { ...process.env, ...QUIET }, createInterruption())
const git = createGit(runner)
const own = createPrivateGit(runner, git)

const localOf = (repo: TempRepo) => ({ repo: repo.path, gitDir: join(repo.path, '.git') })

/** With a worktree `x` that is filled, and its private git dir beside the repository's. */
async function begin(repo: TempRepo) {
  const [tree, path] = [join(repo.path, '.worktree', 'x'), join(repo.path, '.git', 'private')]
  const commit = await repo.git('rev-parse', 'HEAD')
  await git.addWorktree(repo.path, tree, { name: 'nexus/x', create: true, commit, again: false })
  await git.checkOut(tree, () => {})
  await own.make(localOf(repo), path, commit, 'refs/nexus/test/base')
  const adopt = () => own.adopt(localOf(repo), path, tree, 'nexus/x')
  await adopt()
  return { tree, path, commit, adopt }
}

suite('a private git dir', (test) => {
  test('has refs and settings of the repository, and nothing that runs; the repository keeps what it borrows', async () => {
    await using repo = await tempRepo()
    await repo.git('branch', 'other')
    await repo.git('tag', '--annotate', '--message', 'one', 'v1')
    await repo.git('stash', 'create')
    for (const [key, value] of [
      ['remote.origin.url', 'https://name:token@example.invalid/x.git'],
      ['remote.origin.uploadpack', 'evil'],
      ['core.fsmonitor', 'evil'],
      ['filter.x.clean', 'evil'],
    ] as const)
      await repo.git('config', key, value)
    const { path, commit } = await begin(repo)
    assert.equal(Object.fromEntries(readPrivateBranches(path)), { main: commit, 'nexus/x': commit, other: commit })
    const config = await readFile(join(path, 'config'), 'utf8')
    assert.not.match(config, /evil|token/)
    assert.match(config, /https:\/\/example\.invalid\/x\.git/)
    assert.not(existsSync(join(path, 'hooks')))
    const kept = await repo.git('for-each-ref', '--format=%(objectname)', 'refs/nexus/test/base')
    assert.equal(new Set(kept.split('\n')), new Set([commit, await repo.git('rev-parse', 'v1')]))
  })

  test('links that were left in it lead nowhere when it gets its worktree again', async () => {
    await using repo = await tempRepo()
    const { path, adopt } = await begin(repo)
    const admin = join(path, 'worktrees', 'x')
    const victim = join(tmpdir(), basename(repo.path).concat('-victim'))
    await mkdir(join(victim, 'x'), { recursive: true })
    await writeFile(join(victim, 'file'), 'mine')
    try {
      for (const name of ['index', 'HEAD', 'gitdir']) {
        await rm(join(admin, name))
        await symlink(join(victim, 'file'), join(admin, name))
      }
      await rm(join(admin, 'info'), { recursive: true })
      await symlink(victim, join(admin, 'info'))
      await adopt()
      assert.is(await readFile(join(admin, 'HEAD'), 'utf8'), 'ref: refs/heads/nexus/x\n')
      await rename(join(path, 'worktrees'), join(path, 'away'))
      await symlink(victim, join(path, 'worktrees'))
      await adopt()
      assert.is(await readFile(join(admin, 'HEAD'), 'utf8'), 'ref: refs/heads/nexus/x\n')
      assert.is(await readFile(join(victim, 'file'), 'utf8'), 'mine')
      assert.not(existsSync(join(victim, 'x', 'HEAD')))
      assert.not(existsSync(join(victim, 'sparse-checkout')))
    } finally {
      await rm(victim, { recursive: true })
    }
  })

  test('is refused where files go through a filter, and for formats that are not known', async () => {
    await using repo = await tempRepo({
      files: { 'deep/.gitattributes': '# filter=no\n*.x filter=hide\n*.bin filter=lfs\n' },
    })
    const head = () => repo.git('rev-parse', 'HEAD')
    const error = await rejects(async () => own.requireBorrowable(localOf(repo), await head(), 'own'), 'UNSUPPORTED')
    assert.match(error.message, /filter hide/)
    assert.match(error.hint ?? '', /--git-mode shared/)
    const others = await rejects(async () => own.requireBorrowable(localOf(repo), await head(), 'other'), 'UNSUPPORTED')
    assert.match(
      others.hint ?? '',
      /^To see line 2, run `git -C \S+ show [0-9a-f]{12}:deep\/.gitattributes`; a commit without it/,
    )
    await writeFiles(repo.path, { 'deep/.gitattributes': '*.bin filter=lfs\n' })
    await repo.git('commit', '--quiet', '--all', '--message', 'lfs alone')
    await own.requireBorrowable(localOf(repo), await head(), 'own')
    await writeFiles(repo.path, { '.git/objects/info/alternates': '../../../other/objects\n' })
    await rejects(async () => own.requireBorrowable(localOf(repo), await head(), 'own'), 'UNSUPPORTED')
    await rm(join(repo.path, '.git', 'objects', 'info', 'alternates'))
    const commit = await head()
    await writeFile(
      join(repo.path, '.git', 'config'),
      '[core]\n\trepositoryformatversion = 0\n[extensions]\n\tnovelty = true\n',
    )
    await rejects(() => own.requireBorrowable(localOf(repo), commit, 'other'), 'UNSUPPORTED')
  })

  test('a `.gitmodules` that git refuses keeps no commit from being looked at, and git says so in words', async () => {
    const modules = '[submodule "s"]\n\tpath = s\n\turl = ./x\n\tupdate = !cmd\n'
    await using repo = await tempRepo({ files: { '.gitattributes': '*.bin filter=lfs\n', '.gitmodules': modules } })
    await repo.git('config', 'submodule.recurse', 'true')
    await own.requireBorrowable(localOf(repo), await repo.git('rev-parse', 'HEAD'), 'other')
    const argv = ['git', '-C', repo.path, 'grep', '--recurse-submodules', 'x', 'HEAD']
    const failed = new CommandFailed(argv, await runner.run(argv, { okCodes: 'any' }))
    assert.match(
      explainGitFailure(failed).message,
      /^git takes no `submodule\.s\.update` as the branch's `\.gitmodules` has it/,
    )
  })

  test('a fetch from it is over when git is: no timer keeps a command from its end', async () => {
    await using repo = await tempRepo()
    const { path, commit } = await begin(repo)
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const request = {
      program: ['git', '-c', 'safe.directory=*', 'upload-pack', path],
      signal: new AbortController().signal,
    }
    const refspecs = ['+refs/heads/nexus/x:refs/nexus/test/x']
    assert.is(await fetchFrom(runner, repo.path, { ...request, refspecs }), '')
    assert.is(timers(), before)
    assert.is(await repo.git('rev-parse', 'refs/nexus/test/x'), commit)
  })
})
