/**
 * Ways out of a container through the repository's git dir: each leaves something inside, and then git is used on this machine
 * as people use it. With a git dir of its own none of them reaches anything; in a workspace that shares the repository each
 * succeeds, so that a test that cannot fail would show.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { makeRepo, must, openScene, type Repo, type Scene } from './scene.ts'

const LIMIT_MS = 180_000

/** Paths inside, the same as on this machine. */
interface Paths {
  /** The repository's git dir. */
  readonly git: string
  /** The workspace's worktree, and its administrative folder. */
  readonly tree: string
  readonly admin: string
  /** Made by whatever runs on this machine; not mounted inside. */
  readonly mark: string
}

interface Attempt {
  readonly what: string
  /** Shell text that runs inside. */
  readonly plant: (paths: Paths) => string
  /** What somebody does on this machine afterwards; its failure is no failure. */
  readonly use: (paths: Paths) => string
  /** Done on this machine before. */
  readonly before?: string
}

const touching = ({ mark }: Paths) => `touch '${mark}'`
const fsmonitor = (paths: Paths, file: string) =>
  `git config --file '${file}' core.fsmonitor "${touching(paths)}; false"`
const status = ({ tree }: Paths) => `git -C '${tree}' status`

const ATTEMPTS: readonly Attempt[] = [
  {
    what: 'a hook',
    plant: (paths) =>
      `mkdir -p '${paths.git}/hooks'; printf '#!/bin/sh\\n%s\\n' "${touching(paths)}" > '${paths.git}/hooks/post-commit'; chmod +x '${paths.git}/hooks/post-commit'`,
    use: () => 'git commit --quiet --allow-empty -m more',
  },
  {
    what: 'core.fsmonitor',
    plant: (paths) => fsmonitor(paths, `${paths.git}/config`),
    use: () => 'git status',
  },
  {
    what: 'a filter, given to all files by info/attributes',
    plant: (paths) =>
      `git config --file '${paths.git}/config' filter.evil.clean "${touching(paths)}; cat"; mkdir -p '${paths.git}/info'; echo '* filter=evil' > '${paths.git}/info/attributes'`,
    use: () => 'echo more >> README.md; git add README.md',
  },
  {
    what: 'a configuration written after this machine has changed it',
    before: 'git config some.key value',
    plant: (paths) => fsmonitor(paths, `${paths.git}/config`),
    use: () => 'git status',
  },
  {
    what: 'config.worktree',
    plant: (paths) =>
      `git config --file '${paths.git}/config' extensions.worktreeConfig true; ${fsmonitor(paths, `${paths.admin}/config.worktree`)}`,
    use: status,
  },
  {
    what: 'commondir',
    plant: (paths) =>
      `mkdir -p '${paths.tree}/evil'; cp -r '${paths.git}/.' '${paths.tree}/evil/'; ${fsmonitor(paths, `${paths.tree}/evil/config`)}; echo '${paths.tree}/evil' > '${paths.admin}/commondir'`,
    use: status,
  },
  {
    what: 'another .git file',
    plant: (paths) =>
      `cd '${paths.tree}'; cp -r '${paths.git}' elsewhere; ${fsmonitor(paths, `${paths.tree}/elsewhere/config`)}; echo 'gitdir: ${paths.tree}/elsewhere' > other; mv -f other .git || cp other .git || { rm -f .git; cp other .git; }`,
    use: status,
  },
  {
    what: 'a branch of the user',
    plant: ({ git }) =>
      `git --git-dir='${git}' update-ref refs/heads/main $(git --git-dir='${git}' commit-tree -m evil 'HEAD^{tree}')`,
    use: ({ mark }) => `git merge-base --is-ancestor $(cat .git/first) main || touch '${mark}'`,
  },
  {
    what: 'objects',
    plant: ({ git }) => `rm -rf '${git}'/objects/?? '${git}'/objects/pack/* /nexus/objects/?? /nexus/objects/pack/*`,
    use: ({ mark }) => `git fsck || touch '${mark}'`,
  },
]

/** Which attempts reached this machine. */
async function play(scene: Scene, repo: Repo, name: string, gitMode: string): Promise<readonly string[]> {
  await must(['sh', '-c', 'git rev-parse HEAD > .git/first'], { cwd: repo.path })
  await scene.ok(['up', name, '--repo', repo.path, '--git-mode', gitMode])
  const [git, tree, kept] = [
    join(repo.path, '.git'),
    join(repo.path, '.worktree', name),
    join(scene.root, `${name}-git`),
  ]
  await must(['cp', '-a', git, kept])
  const reached: string[] = []
  for (const [i, { what, plant, use, before }] of ATTEMPTS.entries()) {
    const paths = { git, tree, admin: join(git, 'worktrees', name), mark: join(scene.root, `mark-${name}-${i}`) }
    if (before !== undefined) await must(['sh', '-c', before], { cwd: repo.path })
    await scene.run(['exec', name, '--repo', repo.path, '--cwd', '/', '--', 'sh', '-c', `${plant(paths)}; true`])
    await scene.run(['list', '--dirty', '--repo', repo.path])
    assert.not(existsSync(paths.mark), `Nexus itself ran ${what}`)
    await must(['sh', '-c', `{ ${use(paths)}; } >/dev/null 2>&1; true`], { cwd: repo.path })
    if (existsSync(paths.mark)) reached.push(what)
    await restore(kept, git, tree, name)
  }
  return reached
}

/** The folder that is mounted stays. */
async function restore(kept: string, git: string, tree: string, name: string): Promise<void> {
  const script = `find '${git}' -mindepth 1 -delete; cp -a '${kept}/.' '${git}/'; echo 'gitdir: ${git}/worktrees/${name}' > '${tree}/.git'`
  await must(['sh', '-c', script])
}

suite('ways out through git', (test) => {
  test(
    'none with a git dir of its own, all in a workspace that shares the repository',
    async () => {
      await using scene = await openScene()
      const open = await makeRepo(join(scene.root, 'open'))
      const [guarded, unguarded] = await Promise.all([
        play(scene, scene.repo, 'guarded', 'private'),
        play(scene, open, 'unguarded', 'shared'),
      ])
      assert.equal(guarded, [])
      assert.equal(
        unguarded,
        ATTEMPTS.map(({ what }) => what),
      )
    },
    LIMIT_MS,
  )
})
