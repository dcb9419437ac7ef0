/** Each example of docs/api.md, by a shell and as it stands, one after the other against one server on the real engine. */
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ensurePrograms } from '../support/packages.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { openScene } from './scene.ts'

/** Of what an example leaves in the background. */
const END = 'kill $(jobs -p %?curl) 2> /dev/null || :'

/** Blocks that begin with ```sh test. */
function examplesOf(text: string): readonly string[] {
  return [...text.matchAll(/^```sh test\n(.*?)^```$/gms)].map(([, script = '']) => script)
}

suite('docs/api.md', (test) => {
  test('its examples work', async () => {
    await ensurePrograms({ curl: 'curl', jq: 'jq' })
    const text = await readFile('docs/api.md', 'utf8')
    const examples = examplesOf(text)
    assert.is(examples.length, text.match(/^```sh/gm)?.length, 'an example is not run')
    await using scene = await openScene()
    const bin = join(scene.root, 'bin')
    const log = join(scene.root, 'log')
    await mkdir(bin)
    await symlink(join(process.cwd(), 'dist', 'nexus.js'), join(bin, 'nexus'))
    const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), PATH: `${bin}:${process.env.PATH}` }
    try {
      for (const example of examples) {
        // what an example leaves in the background ends with it; the server of `serve &` is needed by those that follow
        const script = `exec > ${log} 2>&1; set -exo pipefail; shopt -s expand_aliases; trap '${END}' EXIT\n${example}`
        const { code } = await runProcess(['bash', '-c', script], { cwd: scene.repo.path, env, timeoutMs: 60_000 })
        assert.is(code, 0, `${example}\n${await readFile(log, 'utf8')}`)
      }
    } finally {
      await scene.run(['serve', 'stop'])
    }
  }, 120_000)
})
