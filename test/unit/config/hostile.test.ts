/** Configuration files of strangers: nothing in them hangs Nexus, costs it seconds, or reaches the terminal as it is. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { editSetting } from '../../../lib/config/edit.ts'
import { parseConfigFile } from '../../../lib/config/file.ts'
import { loadConfig, requireKey } from '../../../lib/config/load.ts'
import { NexusError } from '../../../lib/core/errors.ts'
import { FUZZ } from '../../support/fuzz.ts'
import { runProcess } from '../../support/process.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const NOWHERE = { systemFile: '/nonexistent', userFile: '/nonexistent', flags: {}, flagNames: {}, env: {} }
const project = (text: string) => () => parseConfigFile('/c.yaml', text, 'project')
const load = (file: string) => loadConfig({ ...NOWHERE, project: { file } })

/** Fails at once and says why. */
async function refused(text: string, why: RegExp): Promise<void> {
  const began = performance.now()
  assert.match((await rejects(project(text), 'CONFIG_INVALID')).message, why)
  const ms = performance.now() - began
  assert.ok(ms < 3_000, `${Math.round(ms)} ms`)
}

suite('config files that are none', (test) => {
  test('a pipe is refused, for reading and for editing', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    await runProcess(['mkfifo', file])
    assert.match((await rejects(() => load(file), 'CONFIG_INVALID')).message, /, not a file/)
    await rejects(() => editSetting(file, 'project', 'sudo', 'false', '/'), 'CONFIG_INVALID')
  }, 5_000)

  test('a device is refused, also behind a link', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    await symlink('/dev/zero', file)
    assert.match((await rejects(() => load(file), 'CONFIG_INVALID')).message, /, not a file/)
  }, 5_000)

  test('a file that is too large is refused, read or given as text', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    const text = `# ${'x'.repeat(70_000)}\n`
    await writeFile(file, text)
    assert.match((await rejects(() => load(file), 'CONFIG_INVALID')).message, /64 KiB/)
    await refused(text, /64 KiB/)
  })

  test('what is not UTF-8 is refused', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    await writeFile(file, Buffer.from('workspace:\n  name: caf\xe9\n', 'latin1'))
    assert.match((await rejects(() => load(file), 'CONFIG_INVALID')).message, /UTF-8/)
  })
})

suite('config files that cost', (test) => {
  const wide = (line: (n: number) => string) =>
    Array.from({ length: 65_000 }, (_, n) => line(n))
      .join('')
      .slice(0, 65_000)
  const cases = {
    'very many keys': [wide((n) => `${n.toString(36)}:\n`).replace(/.*$/, ''), /unknown key/],
    'very many ports': [`ports:\n${wide((n) => `  ${n}: 1\n`).slice(0, 60_000)}  Z: 1`, /Z/],
    'very many brackets': ['['.repeat(65_000), /20 levels/],
    'very many brackets that are closed': [`sudo: ${'['.repeat(30_000)}${']'.repeat(30_000)}`, /20 levels/],
    'very many maps': ['{a: '.repeat(16_000), /20 levels/],
    'very many list marks': ['- '.repeat(32_000), /20 levels/],
    'very deep indentation': [Array.from({ length: 300 }, (_, n) => `${' '.repeat(n)}a:\n`).join(''), /20 levels/],
    'very many documents': ['---\n'.repeat(16_000), /one YAML document/],
    'very many mistakes': ['['.padEnd(65_000, ','), /./],
    'a very long key': [`"${'x'.repeat(60_000)}": 1\n`, /./],
  } as const
  for (const [what, [text, why]] of Object.entries(cases)) test(`${what} end at once`, () => refused(text, why))

  test('twenty problems are told, not thousands', async () => {
    const error = await rejects(project(wide((n) => `k${n}: 1\n`).replace(/.*$/, '')), 'CONFIG_INVALID')
    assert.is((error.details?.problems as unknown[]).length, 20)
  })
})

suite('config files that speak to the terminal', (test) => {
  const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

  for (const odd of ['\\e[31mred', '\\a', '\\x9b31m', '\\u202e', '\\u2028', '\\n', '\\0']) {
    test(`${odd} in a key or a value is quoted`, async () => {
      for (const text of [
        `"${odd}": 1\n`,
        `ssh:\n  "x${odd}": 1\n`,
        `ports:\n  "${odd}": 1\n`,
        `"sudo${odd}": 1\n"sudo${odd}": 2\n`,
        `sudo: "${odd}"\n`,
        `workspace:\n  name: "${odd}${odd}"\n  cpus: "${odd}"\n`,
      ]) {
        const { message, hint, details } = await rejects(project(text), 'CONFIG_INVALID')
        const told = [message, hint ?? '', ...(details?.problems as { text: string }[]).map((one) => one.text)]
        assert.not.match(told.join(' '), CONTROL, text)
      }
    })
  }

  test('no text whatever makes a message of more than one line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom('', 'ports:\n  ', 'sudo: '),
        (text, head) => {
          try {
            parseConfigFile('/c.yaml', head + text, 'project')
          } catch (error) {
            if (!(error instanceof NexusError)) throw error
            assert.not.match(`${error.message}${error.hint ?? ''}`, CONTROL)
          }
        },
      ),
      FUZZ,
    )
  })

  test('variables, flags and typed keys are quoted too', async () => {
    const odd = '\x1b[31m\x9b'
    await using folder = await tempDir()
    const file = join(folder.path, 'c.yaml')
    const told = [
      await rejects(() => loadConfig({ ...NOWHERE, project: undefined, env: { NEXUS_SUDO: odd } }), 'CONFIG_INVALID'),
      await rejects(() => requireKey(odd), 'CONFIG_INVALID'),
      await rejects(() => editSetting(file, 'user', 'sudo', odd, '/'), 'CONFIG_INVALID'),
      await rejects(() => editSetting(file, 'user', `ports.${odd}.host`, '3000', '/'), 'CONFIG_INVALID'),
    ]
    for (const { message } of told) assert.not.match(message, CONTROL)
    const { warnings } = await loadConfig({ ...NOWHERE, project: undefined, env: { [`NEXUS_${odd}`]: 'x' } })
    assert.not.match(warnings.join(), CONTROL)
  })
})

suite('config names that objects have', (test) => {
  test('an alias that nobody made is not there', async () => {
    const { settings } = await loadConfig({ ...NOWHERE, project: undefined })
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      assert.is(settings.workspaces[name], undefined, name)
    }
  })

  test('constructor is a name like others, __proto__ is refused', async () => {
    const text = 'workspaces:\n  constructor:\n    path: /x\nports:\n  constructor: 3000\n'
    const name: string = 'constructor'
    const { settings } = await loadConfig({ ...NOWHERE, project: undefined, user: { file: '/c.yaml', text } })
    assert.is(settings.workspaces[name]?.path, '/x')
    assert.is(settings.ports.get(name)?.container, 3000)
    for (const bad of ['__proto__:\n  sudo: false\n', 'ports:\n  __proto__: 3000\n', 'sudo: { __proto__: true }\n']) {
      await rejects(project(bad), 'CONFIG_INVALID')
    }
    assert.is(({} as { sudo?: unknown }).sudo, undefined)
  })

  test('a key cannot smuggle another one into the file', async () => {
    await using folder = await tempDir()
    await mkdir(join(folder.path, 'a'))
    for (const key of ['ports.x\nsudo.host', 'ports.__proto__.host', 'ports.a: 1 #.host', 'ports..host']) {
      await rejects(() => editSetting(join(folder.path, 'a', 'c.yaml'), 'user', key, '3000', '/'), 'CONFIG_INVALID')
    }
  })
})
