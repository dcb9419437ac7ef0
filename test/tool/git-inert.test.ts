/**
 * Looks at a tree run nothing that somebody left in it or in its configuration. Each plant is shown to run with plain git, so
 * that this test can fail.
 */
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createInertGit } from '../../lib/tools/git-inert.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { type TempRepo, tempRepo, writeFiles } from '../support/temp.ts'

const QUIET = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const makeInert = () =>
  createInertGit(
    createRunner(() => {}, { ...process.env, ...QUIET }, createInterruption()),
    join(tmpdir(), 'inert'),
  )
/** Remembers settings, as one command may. */
const inert = makeInert()

interface World {
  readonly repo: TempRepo
  readonly mark: string
  /** A program that leaves the mark. */
  readonly evil: string
}

const at = ({ repo }: World) => ({ root: repo.path, gitDir: join(repo.path, '.git'), worktree: repo.path })

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid', '-c', 'protocol.file.allow=always']
  return (await runProcess(['git', ...identity, ...args], { cwd, env: QUIET })).stdout.trim()
}

async function world(repo: TempRepo): Promise<World> {
  const [mark, evil] = [join(repo.path, '.git', 'ran'), join(repo.path, '.git', 'evil')]
  await writeFile(evil, `#!/bin/sh\ntouch '${mark}'\ncat 2>/dev/null\n`)
  await chmod(evil, 0o755)
  return { repo, mark, evil }
}

interface Plant {
  readonly what: string
  readonly plant: (world: World) => Promise<unknown>
  /** What plain git is asked for, as the look below asks. */
  readonly plain: readonly string[]
  readonly look: (world: World) => Promise<unknown>
}

const changes = (world: World) => inert.listChanges(at(world))
const diff = (world: World) => inert.at(at(world), (run) => run(['diff', 'HEAD']))
/** Same size, other content: only a look at the content can tell. */
const touchFile = ({ repo }: World) => writeFile(join(repo.path, 'a.txt'), 'b\n')

const PLANTS: readonly Plant[] = [
  {
    what: 'core.fsmonitor',
    plant: ({ repo, evil }) => repo.git('config', 'core.fsmonitor', evil),
    plain: ['status', '--porcelain'],
    look: changes,
  },
  {
    what: 'a clean filter, whatever its name',
    plant: async (world) => {
      await world.repo.git('config', 'filter.any-name.clean', world.evil)
      await writeFiles(world.repo.path, { '.gitattributes': '* filter=any-name\n' })
      await touchFile(world)
    },
    plain: ['status', '--porcelain'],
    look: changes,
  },
  {
    what: 'a filter process',
    plant: async (world) => {
      await world.repo.git('config', 'filter.x.process', world.evil)
      await writeFiles(world.repo.path, { '.git/info/attributes': '* filter=x\n' })
      await touchFile(world)
    },
    plain: ['status', '--porcelain'],
    look: changes,
  },
  {
    what: 'an external diff',
    plant: async (world) => {
      await world.repo.git('config', 'diff.external', world.evil)
      await touchFile(world)
    },
    plain: ['diff', 'HEAD'],
    look: diff,
  },
  {
    what: 'textconv',
    plant: async (world) => {
      await world.repo.git('config', 'diff.x.textconv', world.evil)
      await writeFiles(world.repo.path, { '.gitattributes': '* diff=x\n' })
      await touchFile(world)
    },
    plain: ['diff', 'HEAD'],
    look: diff,
  },
  {
    what: 'a signature check',
    plant: async ({ repo, evil }) => {
      await repo.git('config', 'gpg.program', evil)
      await sign(repo)
      await repo.git('config', 'log.showSignature', 'true')
    },
    plain: ['log', '-1'],
    look: (world) => inert.listCommits(at(world), 'HEAD~1', 'HEAD'),
  },
  {
    what: 'the remote of missing objects',
    plant: async ({ repo, mark }) => {
      const blob = await repo.git('rev-parse', 'HEAD:a.txt')
      await rm(join(repo.path, '.git', 'objects', blob.slice(0, 2), blob.slice(2)))
      for (const [key, value] of [
        ['extensions.partialClone', 'x'],
        ['remote.x.promisor', 'true'],
        ['remote.x.url', 'host:path'],
        ['core.sshCommand', `touch '${mark}'; false`],
      ] as const)
        await repo.git('config', key, value)
      await writeFile(join(repo.path, 'a.txt'), 'changed\n')
    },
    plain: ['diff', 'HEAD'],
    look: diff,
  },
  {
    what: 'the configuration of a submodule',
    plant: async ({ repo, evil }) => {
      await submodule(repo)
      await git(join(repo.path, 'sub'), 'config', 'core.fsmonitor', evil)
    },
    plain: ['status', '--porcelain', '--ignore-submodules=none'],
    look: async (world) => {
      await changes(world)
      await inert.lookAtSubmodules(at(world))
    },
  },
  {
    what: 'the configuration of a submodule that was removed',
    plant: async ({ repo, evil }) => {
      await submodule(repo)
      await git(join(repo.path, 'sub'), 'config', 'core.fsmonitor', evil)
      await git(join(repo.path, 'sub'), 'commit', '--quiet', '--allow-empty', '--message', 'mine')
      await git(repo.path, 'rm', '--quiet', '--force', 'sub')
    },
    plain: ['--git-dir=.git/modules/sub', '--work-tree=.', 'status', '--porcelain'],
    look: async (world) => {
      await inert.lookAtSubmodules(at(world))
    },
  },
]

/** A commit with a header that looks like a signature. */
async function sign(repo: TempRepo): Promise<void> {
  const text = await repo.git('cat-file', 'commit', 'HEAD')
  const [head = '', ...message] = text.split('\n\n')
  const signed = `${head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n${message.join('\n\n')}`
  const { stdout } = await runProcess(['git', 'hash-object', '-t', 'commit', '-w', '--stdin', '--literally'], {
    cwd: repo.path,
    input: signed,
    env: QUIET,
  })
  await repo.git('update-ref', 'HEAD', stdout.trim())
}

async function submodule(repo: TempRepo): Promise<void> {
  const source = join(repo.path, '.git', 'source')
  await git(repo.path, 'init', '--quiet', source)
  await git(source, 'commit', '--quiet', '--allow-empty', '--message', 'sub')
  await git(repo.path, 'submodule', '--quiet', 'add', source, 'sub')
  await git(repo.path, 'commit', '--quiet', '--message', 'with sub')
}

suite('looks that run nothing', (test) => {
  for (const { what, plant, plain, look } of PLANTS) {
    test(`${what} is run by plain git and by no look of ours`, async () => {
      await using repo = await tempRepo({ files: { 'a.txt': 'a\n' }, commits: 2 })
      const here = await world(repo)
      await plant(here)
      await rm(here.mark, { force: true })
      await look(here).catch(() => undefined)
      assert.not(existsSync(here.mark), 'ours ran it')
      await git(repo.path, ...plain)
      assert.ok(existsSync(here.mark), 'plain git does not run it: the plant is none')
      assert.equal(
        (await readdir(tmpdir())).filter((name) => name.startsWith('inert')),
        [],
      )
    })
  }

  test('submodules are looked into, and their changes named', async () => {
    await using repo = await tempRepo()
    await submodule(repo)
    const here = { root: repo.path, gitDir: join(repo.path, '.git'), worktree: repo.path }
    assert.equal(await inert.listChanges(here), [])
    await writeFile(join(repo.path, 'sub', 'new.txt'), 'x')
    assert.equal(await inert.listChanges(here), ['?? sub/new.txt'])
    await repo.git('rm', '--quiet', '--cached', '.gitmodules')
    assert.ok((await inert.listChanges(here)).includes('?? sub/new.txt'), 'also when only the index knows it')
    await rm(join(repo.path, 'sub', '.git'), { recursive: true })
    await writeFile(join(repo.path, 'sub', '.git'), 'gitdir: /elsewhere\n')
    assert.ok((await inert.listChanges(here)).includes(' ? sub'), 'one that leads elsewhere is not entered')
    // as `git worktree add` leaves one that could not be fetched; git's own status passes over what is in it
    await rm(join(repo.path, 'sub', '.git'))
    assert.ok((await inert.listChanges(here)).includes('?? sub/'), 'files where none was fetched')
    assert.equal((await inert.lookAtSubmodules(here)).unpushed, [])
    await rm(join(repo.path, 'sub', 'new.txt'))
    assert.not((await inert.listChanges(here)).includes('?? sub/'), 'an empty folder holds nothing')
  })

  test('a file of Git LFS is unchanged while it is what its pointer says', async () => {
    const oid = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 5\n`
    await using repo = await tempRepo({ files: { 'a.bin': pointer } })
    const here = { root: repo.path, gitDir: join(repo.path, '.git'), worktree: repo.path }
    await writeFile(join(repo.path, 'a.bin'), 'hello')
    assert.equal(await inert.listChanges(here), [])
    await writeFile(join(repo.path, 'a.bin'), 'hellO')
    assert.equal(await inert.listChanges(here), [' M a.bin'])
  })

  test('settings that say how files are meant count: line ends, modes, the ignore files of the user', async () => {
    await using repo = await tempRepo({ files: { 'a.txt': 'a\n', '.gitignore': 'one\n' } })
    const here = { root: repo.path, gitDir: join(repo.path, '.git'), worktree: repo.path }
    await writeFiles(repo.path, { '.git/info/exclude': 'two\n', one: 'x', two: 'x' })
    await repo.git('config', 'core.autocrlf', 'true')
    await repo.git('config', 'core.fileMode', 'false')
    await rm(join(repo.path, 'a.txt'))
    await repo.git('checkout', '--quiet', 'a.txt')
    assert.is(await readFile(join(repo.path, 'a.txt'), 'utf8'), 'a\r\n')
    await chmod(join(repo.path, 'a.txt'), 0o755)
    await utimes(join(repo.path, 'a.txt'), 1, 1)
    assert.equal(await makeInert().listChanges(here), [])
  })
})
