/**
 * What a stranger's branch, or an agent's, made git run or fetch on this machine. Each attack is done as it was found.
 *
 * | finding | what it did | where | since |
 * |---|---|---|---|
 * | B4 hooks | a relative `core.hooksPath` ran `.husky/post-checkout`, `post-index-change` of the branch at create | lib/tools/git.ts, `checkOut` | 66faf1f |
 * | B4 merge | `nexus merge` ran the hooks that it had just merged | lib/tools/git-merge.ts, `merge` | 0756d64 |
 * | B4 filters | a filter with a relative program ran the branch's | lib/tools/git.ts, `checkOut` | 66faf1f |
 * | B10 | submodules that only the branch names were fetched with the user's credentials | lib/tools/git.ts, `initSubmodules` | 66faf1f |
 * | partly | `nexus up` in a repository that was planted in a worktree ran its fsmonitor | lib/tools/repository.ts | 66faf1f |
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { type Files, writeFiles } from '../support/temp.ts'
import { makeRepo, must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 180_000
const HOOKS = ['post-checkout', 'post-index-change', 'reference-transaction', 'post-merge', 'prepare-commit-msg']

/** A scene with what runs noted in `marks`: `evil` of the branch, `main` of the main worktree. */
interface Stage extends Scene {
  readonly marks: string
  /** git that runs no hook. */
  quiet(...args: string[]): Promise<string>
  /** What ran since the last call. */
  ran(): Promise<readonly string[]>
  /** Commits executable files on a branch that is not checked out afterwards. */
  branch(name: string, files: Files): Promise<void>
}

async function openStage(): Promise<Stage> {
  const scene = await openScene()
  const marks = join(scene.root, 'marks')
  const quiet = (...args: string[]) => scene.repo.git('-c', 'core.hooksPath=/dev/null', ...args)
  const ran = async () => {
    const text = existsSync(marks) ? await readFile(marks, 'utf8') : ''
    await rm(marks, { force: true })
    return [...new Set(text.split('\n').filter((line) => line !== ''))].sort()
  }
  const branch = async (name: string, files: Files) => {
    await quiet('switch', '--quiet', '-c', name)
    await plant(scene.repo.path, files)
    await quiet('add', '--all', '--force')
    await quiet('commit', '--quiet', '--message', name)
    await quiet('switch', '--quiet', 'main')
  }
  return Object.assign(scene, { marks, quiet, ran, branch })
}

async function plant(folder: string, files: Files): Promise<void> {
  await writeFiles(folder, files)
  for (const [name, text] of Object.entries(files)) if (text.startsWith('#!')) await chmod(join(folder, name), 0o755)
}

const script = (marks: string, who: string, more = '') =>
  `#!/bin/sh\necho "${who} $(basename "$0")" >> '${marks}'\n${more}`
const hooks = (marks: string, who: string, folder = '.husky') =>
  Object.fromEntries(HOOKS.map((name) => [`${folder}/${name}`, script(marks, who)]))

suite('a stranger in git', (test) => {
  test(
    'B4: hooks of a branch never run, and those of the main worktree only for the user',
    async () => {
      await using scene = await openStage()
      const { marks, quiet, ran, repo } = scene
      await plant(repo.path, { '.husky/post-checkout': script(marks, 'main') })
      await quiet('add', '--all')
      await quiet('commit', '--quiet', '--message', 'hooks')
      await scene.branch('mine', hooks(marks, 'evil'))
      await quiet('update-ref', 'refs/remotes/origin/theirs', 'mine')
      await quiet('branch', 'came', 'mine')
      await quiet('update-ref', '-m', 'nexus: brought back from a', 'refs/heads/came', 'main')
      await quiet('update-ref', '-m', 'nexus: brought back from a', 'refs/heads/came', 'mine')
      await quiet('config', 'core.hooksPath', '.husky')

      await scene.up('own', '--branch', 'mine', '--no-start')
      assert.equal(await ran(), ['main post-checkout'], 'a local branch: the hooks of the main worktree')
      await scene.up('theirs', '--no-start')
      assert.equal(await ran(), [], 'a branch of a remote: none')
      await scene.up('from', '--from', 'came', '--no-start')
      assert.equal(await ran(), [], 'what an agent committed: none')

      await scene.ok(['delete', 'own', '--force'])
      await quiet('config', 'core.hooksPath', join(repo.path, '.worktree', 'theirs', '.husky'))
      await scene.up('own', '--branch', 'mine', '--no-start')
      assert.equal(await ran(), ['main post-checkout'], 'a path into another worktree means the main one')

      await quiet('config', '--unset', 'core.hooksPath')
      await writeFile(join(scene.home, '.gitconfig'), '[include]\n\tpath = more\n')
      const fsmonitor = `[core]\n\thooksPath = .husky\n\tfsmonitor = .husky/post-merge\n`
      await writeFile(join(scene.home, 'more'), fsmonitor)
      await scene.up('mine2', '--from', 'came', '--no-start', '--isolation', 'agent')
      await rm(join(repo.path, '.worktree', 'theirs'), { recursive: true })
      await scene.up('theirs', '--no-start')
      await writeFile(join(repo.path, '.worktree', 'theirs', 'more'), '')
      await scene.ok(['delete', 'theirs', '--force'])
      await scene.ok(['trash', 'restore', 'theirs'])
      await scene.ok(['rename', 'own', 'other'])
      assert.equal(await ran(), [], 'by an include, for an agent, made anew, from the trash')
    },
    LIMIT_MS,
  )

  test(
    'B4: a merge runs no hook and no filter that it brings itself',
    async () => {
      await using scene = await openStage()
      const { marks, quiet, ran, repo } = scene
      await plant(repo.path, { '.husky/post-merge': script(marks, 'main'), 'tools/hook': script(marks, 'main') })
      await quiet('add', '--all')
      await quiet('commit', '--quiet', '--message', 'hooks')
      await scene.branch('plain', { 'a.txt': 'a\n' })
      await scene.branch('linked', { 'tools/hook': script(marks, 'evil') })
      await scene.branch('evil', hooks(marks, 'evil'))
      await scene.branch('filter', {
        '.gitattributes': '*.z filter=f\n',
        'tools/f': script(marks, 'evil', 'cat\n'),
        'x.z': 'x\n',
      })
      await scene.up('w', '--no-start')
      // as if it had been committed in the workspace
      const merge = async (branch: string, ...more: string[]) => {
        await quiet('update-ref', 'refs/heads/nexus/w', branch)
        return scene.run(['merge', 'w', ...more])
      }
      await quiet('config', 'core.hooksPath', '.husky')
      await ran()
      await merge('plain')
      assert.equal(await ran(), ['main post-merge'], 'hooks that the merge leaves alone')
      const { stderr } = await merge('evil')
      assert.equal(await ran(), [])
      assert.match(stderr, /no hooks run, as the merge changes them: \.husky/)
      await quiet('config', '--unset', 'core.hooksPath')
      await must(['ln', '-s', '../../tools/hook', join(repo.path, '.git', 'hooks', 'post-merge')])
      assert.match((await merge('linked', '--squash')).stderr, /no hooks run, as the merge changes them: tools\/hook/)
      assert.equal(await ran(), [])
      await quiet('config', 'filter.f.smudge', './tools/f')
      await quiet('update-ref', 'refs/heads/nexus/w', 'filter')
      const { hint } = await scene.refused(['merge', 'w'], 2, 'UNSUPPORTED')
      assert.match(hint ?? '', /diff HEAD\.\.\.nexus\/w -- tools\/f/)
      assert.equal(await ran(), [])
    },
    LIMIT_MS,
  )

  test(
    'B4: a filter that the branch would decide is refused with the line that mends it',
    async () => {
      await using scene = await openStage()
      const { marks, quiet, ran, repo } = scene
      const files = { '.gitattributes': '# all\n*.z filter=f\n', 'x.z': 'x\n' }
      await plant(repo.path, { ...files, 'tools/f': script(marks, 'main', 'cat\n') })
      await quiet('add', '--all')
      await quiet('commit', '--quiet', '--message', 'filter')
      await scene.branch('theirs', { 'tools/f': script(marks, 'evil', 'cat\n') })
      const before = await scene.made()
      for (const value of ['./tools/f', 'tools/f %f', 'sh tools/f', '"$(git rev-parse --show-toplevel)"/tools/f']) {
        await quiet('config', 'filter.f.smudge', value)
        const args = ['up', 'x', '--branch', 'theirs', '--no-start']
        const { message, hint } = await scene.refused(args, 2, 'UNSUPPORTED')
        assert.match(message, /tools\/f.*\.gitattributes:2 .*filter\.f\.smudge/)
        assert.match(hint ?? '', /`git config filter\.f\.smudge /)
        assert.equal(await ran(), [], value)
      }
      assert.equal(await scene.made(), before)
      await quiet('config', 'filter.f.smudge', './tools/f')
      await scene.up('own', '--no-start')
      assert.equal(await ran(), ['main f'], 'what HEAD has is no stranger')
      const { hint } = await scene.refused(['up', 'x', '--branch', 'theirs'], 2, 'UNSUPPORTED')
      const [, line = ''] = /`(git config .*)`/.exec(hint ?? '') ?? []
      await must(['sh', '-c', line], { cwd: repo.path })
      await scene.up('x', '--branch', 'theirs', '--no-start')
      assert.equal(await ran(), ['main f'])
      // an agent's is refused as ever, and what the branch does not use asks nobody
      await scene.branch('unused', { '.gitattributes': '\n' })
      await quiet('config', 'filter.f.smudge', './tools/f')
      await scene.ok(['up', 'unused', '--dry-run'])
    },
    LIMIT_MS,
  )

  test(
    "B10: of somebody else's branch only those submodules are fetched that the user's own commits name",
    async () => {
      await using scene = await openStage()
      const { quiet, repo } = scene
      const asked: string[] = []
      const server = createServer((request, response) => {
        asked.push(request.url ?? '')
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo | null)?.port ?? 0}/private/company.git`
      try {
        await writeFile(join(scene.home, '.gitconfig'), '[protocol "file"]\n\tallow = always\n')
        const part = await makeRepo(join(scene.root, 'part'), { 'part.txt': 'part\n' })
        await quiet('submodule', 'add', '--quiet', part.path, 'part')
        await quiet('commit', '--quiet', '--message', 'part')
        const tip = await part.git('rev-parse', 'HEAD')
        // the known one at another commit, which names one more; a new name; the known name with another path
        await writeFiles(part.path, { '.gitmodules': `[submodule "deep"]\n\tpath = deep\n\turl = ${url}?deep\n` })
        await part.git('add', '--all')
        await part.git('update-index', '--add', '--cacheinfo', `160000,${tip},deep`)
        await part.git('commit', '--quiet', '--message', 'deep')
        const deep = await part.git('rev-parse', 'HEAD')
        await quiet('switch', '--quiet', '-c', 'theirs')
        const modules = `[submodule "part"]\n\tpath = part\n\turl = ${part.path}\n[submodule "evil"]\n\tpath = evil\n\turl = ${url}\n`
        await writeFiles(repo.path, { '.gitmodules': modules })
        for (const path of ['evil', 'part'])
          await quiet('update-index', '--add', '--cacheinfo', `160000,${deep},${path}`)
        await quiet('add', '.gitmodules')
        await quiet('commit', '--quiet', '--message', 'evil')
        await quiet('update-ref', 'refs/remotes/origin/far', 'theirs')
        await quiet('switch', '--quiet', '--force', 'main')

        for (const args of [['far'], ['agent', '--branch', 'theirs', '--isolation', 'agent']]) {
          const { code, stderr } = await scene.run(['up', ...args, '--no-start'])
          assert.is(code, 0, stderr)
          assert.match(stderr, /not fetched: submodule evil \(http.*company\.git\)/)
          assert.match(stderr, /not fetched: those in submodule part/)
          assert.match(stderr, /submodule update --init -- evil/)
          assert.is(await readFile(join(repo.path, '.worktree', args[0] ?? '', 'part', 'part.txt'), 'utf8'), 'part\n')
          assert.equal(asked, [])
        }
        assert.not.match(await quiet('config', '--get-regexp', '^submodule\\.'), /company/)
        await scene.ok(['delete', 'agent', '--force'])
        const mine = await scene.run(['up', 'mine', '--branch', 'theirs', '--no-start'])
        assert.ok(asked.length > 0, `a local branch is the user's own: ${mine.stderr}`)
      } finally {
        server.closeAllConnections()
        await new Promise((done) => server.close(done))
      }
    },
    LIMIT_MS,
  )

  test(
    "a repository in a workspace's worktree is nobody's to work on here",
    async () => {
      await using scene = await openStage()
      const { marks, ran, repo, quiet } = scene
      await scene.up('a', '--no-start')
      const worktree = join(repo.path, '.worktree', 'a')
      const inner = await makeRepo(join(worktree, 'node_modules', 'x'))
      await plant(inner.path, { monitor: script(marks, 'evil') })
      await inner.git('config', 'core.fsmonitor', './monitor')
      await inner.git('config', 'core.hooksPath', '.')
      await mkdir(join(inner.path, 'deep'))
      for (const cwd of [inner.path, join(inner.path, 'deep')]) {
        for (const args of [['up', 'y'], ['run', '--', 'true'], ['init']]) {
          const { message, hint } = await scene.refused(args, 2, 'INVALID_ARGUMENT', { cwd })
          assert.match(message, /is a repository in the worktree of a workspace/)
          assert.match(hint ?? '', new RegExp(`--repo ${repo.path}`))
        }
        assert.match(await scene.ok(['list'], { cwd }), /^a /m, "a look is at the workspace's repository")
      }
      // in the place of the worktree itself
      // a submodule of the user's own, in the main worktree
      const part = await makeRepo(join(scene.root, 'part'))
      await quiet('submodule', 'add', '--quiet', part.path, 'part')
      await scene.ok(['up', 'y', '--dry-run'], { cwd: join(repo.path, 'part') })
      await scene.ok(['up', 'y', '--dry-run'], { cwd: worktree })
      // in the place of the worktree itself
      await rm(join(worktree, '.git'))
      await makeRepo(worktree)
      await scene.refused(['up', 'y'], 2, 'INVALID_ARGUMENT', { cwd: worktree })
      assert.equal(await ran(), [])
    },
    LIMIT_MS,
  )
})
