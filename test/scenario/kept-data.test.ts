/**
 * Data that a delete took along unasked, in one scene. Each row was shown to lose it, or to go wrong, on the old code.
 *
 * | finding | what went wrong | where it was |
 * |---|---|---|
 * | 2.15 | edited copies, ignored folders and data folders of services went with a plain delete | lib/workspace/trash/keeping.ts |
 * | S17 | a full database went without a word | lib/workspace/trash/keeping.ts |
 * | F27 | a delete did not say that somebody is in | lib/backends/docker/guests.ts |
 * | B5 | restored after the configuration had changed, a service ran on the image of before | lib/workspace/lifecycle/up-actions.ts |
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { BUILD_LIMIT_MS } from '../support/images.ts'
import { assert, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'
import { listTrash, must, openScene, type Scene } from './scene.ts'

const SCRIPT =
  'test -e /data/kept || head -c 300000 /dev/urandom > /data/kept; echo x > /loose/x; echo x > /pgdata/x; exec sleep infinity'
const COMPOSE = `services:
  db:
    image: debian:bookworm-slim
    init: true
    command: ["sh", "-c", "${SCRIPT}"]
    volumes: ["data:/data", "/loose", "./pgdata:/pgdata"]
volumes: {data: {}}
`
const FILES = {
  'compose.yaml': COMPOSE,
  '.gitignore': '.env\nnotes/\npgdata/\nnode_modules/\n',
  '.worktreeinclude': '.env\n',
}

async function container(scene: Scene, service = 'db'): Promise<string> {
  const filters = [`dev.nexus.repo=${scene.repo.path}`, `com.docker.compose.service=${service}`]
  return (await must(['docker', 'ps', '-q', ...filters.flatMap((label) => ['--filter', `label=${label}`])])).trim()
}

async function kept(scene: Scene): Promise<string> {
  return must(['docker', 'exec', await container(scene), 'sha256sum', '/data/kept'])
}

async function imageOf(scene: Scene, service: string): Promise<string> {
  return must(['docker', 'inspect', '--format', '{{.Config.Image}}', await container(scene, service)])
}

async function volumes(id: string): Promise<readonly string[]> {
  const said = await must(['docker', 'volume', 'ls', '-q', '--filter', `label=dev.nexus.workspace=${id}`])
  return said.split('\n').filter((name) => name !== '')
}

/** Somebody works in it, and is told of. */
async function deleteWhileIn(scene: Scene): Promise<void> {
  const guest = scene.start(['exec', 'x', '--', 'sleep', '4321'])
  const isIn = async () => (await scene.run(['delete', 'x', '--dry-run'])).stderr.includes('sleep 4321')
  await eventually(isIn, { timeoutMs: 20_000 })
  const { code, stdout, stderr } = await scene.run(['delete', 'x'])
  assert.is(code, 0, stderr)
  assert.match(stderr, /somebody is in x: .*sleep 4321/)
  assert.match(stderr, /not kept: the data of db \(\d+ B\), as it is in a volume without a name/)
  assert.match(
    stdout,
    /\.env \(7 B\), notes\/ \(2 files, 4 B\), pgdata\/, the data of db \(.* and the data of db \(30\d kB\) are in the trash/,
  )
  assert.not.match(stdout, /node_modules/)
  await guest.ended
}

suite('ignored files and data of services', (test) => {
  test(
    'outlive a delete, come back with a restore, and go with the trash',
    async () => {
      await using scene = await openScene({ files: FILES })
      await writeFiles(scene.repo.path, { '.env': 'A=theirs\n' })
      const { id, worktree } = await scene.up('x')
      const at = (path: string) => join(worktree ?? '', path)
      assert.is(await readFile(at('.env'), 'utf8'), 'A=theirs\n')
      await writeFiles(at(''), { '.env': 'A=mine\n', 'notes/a': 'a\n', 'notes/b': 'b\n', 'node_modules/c': 'c\n' })
      const [before, image] = [await kept(scene), await imageOf(scene, 'workspace')]
      await deleteWhileIn(scene)
      const [note] = await listTrash(scene.home)
      assert.not(existsSync(join(note?.files ?? '', 'node_modules')))
      assert.is((await volumes(id)).length, 1)
      assert.not.match(await scene.ok(['gc', '--dry-run']), /volume/)

      // meanwhile the project has come to work in its service
      await writeFiles(scene.repo.path, { '.nexus/config.yaml': 'workspace: {service: db}\n' })
      await scene.ok(['trash', 'restore', 'x', '--as', 'y'])
      const moved = await scene.up('y')
      assert.is(await readFile(join(moved.worktree ?? '', '.env'), 'utf8'), 'A=mine\n')
      assert.is(await readFile(join(moved.worktree ?? '', 'pgdata', 'x'), 'utf8'), 'x\n')
      assert.is(await kept(scene), before)
      // image and service come from one look
      assert.is.not(await imageOf(scene, 'db'), image)

      // a delete that is killed keeps what it began to keep
      for (const point of ['remove', 'trash'])
        await scene.run(['delete', 'y'], { env: { NEXUS_FAILPOINT: `delete.${point}:kill:after` } })
      await scene.ok(['delete', 'y'])
      assert.is((await listTrash(scene.home)).length, 1)
      assert.is((await volumes(id)).length, 1)
      await scene.ok(['trash', 'empty'])
      assert.equal(await volumes(id), [])
    },
    BUILD_LIMIT_MS,
  )
})
