/** `config set` and `config unset`: one key changes, everything else in the file stays, and an error writes nothing. */
import { existsSync } from 'node:fs'
import { chmod, lstat, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { editSetting } from '../../../lib/config/edit.ts'
import { parseConfigFile } from '../../../lib/config/file.ts'
import { loadConfig } from '../../../lib/config/load.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir, writeFiles } from '../../support/temp.ts'

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
  return await readFile(file, 'utf8')
}

suite('config edit', (test) => {
  test('a changed value leaves every other line as it was', async () => {
    assert.is(await edit(COMMENTED, ['defaults.backend', 'mock']), COMMENTED.replace('docker', 'mock'))
    assert.is(await edit(COMMENTED, ['ssh.forward_agent', 'full']), COMMENTED.replace(': true', ': full'))
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

suite('config edit layout', (test) => {
  /** What is done, to what text, and what it must become. */
  const cases: readonly (readonly [string, string, readonly [string, string | undefined], string])[] = [
    [
      'set below a group that holds only comments',
      '# top\ndefaults: # mine\n  # backend: docker\n  # more\nsudo: true\n',
      ['defaults.backend', 'mock'],
      '# top\ndefaults: # mine\n  backend: mock\n  # backend: docker\n  # more\nsudo: true\n',
    ],
    ['set in a file of comments', '# a\n\n# b\n', ['sudo', 'false'], '# a\n\n# b\nsudo: false\n'],
    ['set in a file without a last line break', 'sudo: true', ['isolation', 'agent'], 'sudo: true\nisolation: agent\n'],
    [
      'unset of the last key of a group',
      'sudo: true\ndefaults:\n  backend: mock\n',
      ['defaults.backend', undefined],
      'sudo: true\n',
    ],
    ['unset of the last key of all', '# top\nsudo: true\n# end\n', ['sudo', undefined], '# top\n# end\n'],
    ['unset of the only key', 'sudo: true\n', ['sudo', undefined], ''],
    [
      'unset of the last key beside comments',
      'defaults:\n  # how\n  backend: mock # why\n  # tail\nsudo: true\n',
      ['defaults.backend', undefined],
      'defaults:\n  # how\n  # tail\nsudo: true\n',
    ],
    [
      'unset of a port keeps its comments',
      'ports:\n  web:\n    # inside\n    container: 3000\n  api: 5000\n',
      ['ports.web.container', undefined],
      'ports:\n    # inside\n  api: 5000\n',
    ],
    [
      'unset of a short port',
      'ports:\n  web: 3000\n  api: 1\n',
      ['ports.web.container', undefined],
      'ports:\n  api: 1\n',
    ],
    [
      'unset of what a short port lacks',
      'ports:\n  web: 3000\n',
      ['ports.web.host', undefined],
      'ports:\n  web: 3000\n',
    ],
    ['unset of what is not there', 'ssh: 5\n', ['defaults.backend', undefined], 'ssh: 5\n'],
    [
      'set beside a short port',
      'ports:\n  web: 3000 # x\n',
      ['ports.web.host', '3001'],
      'ports:\n  web: { container: 3000, host: 3001 } # x\n',
    ],
    ['set of a short port', 'ports:\n  web: 3000 # x\n', ['ports.web.container', '3001'], 'ports:\n  web: 3001 # x\n'],
    [
      'line ends of Windows',
      'ssh:\r\n  # c\r\nsudo: true\r\n',
      ['ssh.forward_agent', 'false'],
      'ssh:\r\n  forward_agent: off\r\n  # c\r\nsudo: true\r\n',
    ],
    ['a byte order mark', '\uFEFFsudo: true\n', ['sudo', 'false'], '\uFEFFsudo: false\n'],
    [
      'indentation by four',
      'ssh:\n    forward_agent: true\n',
      ['defaults.backend', 'mock'],
      'ssh:\n    forward_agent: true\ndefaults:\n    backend: mock\n',
    ],
    [
      'braces',
      'defaults: {backend: docker} # x\n',
      ['defaults.idle_timeout', '1h'],
      'defaults: {backend: docker, idle_timeout: 1h} # x\n',
    ],
    ['empty braces', '{}\n', ['ssh.port_range.start', '33000'], '{ ssh: { port_range: { start: 33000 } } }\n'],
    [
      'a group written out as nothing',
      'defaults: ~ # x\n',
      ['defaults.backend', 'mock'],
      'defaults: # x\n  backend: mock\n',
    ],
    [
      'quotes that are not needed',
      'defaults:\n  backend:   "docker"   # x\n',
      ['defaults.backend', 'mock'],
      'defaults:\n  backend:   mock   # x\n',
    ],
    [
      'a list of several lines',
      'ssh:\n  injection:\n    sources: # mine\n      - /a\n      - /b # two\n      # tail\nsudo: true\n',
      ['ssh.injection.sources', '/c,/d'],
      'ssh:\n  injection:\n    sources: [/c, /d] # mine\n      # tail\nsudo: true\n',
    ],
  ]
  for (const [what, before, change, after] of cases) {
    test(what, async () => assert.is(await edit(before, change), after))
  }

  test('braces are also unset', async () => {
    const text = 'defaults: { backend: mock, idle_timeout: 1h }\nports: { web: { container: 3000 } }\n'
    const after = await edit(text, ['defaults.backend', undefined], ['ports.web.container', undefined])
    assert.equal([...parseConfigFile('/c', after, 'user').keys()], ['defaults.idle_timeout'])
    assert.is(await edit('{sudo: true} # x\n', ['sudo', undefined]), '')
  })

  test('line ends of a file that is printed anew', async () => {
    const text = 'defaults:\r\n  # 2\r\n  # 3\r\n\r\nports:\r\n  web: { container: 3000, host: 33001 }\r\n'
    const after = await edit(text, ['ports.web.host', undefined])
    assert.is(after, text.replace(', host: 33001', ''))
  })

  test('no edit loses a comment line, another value or the line ends', async () => {
    const text =
      '# 1\n\ndefaults:\n  # 2\n  backend: docker\n  # 3\n\n# 4\nports:\n  # 5\n  web: 3000\n  api:\n    # 6\n    container: 5000\n    # 7\n# 8\n'
    const key = fc.constantFrom(
      ...(['defaults.backend', 'defaults.idle_timeout', 'sudo', 'ports.web.container', 'ports.web.host'] as const),
      ...(['ports.api.container', 'ports.new.container', 'ssh.port_range.start', 'worktree_dir'] as const),
    )
    const value = { 'defaults.backend': 'x', 'defaults.idle_timeout': '1h', sudo: 'false', worktree_dir: '/t' }
    const change = fc.record({ key, unset: fc.boolean() })
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 5 }), fc.constantFrom('\n', '\r\n'), async (changes, eol) => {
        await writeFiles(folder.path, { 'config.yaml': text.replaceAll('\n', eol) })
        for (const { key, unset } of changes) {
          const before = await readFile(file, 'utf8')
          const typed = (value as Record<string, string>)[key] ?? '33001'
          const failure = await editSetting(file, 'user', key, unset ? undefined : typed, '/').catch((error) => error)
          const after = await readFile(file, 'utf8')
          if (failure !== undefined) {
            assert.is(failure.code, 'CONFIG_INVALID')
            assert.is(after, before)
          }
          for (let n = 1; n <= 8; n++) assert.ok(after.includes(`# ${n}${eol}`), after)
          assert.is(after.split('\n').length, after.split(eol).length)
          const [old, now] = [before, after].map((one) => parseConfigFile(file, one, 'user'))
          for (const [name, entry] of old ?? [])
            if (name !== key) assert.equal(now?.get(name)?.value, entry.value, name)
        }
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})

suite('config edit of odd files', (test) => {
  test('a bad value can be repaired, or removed', async () => {
    assert.is(await edit('sudo: maybe # x\n', ['sudo', 'false']), 'sudo: false # x\n')
    assert.is(await edit('sudo: maybe\nisolation: agent\n', ['sudo', undefined]), 'isolation: agent\n')
    assert.is(await edit('ports:\n  web: none\n', ['ports.web.container', '3000']), 'ports:\n  web: 3000\n')
  })

  test('what stays wrong is told, and nothing is written', async () => {
    for (const text of ['sudo: maybe\nssh: 5\n', 'sudo: true\nsudo: true\n', '- a\n', 'a: b: c\n', 'x: 1\n']) {
      await using folder = await tempDir()
      await writeFiles(folder.path, { 'config.yaml': text })
      const file = join(folder.path, 'config.yaml')
      await rejects(() => editSetting(file, 'user', 'sudo', 'false', '/'), 'CONFIG_INVALID')
      assert.is(await readFile(file, 'utf8'), text)
    }
  })

  test('unset without a file is done, and makes none', async () => {
    await using folder = await tempDir()
    await editSetting(join(folder.path, 'new', 'config.yaml'), 'project', 'ports.web.host', undefined, '/')
    assert.equal(await readdir(folder.path), [])
  })

  test('a refused set leaves no folder behind', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, '.nexus', 'config.yaml')
    for (const [key, value] of [
      ['sudo', 'true'],
      ['ports.web.host', '3000'],
      ['defaults.idle_timeout', 'soon'],
    ] as const) {
      await rejects(() => editSetting(file, 'project', key, value, '/'), 'CONFIG_INVALID')
    }
    assert.equal(await readdir(folder.path), [])
  })

  test("a project's new folder can be read by all, the user's cannot", async () => {
    await using folder = await tempDir()
    for (const [scope, mode] of [
      ['project', 0o755],
      ['user', 0o700],
    ] as const) {
      await editSetting(join(folder.path, scope, 'config.yaml'), scope, 'sudo', 'false', '/')
      assert.is((await stat(join(folder.path, scope))).mode & 0o777, mode & ~process.umask())
    }
  })

  test('a link stays a link, and its file keeps its mode', async () => {
    await using folder = await tempDir()
    await writeFiles(folder.path, { 'dotfiles/real.yaml': 'sudo: true\n' })
    const real = join(folder.path, 'dotfiles', 'real.yaml')
    await chmod(real, 0o640)
    const file = join(folder.path, 'config.yaml')
    await symlink('dotfiles/real.yaml', file)
    await editSetting(file, 'user', 'sudo', 'false', '/')
    assert.ok((await lstat(file)).isSymbolicLink())
    assert.is(await readFile(real, 'utf8'), 'sudo: false\n')
    assert.is((await stat(real)).mode & 0o777, 0o640)
    await symlink('later/new.yaml', `${file}2`)
    await editSetting(`${file}2`, 'user', 'sudo', 'false', '/')
    assert.ok((await lstat(`${file}2`)).isSymbolicLink() && existsSync(join(folder.path, 'later', 'new.yaml')))
  })

  test('a relative path is meant from the current folder', async () => {
    await using folder = await tempDir()
    const file = join(folder.path, 'config.yaml')
    const set = (key: string, text: string) => editSetting(file, 'user', key, text, '/work/here')
    await set('workspaces.a.path', '../shop')
    await set('workspaces.b.path', '~/shop')
    await set('workspaces.c.path', '/shop')
    await set('ssh.injection.sources', 'k.pub,~/l.pub')
    const entries = parseConfigFile(file, await readFile(file, 'utf8'), 'user')
    const values = ['workspaces.a.path', 'workspaces.b.path', 'workspaces.c.path', 'ssh.injection.sources'].map(
      (key) => entries.get(key)?.value,
    )
    assert.equal(values, ['/work/shop', '~/shop', '/shop', ['/work/here/k.pub', '~/l.pub']])
  })
})
