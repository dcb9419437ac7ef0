/** The built program runs on every supported release of Node; the releases come from npm and are kept between runs. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMIT_MS, must, openScene } from '../scenario/scene.ts'
import { assert, suite } from '../support/suite.ts'

const RELEASES = [22, 24, 26]
const CACHE = join(process.cwd(), 'node_modules', '.cache', 'nodes')

suite('node versions', (test) => {
  for (const release of RELEASES) {
    test(
      `Node ${release} runs --version, up, list and delete`,
      async () => {
        const node = await installNode(release)
        assert.match(await must([node, '--version']), new RegExp(`^v${release}\\.`))
        const program = [node, join(process.cwd(), 'dist', 'nexus.js')]
        assert.match(await must([...program, '--version']), /^\d+\.\d+\.\d+/)
        await using scene = await openScene()
        const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') }
        const nexus = (...args: string[]) => must([...program, ...args, '--json'], { cwd: scene.repo.path, env })
        assert.is(JSON.parse(await nexus('up', 'demo', '--backend', 'mock')).state, 'running')
        const { workspaces } = JSON.parse(await nexus('list'))
        assert.is(workspaces.length, 1)
        assert.is(workspaces[0].name, 'demo')
        await nexus('delete', 'demo')
        assert.equal(JSON.parse(await nexus('list')), { workspaces: [] })
      },
      2 * LIMIT_MS,
    )
  }
})

async function installNode(release: number): Promise<string> {
  const folder = join(CACHE, String(release))
  const node = join(folder, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  if (existsSync(node)) return node
  await mkdir(folder, { recursive: true })
  const quiet = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error']
  await must(['npm', 'install', '--prefix', folder, ...quiet, `node-${process.platform}-${process.arch}@${release}`])
  return node
}
