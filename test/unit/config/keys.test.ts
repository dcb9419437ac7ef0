/**
 * The configuration as the commands see it: five layers in one home, edits that keep what a person wrote, and the published
 * schema. The layers one by one are in config-load.test.ts, edits in config-edit.test.ts.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configSchema } from '../../../lib/config/describe.ts'
import { editSetting } from '../../../lib/config/edit.ts'
import { parseConfigFile } from '../../../lib/config/file.ts'
import { KEYS } from '../../../lib/config/keys.ts'
import { loadConfig } from '../../../lib/config/load.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { type TempDir, tempDir, writeFiles } from '../../support/temp.ts'

const KEY = 'defaults.idle_timeout'

/** `value from origin`, with the layers given by name. */
async function timeout(dir: TempDir, layers: Readonly<Record<string, string>>): Promise<string> {
  const file = (name: string) => join(dir.path, name, 'config.yaml')
  for (const name of ['system', 'user', 'project']) {
    const value = layers[name]
    const text = value === undefined ? '' : `defaults:\n  idle_timeout: ${value}\n`
    await writeFiles(dir.path, { [`${name}/config.yaml`]: text })
  }
  const { values } = await loadConfig({
    systemFile: file('system'),
    userFile: file('user'),
    project: { file: file('project') },
    flags: layers.flag === undefined ? {} : { [KEY]: layers.flag },
    flagNames: { [KEY]: '--idle-timeout' },
    env: { HOME: dir.path, ...(layers.variable === undefined ? {} : { NEXUS_IDLE_TIMEOUT: layers.variable }) },
  })
  const setting = values.get(KEY)
  return `${setting?.value} from ${JSON.stringify(setting?.origin)}`
}

suite('configuration', (test) => {
  test('each layer wins over the one before', async () => {
    await using dir = await tempDir()
    const layers: Record<string, string> = {}
    const seen: string[] = [await timeout(dir, layers)]
    for (const [i, name] of ['system', 'user', 'project', 'flag', 'variable'].entries()) {
      layers[name] = `${i + 1}h`
      seen.push(await timeout(dir, layers))
    }
    const values = seen.map((one) => one.split(' from ')[0])
    assert.equal(values, ['30m', '1h', '2h', '3h', '4h', '5h'])
    assert.is(new Set(seen.map((one) => one.split(' from ')[1])).size, seen.length, seen.join(', '))
  })

  test('each row of the table is a field of the settings, in camel case, with its default', async () => {
    const none = { systemFile: '', userFile: '', project: undefined, flags: {}, flagNames: {}, env: {} }
    const { settings } = await loadConfig(none)
    const own = /\*|^(seed|hooks)\./ // put together from several keys
    for (const { key, default: initial } of KEYS.filter((spec) => !own.test(spec.key))) {
      const path = key.split('.').map((word) => word.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()))
      let found: unknown = settings
      for (const word of path) found = (found as Record<string, unknown>)[word]
      assert.equal(found, initial, key)
    }
    const start: number = settings.ssh.portRange.start
    assert.is(start, 32_800)
    // @ts-expect-error a field without a row does not compile
    assert.is(settings.ssh.portrange, undefined)
  })

  test('a mistake is named with file, line and column, and the nearest key', async () => {
    const text = '# mine\ndefaults:\n  backnd: mock\n'
    const error = await rejects(() => parseConfigFile('/h/config.yaml', text, 'user'), 'CONFIG_INVALID')
    assert.ok(error.message.includes('/h/config.yaml:3:3'), error.message)
    assert.ok(`${error.message} ${error.hint}`.includes('backend'), error.hint)
  })

  test('set and unset keep every comment; a bad set changes nothing', async () => {
    await using dir = await tempDir()
    const file = join(dir.path, 'config.yaml')
    const text = '# top\ndefaults:\n  # the usual\n  backend: docker # here\n\n# end\n'
    await writeFiles(dir.path, { 'config.yaml': text })
    await editSetting(file, 'user', KEY, '1h')
    const edited = await readFile(file, 'utf8')
    for (const comment of ['# top', '# the usual', '# here', '# end']) assert.ok(edited.includes(comment), edited)
    assert.ok(edited.includes('idle_timeout: 1h'), edited)
    await rejects(() => editSetting(file, 'user', KEY, 'soon'), 'CONFIG_INVALID')
    await rejects(() => editSetting(file, 'user', 'defaults.bakend', 'mock'), 'CONFIG_INVALID')
    assert.is(await readFile(file, 'utf8'), edited)
    await editSetting(file, 'user', KEY, undefined)
    assert.is(await readFile(file, 'utf8'), text)
  })

  test('a project may not set what is the user’s', async () => {
    const text = 'workspaces:\n  a:\n    path: /etc\n'
    await rejects(() => parseConfigFile('/p/.nexus/config.yaml', text, 'project'), 'CONFIG_INVALID')
  })

  test('the published schema is the one of this Nexus', async () => {
    const file = join(process.cwd(), 'schema', 'config.schema.json')
    if (!existsSync(file)) return // not published yet
    assert.equal(JSON.parse(await readFile(file, 'utf8')), configSchema())
  })
})
