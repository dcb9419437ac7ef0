/**
 * The tricks of test/fixtures/projects/hostile, each as a project's only compose file. Its first line says what must happen:
 * an error code with a pattern for what is told, or START. Whatever is refused leaves nothing, and the credentials
 * that some ask for are a pipe which holds forever whoever opens it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BUILD_LIMIT_MS, openProject } from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const FOLDER = join(process.cwd(), 'test', 'fixtures', 'projects', 'hostile')
const EXIT: Readonly<Record<string, number>> = { APPROVAL_REQUIRED: 4, CONFIG_INVALID: 2 }

/** A scene where the trick is the repository's compose file, with credentials in the home and beside the repository. */
async function withTrick(file: string, act: (scene: Scene) => Promise<void>): Promise<void> {
  await using project = await openProject('hostile')
  const { repo } = project
  await rename(join(repo.path, file), join(repo.path, 'compose.yaml'))
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '--message', file)
  await using scene = await openScene({ repo })
  for (const folder of [scene.home, dirname(repo.path)]) {
    await mkdir(join(folder, '.aws'))
    await must(['mkfifo', join(folder, '.aws', 'credentials')])
  }
  await act(scene)
}

suite('hostile projects', (test) => {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))) {
    const [, code = '', told = ''] = /^# must: (\w+) ?(.*)\n# \w/.exec(readFileSync(join(FOLDER, file), 'utf8')) ?? []
    const exit = EXIT[code]
    if (exit === undefined) continue
    test(
      `${file}: ${code}, and nothing is left`,
      () =>
        withTrick(file, async (scene) => {
          const nothing = await scene.made()
          const error = await scene.refused(['up', 'a'], exit, code)
          assert.match(JSON.stringify(error), new RegExp(told))
          assert.equal(await scene.made(), nothing)
        }),
      3 * LIMIT_MS,
    )
  }

  test(
    'host-secret.yaml: a variable of this machine is empty inside, and a warning names it',
    () =>
      withTrick('host-secret.yaml', async (scene) => {
        const env = { HOST_SECRET: 'of the user' }
        const { code, stderr } = await scene.run(['up', 'a'], { env, timeoutMs: BUILD_LIMIT_MS })
        assert.is(code, 0, stderr)
        assert.match(stderr, /warning: .*HOST_SECRET/)
        const [workspace] = await scene.list()
        const compose = join(scene.home, '.nexus', 'workspaces', workspace?.id ?? '', 'docker-compose.yml')
        assert.is(await must(['docker', 'compose', '-f', compose, 'exec', '-T', 'app', 'printenv', 'TAKEN']), '\n')
      }),
    BUILD_LIMIT_MS,
  )
})
