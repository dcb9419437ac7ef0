/** One command in a throw-away workspace: what goes in and comes out is the command's, and nothing is left, however it ends. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene } from './scene.ts'

suite('run', (test) => {
  test(
    'stdin, output, exit code and artifacts pass through, commits are named, and nothing is left',
    async () => {
      await using scene = await openScene()
      const nothing = await scene.made()
      await writeFile(join(scene.repo.path, 'uncommitted.txt'), 'x')
      const script =
        'cat; echo problem >&2; mkdir -p out; echo report > out/r.txt; git commit -q --allow-empty -m made; exit 7'
      const args = ['run', '--artifact', 'out', '--artifact', 'nowhere', '--env', 'A=b c', '--', 'sh', '-c', script]
      const result = await scene.run(args, { input: 'typed\n', timeoutMs: LIMIT_MS })
      assert.is(result.code, 7, result.stderr)
      assert.is(result.stdout, 'typed\n')
      assert.match(result.stderr, /problem/)
      assert.match(result.stderr, /not committed takes no part/)
      assert.match(result.stderr, /the artifact nowhere is not there/)
      assert.is(await readFile(join(scene.repo.path, 'out', 'r.txt'), 'utf8'), 'report\n')

      // the commit can still be had by the command that was printed
      const commit = /branch run-\S+ ([0-9a-f]+)/.exec(result.stderr)?.[1] ?? ''
      assert.is(await scene.repo.git('log', '-1', '--format=%s', commit), 'made')
      assert.equal(await scene.made(), nothing)
    },
    2 * LIMIT_MS,
  )

  test(
    'a workspace whose command failed is kept when asked for',
    async () => {
      await using scene = await openScene({ files: { '.nexus/config.yaml': 'hooks: {post-create: touch hooked}\n' } })
      const args = ['run', '--keep-on-failure', '--name', 'ci', '--no-hooks', '--', 'sh', '-c', 'touch left; exit 3']
      const result = await scene.run(args)
      assert.is(result.code, 3)
      assert.is(await scene.inside('ci', 'sh', '-c', 'ls left hooked 2>&-; true'), 'left\n')
    },
    2 * LIMIT_MS,
  )

  test(
    'interrupted, it removes everything and ends as a shell would say it',
    async () => {
      await using scene = await openScene()
      const nothing = await scene.made()
      const running = scene.start(['run', '--name', 'ci', '--', 'sleep', '600'])
      await eventually(() => /ci runs after/.test(running.stderr()), { timeoutMs: LIMIT_MS })
      running.child.kill('SIGINT')
      assert.is((await running.ended).code, 130)
      assert.equal(await scene.made(), nothing)
    },
    2 * LIMIT_MS,
  )

  test(
    'killed, everything is removed all the same',
    async () => {
      await using scene = await openScene()
      const nothing = await scene.made()
      const running = scene.start(['run', '--name', 'ci', '--', 'sleep', '600'])
      await eventually(() => /ci runs after/.test(running.stderr()), { timeoutMs: LIMIT_MS })
      running.child.kill('SIGKILL')
      await running.ended
      await eventually(async () => JSON.stringify(await scene.made()) === JSON.stringify(nothing), {
        timeoutMs: LIMIT_MS,
        everyMs: 200,
      })
    },
    2 * LIMIT_MS,
  )

  test(
    'a detached HEAD in a shallow clone is enough',
    async () => {
      await using scene = await openScene()
      await scene.repo.git('commit', '--quiet', '--allow-empty', '--message', 'second')
      const clone = join(scene.root, 'clone')
      await must(['git', 'clone', '--quiet', '--depth', '1', `file://${scene.repo.path}`, clone])
      await must(['git', '-C', clone, 'checkout', '--quiet', '--detach'])
      const { stdout, stderr } = await scene.run(['run', '--repo', clone, '--', 'git', 'log', '-1', '--format=%s'], {
        timeoutMs: LIMIT_MS,
      })
      assert.is(stdout, 'second\n', stderr)
    },
    2 * LIMIT_MS,
  )

  test(
    'an artifact outside the worktree and no command are refused before anything is made',
    async () => {
      await using scene = await openScene()
      const nothing = await scene.made()
      assert.is((await scene.run(['run', '--artifact', '../x', '--', 'true'])).code, 2)
      assert.is((await scene.run(['run', '--artifact', '/etc', '--', 'true'])).code, 2)
      assert.is((await scene.run(['run'])).code, 2)
      assert.equal(await scene.made(), nothing)
    },
    LIMIT_MS,
  )
})
