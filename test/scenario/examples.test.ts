/**
 * The example in every command's help is executed as it stands, by a shell, against the real engine: what help shows works.
 */

import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { openScene, type Scene, startProcess } from './scene.ts'

const LIMIT_MS = 180_000

/** What is typed before an example makes sense; before all others the workspace runs. */
const BEFORE: Readonly<Record<string, string>> = {
  compare: 'nexus create feature-b --no-start',
  create: 'nexus delete feature-auth',
  resume: 'nexus pause feature-auth',
  start: 'nexus stop feature-auth',
  'network allow': 'nexus delete feature-auth && nexus up feature-auth --network allowlist',
  'trash restore': 'nexus exec feature-auth -- touch new && nexus delete feature-auth --force',
  adopt: 'git worktree add --quiet -b mine ../my-worktree',
}

suite('examples', (test) => {
  test(
    'the example of every command ends with code 0, or runs until it is interrupted',
    async () => {
      await using scene = await openScene()
      const bin = join(scene.root, 'bin')
      await mkdir(bin)
      await symlink(join(process.cwd(), 'dist', 'nexus.js'), join(bin, 'nexus'))
      for (const { name, example, endless } of VERBS) {
        await scene.ok(['up', 'feature-auth'])
        const before = BEFORE[name]
        if (before !== undefined) assert.is((await runExample(scene, bin, before)).code, 0, before)
        const { code, stderr } = await (endless ? interruptExample : runExample)(scene, bin, example)
        assert.is(code, endless ? 130 : 0, `${example}\n${stderr}`)
        assert.ok(example.startsWith(`nexus ${name}`), `the example of ${name} shows another command: ${example}`)
      }
    },
    LIMIT_MS,
  )
})

function runExample(scene: Scene, bin: string, example: string) {
  return runProcess(['bash', '-c', example], { cwd: scene.repo.path, env: environment(scene, bin), timeoutMs: 60_000 })
}

async function interruptExample(scene: Scene, bin: string, example: string) {
  const env = { ...process.env, ...environment(scene, bin) }
  const running = startProcess(['bash', '-c', `exec ${example}`], { cwd: scene.repo.path, env })
  await eventually(() => /Ctrl-C ends/.test(running.stderr()), { timeoutMs: 20_000 })
  running.child.kill('SIGINT')
  return running.ended
}

function environment(scene: Scene, bin: string) {
  return { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), PATH: `${bin}:${process.env.PATH}` }
}
