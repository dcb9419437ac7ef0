/**
 * The two jobs of docs/ci.md do what they say: their very commands are run, in the order of the page. What the CI system itself
 * does (checking out, caching) is prepared here, and nothing else is left out.
 */
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openScene, type Scene } from './scene.ts'

const MAKEFILE = 'test:\n\t@echo "tests of $$NEXUS_WS_NAME"\n\t@echo "<testsuite/>" > report.xml\n'
/** Steps of others: what they do is prepared by the test. */
const FOREIGN = ['actions/checkout@v4', 'actions/checkout@v4', 'actions/cache@v4']

async function blocks(): Promise<readonly Record<string, unknown>[]> {
  const text = await readFile('docs/ci.md', 'utf8')
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map((match) => parse(match[1] ?? '') as Record<string, unknown>)
}

interface Step {
  readonly uses?: string
  readonly run?: string
}

async function play(scene: Scene, commands: readonly string[]): Promise<string> {
  let said = ''
  const tool = process.cwd()
  await mkdir(join(scene.home, '.local', 'bin'), { recursive: true })
  const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), CI: 'true', NEXUS_TOOL: tool }
  for (const command of commands) {
    const { code, stdout, stderr } = await runProcess(['sh', '-ec', command], {
      cwd: scene.repo.path,
      env,
      timeoutMs: 4 * LIMIT_MS,
    })
    assert.is(code, 0, `${command}\n${stdout}${stderr}`)
    said += stdout
  }
  return said
}

suite('CI', (test) => {
  test(
    "GitHub's and GitLab's jobs run the tests in a throw-away workspace",
    async () => {
      const [github, gitlab] = await blocks()
      const steps = (github as { jobs: { test: { steps: Step[] } } }).jobs.test.steps
      assert.equal(
        steps.flatMap(({ uses }) => (uses === undefined ? [] : [uses])),
        FOREIGN,
      )
      const ofGithub = steps.flatMap(({ run }) => (run === undefined ? [] : [run]))
      const ofGitlab = (gitlab as { test: { script: string[] } }).test.script
      for (const commands of [ofGithub, ofGitlab]) {
        assert.is(commands.length, 2)
        await using scene = await openScene({ files: { Makefile: MAKEFILE, '.gitignore': '.nexus-*\nreport.xml\n' } })
        await symlink(process.cwd(), join(scene.repo.path, '.nexus-tool'))
        assert.match(await play(scene, commands), /tests of run-/)
        assert.is(await readFile(join(scene.repo.path, 'report.xml'), 'utf8'), '<testsuite/>\n')
        assert.equal(await scene.list(), [])
      }
    },
    10 * LIMIT_MS,
  )
})
