/**
 * An ordinary user whose worktree holds files of root, as a container makes them: they are deleted, kept in the trash, brought
 * back and removed for good, and nothing that a link in them leads to is touched.
 */
import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'
import { makeUser } from './users.ts'

const MAKE = `
mkdir -p made/deep made/locked && cd made && echo x > deep/file && ln -s "$1" link && ln -s "\${1%/*}" deep/folder
echo x > locked/file && chmod 500 locked && sudo chown -R root:root . && sudo chmod 700 .`

suite('files of root', (test) => {
  test(
    'delete, trash, restore and empty, by an ordinary user',
    async () => {
      await using user = await makeUser({ inDockerGroup: true })
      await using scene = await openScene({ user, files: { '.gitignore': 'made/\n', 'a.txt': 'a\n' } })
      const outside = join(scene.root, 'outside', 'precious')
      await must([...user.as, 'mkdir', join(scene.root, 'outside')])
      await writeFile(outside, 'precious')
      const worktree = join(scene.repo.path, '.worktree', 'demo')
      const make = () => scene.inside('demo', 'bash', '-ec', MAKE, 'bash', outside)
      const untouched = async () => {
        assert.is(await readFile(outside, 'utf8'), 'precious')
        assert.not(existsSync(worktree))
        assert.is(await scene.repo.git('worktree', 'list').then((text) => text.split('\n').length), 1)
      }

      await scene.up('demo')
      await make()
      await scene.ok(['delete', 'demo', '--no-trash'])
      await untouched()

      await scene.up('demo')
      await make()
      const { trash } = JSON.parse(await scene.ok(['delete', 'demo', '--force', '--json']))
      await untouched()
      assert.is(await readFile(join(trash.files, 'made', 'deep', 'file'), 'utf8'), 'x\n')
      await scene.ok(['trash', 'restore', 'demo'])
      assert.is(await readFile(join(worktree, 'made', 'deep', 'file'), 'utf8'), 'x\n')

      // its top folder too: it can be moved only by who owns it
      await must(['chown', 'root:root', worktree])
      await chmod(worktree, 0o700)
      assert.match(await scene.ok(['list']), /git knows nothing of the worktree/)
      await scene.ok(['delete', 'demo', '--force'])
      await untouched()
      await withoutEngine(scene)
      const { removed, kept } = JSON.parse(await scene.ok(['trash', 'empty', '--json']))
      assert.equal([removed.length, kept.length], [1, 0])
      assert.is(await must(['find', join(scene.home, '.nexus', 'trash'), '-mindepth', '1']), '')
      await untouched()
    },
    2 * LIMIT_MS,
  )
})

/** What needs the engine is told, with what helps, and stays. */
async function withoutEngine(scene: Scene): Promise<void> {
  const env = { DOCKER_HOST: `unix://${scene.root}/no.sock` }
  const { code, stdout, stderr } = await scene.run(['trash', 'empty'], { env })
  assert.is(code, 1, stdout + stderr)
  assert.match(stdout, /\(demo\) stays/)
  assert.match(stderr, /stays in the trash: \/\S+ holds files of another user, which need a container to remove/)
  assert.match(stderr, /nexus doctor.*sudo rm -rf \//)
  assert.match(await scene.ok(['trash', 'list']), /^demo /m)
}
