/** `config set` and `config unset`: one key changes, everything else in the file stays, and an error writes nothing. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { editSetting } from '../../lib/config/edit.ts'
import { parseConfigFile } from '../../lib/config/file.ts'
import { loadConfig } from '../../lib/config/load.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempDir, writeFiles } from '../support/temp.ts'

const COMMENTED = `# my settings

defaults:
  backend: docker # where it runs
  # how long
  idle_timeout: "30m"

ssh:
  forward_agent: true
`

async function edit(text: string | undefined, ...changes: readonly (readonly [string, string | undefined])[]) {
  await using folder = await tempDir()
  const file = join(folder.path, 'config.yaml')
  if (text !== undefined) await writeFiles(folder.path, { 'config.yaml': text })
  for (const [key, value] of changes) await editSetting(file, 'user', key, value, '/')
  return readFile(file, 'utf8')
}

suite('config edit', (test) => {
  test('a changed value leaves every other line as it was', async () => {
    assert.is(await edit(COMMENTED, ['defaults.backend', 'mock']), COMMENTED.replace('docker', 'mock'))
    assert.is(await edit(COMMENTED, ['ssh.forward_agent', 'false']), COMMENTED.replace(': true', ': false'))
  })

  test('a new key keeps comments and order', async () => {
    const after = await edit(COMMENTED, ['sudo', 'false'])
    assert.ok(after.startsWith(COMMENTED.trimEnd()), after)
    assert.match(after, /\nsudo: false\n$/)
  })

  test('a missing file is made, each scope with its mode', async () => {
    await using folder = await tempDir()
    for (const [scope, mode] of [
      ['user', 0o600],
      ['project', 0o644],
    ] as const) {
      const file = join(folder.path, scope, 'config.yaml')
      await editSetting(file, scope, 'defaults.backend', 'mock', '/')
      assert.is((await stat(file)).mode & 0o777, mode)
      assert.is(parseConfigFile(file, await readFile(file, 'utf8'), scope).get('defaults.backend')?.value, 'mock')
    }
  })

  test('a short port becomes a map when a second key is set', async () => {
    const entries = parseConfigFile('/c', await edit('ports:\n  web: 3000\n', ['ports.web.host', '3001']), 'user')
    assert.equal([entries.get('ports.web.container')?.value, entries.get('ports.web.host')?.value], [3000, 3001])
  })

  test('unset removes the key and keeps the comments', async () => {
    const after = await edit(COMMENTED, ['defaults.backend', undefined])
    assert.not.match(after, /backend/)
    assert.match(after, /# my settings/)
    assert.match(after, /# how long/)
  })

  test('an error changes nothing', async () => {
    await using folder = await tempDir()
    await writeFiles(folder.path, { 'config.yaml': COMMENTED })
    const file = join(folder.path, 'config.yaml')
    const bad: readonly (readonly [string, string])[] = [
      ['defaults.backnd', 'x'],
      ['defaults.idle_timeout', 'soon'],
      ['workspace.name', 'a-project'],
      ['ssh.port_range.start', '34995'],
      ['workspaces.a.ports', '3000'],
      ['ports.ssh.container', '2222'],
    ]
    for (const [key, value] of bad) await rejects(() => editSetting(file, 'user', key, value, '/'), 'CONFIG_INVALID')
    await rejects(() => editSetting(file, 'project', 'sudo', 'true', '/'), 'CONFIG_INVALID')
    assert.is(await readFile(file, 'utf8'), COMMENTED)
  })

  test('an unknown key has the nearest as its hint', async () => {
    const error = await rejects(() => edit(COMMENTED, ['defaults.backnd', 'x']), 'CONFIG_INVALID')
    assert.match(error.hint ?? '', /defaults\.backend/)
  })

  test('changes at the same time are all kept', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    const changes = { 'defaults.backend': 'mock', sudo: 'false', 'workspace.cpus': '2', isolation: 'agent' }
    await Promise.all(Object.entries(changes).map(([key, value]) => editSetting(file, 'user', key, value, '/')))
    assert.is(parseConfigFile(file, await readFile(file, 'utf8'), 'user').size, 4)
  })

  test('what is set reads back', async () => {
    const port = fc.integer({ min: 1, max: 65_535 })
    const change = fc.oneof(
      fc.record({ key: fc.constant('sudo'), value: fc.boolean() }),
      fc.record({ key: fc.constant('defaults.idle_timeout'), value: fc.constantFrom('off', '5m', '1h30m', '2d') }),
      fc.record({ key: fc.constant('workspace.cpus'), value: fc.integer({ min: 1, max: 64 }) }),
      fc.record({ key: fc.constant('ports.web.container'), value: port }),
      fc.record({ key: fc.constant('worktree_dir'), value: fc.stringMatching(/^\/[ -~]{1,20}$/) }),
      fc.record({
        key: fc.constant('ssh.injection.sources'),
        value: fc.array(fc.stringMatching(/^\/[a-z#:'"]{1,8}$/), { minLength: 1, maxLength: 3 }),
      }),
    )
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('', COMMENTED), change, async (before, { key, value }) => {
        await writeFiles(folder.path, { 'config.yaml': before })
        await editSetting(file, 'user', key, String(value), '/')
        const sources = {
          systemFile: '/nonexistent',
          userFile: file,
          project: undefined,
          flags: {},
          flagNames: {},
          env: {},
        }
        const { values } = await loadConfig(sources)
        assert.equal(values.get(key)?.value, value)
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})
