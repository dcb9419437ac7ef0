/**
 * A workspace that another command works on, and a shell whose folder goes, in one scene in a repository whose path has a colon.
 *
 * | finding | what happened on the old code | where it was | since |
 * |---|---|---|---|
 * | S24 | `exec` during a `restart` was refused at once, in inner words | lib/workspace/ssh/wake.ts | 3501e83 |
 * | S14 | every ordinary stop and start was an event "was interrupted" | lib/workspace/observe.ts | 3501e83 |
 * | F25 | a short mount from such a path was undone after the start | lib/stack/override.ts | 3501e83 |
 * | F20 | a delete in its own worktree left the shell nowhere, without a word; `version` and `list` failed there | scripts/main.ts | 3501e83 |
 */
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const FILES = {
  'compose.yaml': `services:
  web: {image: "debian:bookworm-slim", command: [sh, -c, "trap '' TERM; sleep 3600"], volumes: [".:/src"], stop_grace_period: 2s}
`,
}

suite('under way', (test) => {
  test(
    'restart, stop and start as others see them; delete of the folder that one is in',
    async () => {
      await using scene = await openScene({ files: FILES, folder: 'a:b' })
      await scene.up('demo')
      const web = ['docker', 'ps', '--quiet', '--filter', 'label=com.docker.compose.service=web', '--filter']
      const [id = ''] = (await must([...web, `label=dev.nexus.repo=${scene.repo.path}`])).split('\n')
      assert.match(await must(['docker', 'exec', id, 'ls', '/src']), /compose\.yaml/)
      const events = scene.start(['events', '--json'])
      await eventually(() => events.stderr().includes('following the events'))
      await execWaits(scene)
      await scene.ok(['stop', 'demo'])
      await scene.ok(['start', 'demo'])
      await eventually(() => (events.stdout().match(/"state":"running","reason":""/g) ?? []).length >= 2)
      events.child.kill('SIGINT')
      await events.ended
      assert.match(events.stdout(), /"reason":"being stopped since /)
      assert.not.match(events.stdout(), /interrupted|pid|step/)
      await folderGoes(scene)
    },
    LIMIT_MS,
  )
})

/** The command is there when the restart is done; what is stopped by hand is refused as ever. */
async function execWaits(scene: Scene): Promise<void> {
  const restart = scene.start(['restart', 'demo'])
  await eventually(async () => /being stopped/.test(await scene.ok(['list'])))
  const { code, stdout, stderr } = await scene.run(['exec', 'demo', '--', 'echo', 'inside'])
  assert.equal([code, stdout], [0, 'inside\n'], stderr)
  assert.is((await restart.ended).code, 0, restart.stderr())
}

async function folderGoes(scene: Scene): Promise<void> {
  const program = `${process.execPath} ${process.cwd()}/dist/nexus.js`
  const script = `cd .worktree/demo; for words in "delete demo" version "list --all"; do ${program} $words || exit 1; done`
  const env = { HOME: scene.home, NEXUS_HOME: `${scene.home}/.nexus` }
  const { code, stdout, stderr } = await runProcess(['sh', '-c', script], {
    cwd: scene.repo.path,
    env,
    timeoutMs: LIMIT_MS,
  })
  assert.is(code, 0, stdout + stderr)
  assert.ok(stdout.includes(`which is gone; to leave it: cd ${scene.repo.path}\nnexus `), stdout)
}
