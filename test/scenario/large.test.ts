/** Larger repositories: thousands of branches, sparse checkouts, files in Git LFS, stacks in sub-folders. Nothing is started. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openScene } from './scene.ts'

const REFS = 5_000
const ROUNDS = 3

suite('larger repositories', (test) => {
  test(
    'thousands of branches cost next to nothing, for a new workspace, a list and a completion',
    async () => {
      await using plain = await openScene()
      await using full = await openScene()
      const commit = await full.repo.git('rev-parse', 'HEAD')
      const names = Array.from({ length: REFS }, (_, i) => `team-${i % 50}/feature-${i}`)
      const input = names
        .flatMap((name) => [`create refs/heads/${name} ${commit}`, `create refs/remotes/origin/${name} ${commit}`])
        .join('\n')
      const made = await runProcess(['git', 'update-ref', '--stdin'], { cwd: full.repo.path, input: `${input}\n` })
      assert.is(made.code, 0, made.stderr)
      assert.match(await full.ok(['up', names[77] ?? '', '--dry-run']), new RegExp(`branch ${names[77]}, exists`))
      for (const args of [['up', 'x', '--dry-run'], ['list'], ['complete', '--', 'up', 'x']]) {
        const ratios: number[] = []
        for (let round = 0; round < ROUNDS; round++) ratios.push((await timed(full, args)) / (await timed(plain, args)))
        assert.ok(Math.min(...ratios) < 1.5, `${args.join(' ')}: ${ratios.map((one) => one.toFixed(2)).join(', ')}`)
      }
    },
    LIMIT_MS,
  )

  test(
    'a sparse checkout stays one, files in Git LFS come by the filter or are said to be missing, a stack below the top is named',
    async () => {
      const files = {
        '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
        'a/model.bin': 'pointer\n',
        'b/compose.yaml': 'services: {}\n',
        'c/other.txt': 'c\n',
      }
      await using scene = await openScene({ files })
      const { repo } = scene
      const at = (name: string, path: string) => join(repo.path, '.worktree', name, path)
      const cwd = join(repo.path, 'b')
      const without = await scene.run(['up', 'one', '--no-start'], { cwd })
      assert.is(without.code, 0, without.stderr)
      assert.match(without.stderr, /files in Git LFS are pointers/)
      assert.match(without.stderr, /b\/compose\.yaml is not run.*\n.*compose\.files b\/compose\.yaml/)

      // what git-lfs does, by a program that is there
      await repo.git('config', 'filter.lfs.smudge', 'sed s/pointer/content/')
      await repo.git('config', 'filter.lfs.clean', 'sed s/content/pointer/')
      await repo.git('sparse-checkout', 'set', 'a')
      const { stderr } = await scene.run(['up', 'two', '--no-start'])
      assert.not.match(stderr, /LFS|compose/)
      assert.is(await readFile(at('two', 'a/model.bin'), 'utf8'), 'content\n')
      assert.not(existsSync(at('two', 'c')))

      await repo.git('config', 'filter.lfs.process', 'git-lfs-that-is-not-here filter-process')
      await repo.git('config', 'filter.lfs.required', 'true')
      await scene.refused(['up', 'three', '--no-start'], 5, 'TOOL_MISSING')
      await repo.git('config', '--remove-section', 'filter.lfs')
    },
    LIMIT_MS,
  )
})

async function timed(scene: Awaited<ReturnType<typeof openScene>>, args: readonly string[]): Promise<number> {
  const began = performance.now()
  await scene.ok(args)
  return performance.now() - began
}
