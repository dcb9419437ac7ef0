/** The generated files that are kept in git say what the source says. */
import { readFile } from 'node:fs/promises'
import { configSchema } from '../../../lib/config/describe.ts'
import { VERBS } from '../../../lib/verbs/all-verbs.ts'
import { GLOBAL_OPTIONS, optionsOf } from '../../../scripts/commands/options.ts'
import { runProcess } from '../../support/process.ts'
import { assert, suite } from '../../support/suite.ts'

const generate = (...args: string[]) => runProcess([process.execPath, 'scripts/generate.mjs', ...args], {})

suite('generated files', (test) => {
  for (const word of ['schema', 'docs', 'openapi']) {
    test(`${word} are not stale`, async () => {
      const { code, stderr } = await generate(word, '--check')
      assert.is(code, 0, stderr)
    })
  }

  test('the schema is that of the configuration', async () => {
    assert.equal(JSON.parse(await readFile('schema/config.schema.json', 'utf8')), configSchema())
  })

  test('the reference holds every command and option', async () => {
    const text = await readFile('docs/cli.md', 'utf8')
    for (const verb of VERBS) {
      const { name, example, hidden } = verb
      assert.is(text.includes(`## ${name}\n`), hidden !== true, name)
      if (hidden === true) continue
      assert.ok(text.includes(example), example)
      for (const { flag } of optionsOf(verb)) assert.ok(text.includes(`| \`${flag}\` |`), flag)
    }
    for (const { flag } of GLOBAL_OPTIONS) assert.ok(text.includes(`| \`${flag}\` |`), flag)
  })

  test('an unknown word is refused', async () => {
    assert.is((await generate('toString', '--check')).code, 2)
  })
})
