/**
 * The example in every command's help is executed as it stands, by a shell, against the real engine: what help shows works.
 */

import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { COMMANDS } from '../../scripts/commands/table.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { openScene, type Scene } from './scene.ts'

const LIMIT_MS = 180_000

/** What has to hold before an example makes sense; for all others, that the workspace runs. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  create: ['delete', 'feature-auth'],
  resume: ['pause', 'feature-auth'],
  start: ['stop', 'feature-auth'],
}

suite('examples', (test) => {
  test(
    'the example of every command ends with code 0',
    async () => {
      await using scene = await openScene()
      const bin = join(scene.root, 'bin')
      await mkdir(bin)
      await symlink(join(process.cwd(), 'dist', 'nexus.js'), join(bin, 'nexus'))
      for (const { name, example } of COMMANDS) {
        await scene.ok(['up', 'feature-auth'])
        const before = BEFORE[name]
        if (before !== undefined) await scene.ok(before)
        const { code, stderr } = await runExample(scene, bin, example)
        assert.is(code, 0, `${example}\n${stderr}`)
        assert.ok(example.startsWith(`nexus ${name}`), `the example of ${name} shows another command: ${example}`)
      }
    },
    LIMIT_MS,
  )
})

function runExample(scene: Scene, bin: string, example: string) {
  const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), PATH: `${bin}:${process.env.PATH}` }
  return runProcess(['bash', '-c', example], { cwd: scene.repo.path, env, timeoutMs: 60_000 })
}
