/**
 * What a bare name means to each verb, over the rows of all verbs, on the mock backend: two repositories, the name known
 * in the other one alone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nameFromHere } from '../../../lib/core/named.ts'
import type { Verb } from '../../../lib/verb-form/verb.ts'
import { NAMING_VERBS, VERBS } from '../../../lib/verbs/all-verbs.ts'
import { nexus } from '../../support/called.ts'
import { listSourceFiles } from '../../support/source.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, tempRepo } from '../../support/temp.ts'

/** The words that a row takes beside the name. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  rename: ['other'],
  forward: ['3000'],
  'network allow': ['example.org'],
  'network deny': ['example.org'],
}

function wordsFor(command: Verb, name: string): readonly string[] {
  if (command.name === 'cp') return [...command.name.split(' '), 'a.txt', `${name}:/tmp/a.txt`]
  const rest = command.takesCommand === true ? ['--', 'true'] : []
  return [...command.name.split(' '), name, ...(OTHER_WORDS[command.name] ?? []), '--json', ...rest]
}

/** Those that take the name of a workspace that is there; `up` makes it here, `events` ends only when it is interrupted. */
const NAMING = VERBS.filter(
  ({ name, fields }) =>
    Object.values(fields).some(({ completes }) => completes === 'workspaces' || completes === 'places') &&
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
          assert.match(said, new RegExp(`nexus ${command.name} (a.txt )?\\S+/fix-login`))
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

suite('commands that are told', (test) => {
  const named = [
    { name: 'same', repo: '/o/xs', word: 'xs/same' },
    { name: 'b', repo: '/o/xs', word: 'ws-aaaaaaaa' },
  ]
  for (const [text, expected] of [
    ['run `nexus delete same --force`', 'run `nexus delete xs/same --force`'],
    ['`nexus stop same && nexus start same`', '`nexus stop xs/same && nexus start xs/same`'],
    ['run `nexus exec same -- git merge same`', 'run `nexus exec xs/same -- git merge same`'],
    ['run `nexus network allow same x.org`', 'run `nexus network allow xs/same x.org`'],
    ['run `nexus up same`', 'run `nexus up xs/same`'],
    ['run `nexus up same-2 --network open`', 'run `nexus up xs/same-2 --network open`'],
    ['`nexus stop b`', '`nexus stop ws-aaaaaaaa`'],
    ['`nexus up b`', '`nexus up b --repo /o/xs`'],
    ['`nexus repair same --repo <path>`', '`nexus repair xs/same --repo <path>`'],
    ['`nexus up same --repo /o/xs`', '`nexus up same --repo /o/xs`'],
    ['`nexus delete other`, `nexus delete same-x`', '`nexus delete other`, `nexus delete same-x`'],
    ['`nexus delete same/x`; nexus delete same', '`nexus delete same/x`; nexus delete same'],
    ['`nexus config set same x`', '`nexus config set same x`'],
  ] as const)
    test(text, () => assert.is(nameFromHere(text, named, NAMING_VERBS), expected))

  test('of two of one name none is guessed', () => {
    const here = { name: 'same', repo: '/o/here', word: 'same' }
    const told = nameFromHere('run `nexus delete same`', [here, ...named], NAMING_VERBS)
    assert.is(told, 'run `nexus delete <same or xs/same>`')
    assert.is(nameFromHere('run `nexus delete same`', [here], NAMING_VERBS), 'run `nexus delete same`')
  })

  const LATE = new RegExp(`nexus (${NAMING_VERBS.join('|')}) -[a-z-]+ ([^\`$]* )?\\$\\{(\\w+\\.)?name\\}`, 'g')
  test('stand with the name right behind the verb, where it is found', async () => {
    const product = (await listSourceFiles(process.cwd())).filter(({ path }) => /^(lib|scripts)\/.*\.ts$/.test(path))
    assert.ok(product.length > 100)
    for (const { path, text } of product) assert.equal(text.match(LATE) ?? [], [], path)
  })

  test('never mean the workspace of that name in the current repository', async () => {
    await using dir = await tempDir()
    await using here = await tempRepo()
    await using there = await tempRepo()
    const nexusHere = (...args: readonly string[]) => nexus(here.path, dir.path, args)
    assert.is((await nexusHere('config', 'set', 'workspaces.xs.path', there.path)).code, 0)
    for (const name of ['same', 'xs/same']) assert.is((await nexusHere('up', name, '--no-start')).code, 0)
    const stopped = NAMING.filter(({ name }) => !['rename', 'delete', 'rebuild', 'adopt'].includes(name))
    const said: string[] = []
    for (const command of stopped) {
      const words = wordsFor(command, 'xs/same').filter((word) => word !== '--json')
      const { stdout, stderr } = await nexusHere(...words)
      said.push(`${command.name}: ${stdout}${stderr}`)
      await nexusHere('stop', 'xs/same')
    }
    const bare = said.filter((text) => /`[^`]*nexus [a-z ]+ same\b[^`]*`/.test(text))
    assert.equal(bare, [])
    assert.ok(said.filter((text) => /`nexus [a-z ]+ xs\/same/.test(text)).length > 3, said.join('\n'))
    const withRepo = await nexusHere('exec', 'same', '--repo', there.path, '--', 'true')
    assert.match(withRepo.stderr, /`nexus start \S+\/same`/)
  }, 60_000)
})
