/**
 * What a bare name means to each verb, over all rows of the table of commands, on the mock backend: two repositories, the name known
 * in the other one alone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Command } from '../../scripts/commands/command.ts'
import { COMMANDS } from '../../scripts/commands/table.ts'
import { type CliProcess, run } from '../../scripts/main.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir, tempRepo } from '../support/temp.ts'

async function nexus(cwd: string, home: string, args: readonly string[]) {
  const out: string[] = []
  const err: string[] = []
  const into = (chunks: string[]) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        chunks.push(String(chunk))
        done()
      },
    })
  const fake: CliProcess = {
    argv: ['node', 'nexus', ...args],
    env: { PATH: process.env.PATH, HOME: home, NEXUS_HOME: join(home, '.nexus'), NEXUS_BACKEND: 'mock' },
    cwd: () => cwd,
    stdin: { isTTY: false },
    stdout: into(out),
    stderr: into(err),
    on: () => undefined,
    off: () => undefined,
  }
  const code = await run(fake, '0')
  return { code, stdout: out.join(''), stderr: err.join('') }
}

/** The words that a row takes beside the name. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  rename: ['other'],
  forward: ['3000'],
  'network allow': ['example.org'],
  'network deny': ['example.org'],
}

function wordsFor(command: Command, name: string): readonly string[] {
  if (command.name === 'cp') return [...command.name.split(' '), 'a.txt', `${name}:/tmp/a.txt`]
  const rest = command.takesCommand === true ? ['--', 'true'] : []
  return [...command.name.split(' '), name, ...(OTHER_WORDS[command.name] ?? []), '--json', ...rest]
}

/** Those that take the name of a workspace that is there; `up` makes it here, `events` ends only when it is interrupted. */
const NAMING = COMMANDS.filter(
  ({ name, args }) =>
    args.some(({ completes }) => completes === 'workspaces' || completes === 'places') &&
    !['up', 'events'].includes(name),
)

suite('a bare name that only another repository has', (test) => {
  test('is refused by every verb that changes, and taken by every one that looks', async () => {
    await using dir = await tempDir()
    await using blog = await tempRepo()
    await using shop = await tempRepo()
    assert.is((await nexus(shop.path, dir.path, ['create', 'fix-login', '--no-start'])).code, 0)
    const records = () => {
      const folder = join(dir.path, '.nexus', 'workspaces')
      return readdirSync(folder).map((id) => readFileSync(join(folder, id, 'workspace.json'), 'utf8'))
    }
    const before = records()
    for (const command of NAMING) {
      for (const cwd of [blog.path, dir.path]) {
        const { code, stdout, stderr } = await nexus(cwd, dir.path, wordsFor(command, 'fix-login'))
        const said = `${command.name}: ${stdout}${stderr}`
        if (command.effect === 'looks') {
          assert.not.match(said, /WORKSPACE_NOT_FOUND/)
          assert.match(stderr, /there is no workspace fix-login (in|here).*; this is \S+\/fix-login/, said)
        } else {
          assert.is(code, 3, said)
          assert.match(said, /There is no workspace fix-login (in|here)/)
          assert.match(said, new RegExp(`nexus ${command.name} \\S+/fix-login`))
        }
        assert.equal(records(), before, said)
      }
    }
    assert.ok(NAMING.length > 25)
  }, 60_000)

  test('the full name works in every verb, also from outside of any repository', async () => {
    await using dir = await tempDir()
    await using shop = await tempRepo()
    assert.is((await nexus(shop.path, dir.path, ['config', 'set', 'workspaces.sh.path', shop.path])).code, 0)
    const project = shop.path.split('/').at(-1)
    assert.is((await nexus(dir.path, dir.path, ['up', 'sh/fix-login', '--no-start'])).code, 0)
    for (const command of NAMING.filter(({ name }) => !['delete', 'rename'].includes(name))) {
      for (const word of ['sh', project]) {
        const { stdout, stderr } = await nexus(dir.path, dir.path, wordsFor(command, `${word}/fix-login`))
        assert.not.match(`${command.name}: ${stdout}${stderr}`, /WORKSPACE_NOT_FOUND|no workspace/)
      }
    }
    assert.is((await nexus(dir.path, dir.path, ['rename', 'sh/fix-login', 'other'])).code, 0)
    assert.is((await nexus(dir.path, dir.path, ['delete', `${project}/other`])).code, 0)
  }, 60_000)
})
