/**
 * What goes wrong: each refusal is one sentence with a hint and the contract's exit code, and leaves nothing half made: no
 * record, lease, worktree, branch or Docker object. What only looks like trouble works.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { tempDir, writeFiles } from '../support/temp.ts'
import { identify, LIMIT_MS, makeRepo, must, openDemo, openRepo, openScene, type Scene } from './scene.ts'

suite('bad requests', (test) => {
  test(
    'names that are none',
    async () => {
      await using scene = await openScene()
      const names = [
        '',
        'a b',
        '..',
        'a..b',
        'new',
        'All',
        'ünïcødé!',
        'x'.repeat(201),
        'a\nb',
        'a\u0007',
        '/',
        '$(id)',
        "a'b",
      ]
      await untouched(scene, async () => {
        for (const name of names) await scene.refused(['up', name], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', '--', '-x'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--bogus'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--port', '99999'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'ws-aaaaaaaa'], 3, 'WORKSPACE_NOT_FOUND')
      })
    },
    LIMIT_MS,
  )

  test(
    'a word too many is refused, and flags may stand before the name',
    async () => {
      await using scene = await openScene()
      await untouched(scene, async () => {
        await scene.refused(['up', 'demo', 'surplus'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['delete', 'demo', '--force', '--delete-branch', 'surplus'], 2, 'INVALID_ARGUMENT')
        assert.match(await scene.ok(['up', '--dry-run', 'demo']), /worktree/)
        assert.match(await scene.ok(['up', '--no-start', '--dry-run', 'demo']), /worktree/)
        await scene.refused(['delete', '--delete-branch', 'demo'], 3, 'WORKSPACE_NOT_FOUND')
        for (const name of ['0123', '1e3', '007']) {
          const { message } = await scene.refused(['delete', '--force', name], 3, 'WORKSPACE_NOT_FOUND')
          assert.match(message, `"${name}"`)
        }
      })
    },
    LIMIT_MS,
  )

  test(
    'branches and revisions that are not there, or in use',
    async () => {
      await using scene = await openScene()
      await scene.repo.git('branch', 'taken')
      await scene.repo.git('worktree', 'add', '--quiet', join(scene.root, 'elsewhere'), 'taken')
      await untouched(scene, async () => {
        await scene.refused(['up', 'demo', '--from', 'no-such'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--from', '--upload-pack=x'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--branch', 'no-such'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--pr', 'twelve'], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'taken'], 4, 'BRANCH_IN_USE')
        await scene.refused(['up', 'main'], 4, 'BRANCH_IN_USE')
        await scene.refused(['up', 'demo', '--branch', 'taken'], 4, 'BRANCH_IN_USE')
        // no origin at all, and an origin without such a request
        assert.ok([1, 2].includes((await scene.run(['up', 'demo', '--pr', '12'])).code))
      })
      await scene.repo.git('remote', 'add', 'origin', scene.repo.path)
      await untouched(scene, () => scene.refused(['up', 'demo', '--pr', '12'], 2, 'INVALID_ARGUMENT'))
      await scene.repo.git('branch', '--quiet', 'nexus')
      await untouched(scene, () => scene.refused(['up', 'demo'], 4, 'BRANCH_IN_USE'))
      await scene.repo.git('branch', '--quiet', '-D', 'nexus')
      await scene.repo.git('update-ref', 'refs/pull/12/head', 'HEAD')
      const pr = await scene.up('review', '--pr', '12')
      assert.is(pr.state, 'running')
    },
    LIMIT_MS,
  )

  test(
    'a name that exists, and a folder in the way',
    async () => {
      await using scene = await openDemo()
      await untouched(scene, () => scene.refused(['create', 'demo'], 4, 'WORKSPACE_ALREADY_EXISTS'))
      await writeFiles(scene.repo.path, { '.worktree/filled/file': 'mine' })
      await untouched(scene, () => scene.refused(['up', 'filled'], 4, 'WORKSPACE_ALREADY_EXISTS'))
      assert.is(await readFile(join(scene.repo.path, '.worktree/filled/file'), 'utf8'), 'mine')
    },
    LIMIT_MS,
  )

  test(
    'places that are no repository to work in',
    async () => {
      await using scene = await openScene()
      const [plain, bare, unborn] = ['plain', 'bare', 'unborn'].map((name) => join(scene.root, name)) as [
        string,
        string,
        string,
      ]
      await mkdir(plain)
      await must(['git', 'init', '--quiet', '--bare', bare])
      await must(['git', 'init', '--quiet', unborn])
      await untouched(scene, async () => {
        await scene.refused(['up', 'demo'], 3, 'REPOSITORY_NOT_FOUND', { cwd: plain })
        await scene.refused(['up', 'demo', '--repo', join(scene.root, 'no-such')], 3, 'REPOSITORY_NOT_FOUND')
        await scene.refused(['up', 'demo', '--repo', bare], 2, 'INVALID_ARGUMENT')
        await scene.refused(['up', 'demo', '--repo', unborn], 2, 'INVALID_ARGUMENT')
      })
      assert.not(existsSync(join(unborn, '.worktree')))
      assert.is(
        await openRepo(bare)
          .git('worktree', 'list', '--porcelain')
          .then((text) => text.includes('demo')),
        false,
      )
    },
    LIMIT_MS,
  )

  test(
    'a configuration that cannot be read or is wrong is named by file, line and column',
    async () => {
      await using scene = await openScene()
      const user = join(scene.home, '.nexus', 'config.yaml')
      const project = join(scene.repo.path, '.nexus', 'config.yaml')
      const broken = [
        ['ssh: [1, 2\nfoo: }', /:\d+:\d+/],
        ['# a comment\nssh:\n  port_rnage:\n    start: 33000\n', /:3:3/],
        ['ssh:\n  port_range:\n    start: many\n', /:3:12/],
        ['defaults:\n  backend: 7\n', /:2:12/],
      ] as const
      for (const file of [user, project]) {
        for (const [text, place] of broken) {
          await writeFiles(join(file, '..'), { 'config.yaml': text })
          await untouched(scene, async () => {
            const { message } = await scene.refused(['up', 'demo'], 2, 'CONFIG_INVALID')
            assert.match(message, file)
            assert.match(message, place)
          })
        }
        await rm(file)
      }
    },
    LIMIT_MS,
  )
})

suite('repositories that only look like trouble', (test) => {
  test(
    'a shallow clone',
    async () => {
      await using scene = await openScene()
      await scene.repo.git('commit', '--quiet', '--allow-empty', '--message', 'second')
      const clone = join(scene.root, 'shallow')
      await must(['git', 'clone', '--quiet', '--depth', '1', `file://${scene.repo.path}`, clone])
      await identify(openRepo(clone))
      await scene.up('demo', '--repo', clone)
      assert.is(await scene.ok(['exec', 'demo', '--', 'git', 'log', '--format=%s'], { cwd: clone }), 'second\n')
      await scene.ok(['exec', 'demo', '--', 'git', 'commit', '-q', '--allow-empty', '-m', 'third'], { cwd: clone })
      await scene.ok(['delete', 'demo', '--force', '--delete-branch'], { cwd: clone })
    },
    LIMIT_MS,
  )

  test(
    'submodules are filled; one that cannot be fetched is a warning',
    async () => {
      await using scene = await openScene()
      const part = await makeRepo(join(scene.root, 'part'), { 'part.txt': 'of the part\n' })
      await scene.repo.git('submodule', 'add', '--quiet', part.path, 'part')
      await scene.repo.git('commit', '--quiet', '--message', 'with a submodule')
      await writeFile(join(scene.home, '.gitconfig'), '[protocol "file"]\n\tallow = always\n')
      await scene.up('demo')
      assert.is(await scene.inside('demo', 'cat', 'part/part.txt'), 'of the part\n')
      assert.is(await scene.inside('demo', 'git', 'status', '--porcelain'), '')
      await scene.inside('demo', 'git', '-C', 'part', 'log', '-1', '--format=%s')
      await scene.ok(['delete', 'demo'])

      await rm(join(scene.home, '.gitconfig'))
      const { code, stderr } = await scene.run(['up', 'other'])
      assert.is(code, 0)
      assert.match(stderr, /warning: the submodules could not be fetched/)
    },
    LIMIT_MS,
  )

  for (const parent of ['/workspace', '/home/nexus']) {
    test(
      `a repository below ${parent}`,
      async () => {
        const isNew = !existsSync(parent)
        await mkdir(parent, { recursive: true })
        try {
          await using place = await tempDir(parent)
          const repo = await makeRepo(join(place.path, 'repo'))
          await using scene = await openScene({ repo })
          const { worktree } = await scene.up('demo')
          assert.is(await scene.inside('demo', 'cat', `${worktree}/README.md`), '# A project\n')
          assert.is(await scene.inside('demo', 'git', 'status', '--porcelain'), '')
          await scene.inside('demo', 'sh', '-c', 'touch ~/mine && sudo -n true')
          await scene.ok(['restart', 'demo'])
          await scene.inside('demo', 'git', 'commit', '-q', '--allow-empty', '-m', 'inside')
        } finally {
          if (isNew) await rmdir(parent)
        }
      },
      LIMIT_MS,
    )
  }

  test(
    'a dirty main worktree, staged and stashed, stays as it is',
    async () => {
      await using scene = await openScene({ files: { 'README.md': 'one\n', 'b.txt': 'b\n' } })
      await writeFiles(scene.repo.path, { 'README.md': 'stashed\n' })
      await scene.repo.git('stash', '--quiet')
      await writeFiles(scene.repo.path, { 'b.txt': 'staged\n', 'new.txt': 'new\n' })
      await scene.repo.git('add', 'b.txt')
      const look = async () => [await scene.repo.git('status', '--porcelain'), await scene.repo.git('stash', 'list')]
      const before = await look()
      await scene.up('demo')
      await scene.ok(['delete', 'demo'])
      assert.equal(await look(), before)
    },
    LIMIT_MS,
  )
})

/** Asserts that `run` makes nothing and takes nothing away. */
async function untouched(scene: Scene, run: () => Promise<unknown>): Promise<void> {
  const before = await scene.made()
  await run()
  assert.equal(await scene.made(), before)
}
