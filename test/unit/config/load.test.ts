/** The configuration's five layers: what wins, where a value came from, and how every mistake is named with its place. */
import { join } from 'node:path'
import fc from 'fast-check'
import { parseConfigFile } from '../../../lib/config/file.ts'
import { type ConfigSources, loadConfig } from '../../../lib/config/load.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir, writeFiles } from '../../support/temp.ts'

interface Given {
  readonly system?: string
  readonly user?: string
  readonly project?: string
  readonly flags?: Record<string, string>
  readonly env?: Record<string, string>
}

/** Loads the layers given as text; the files lie in `<folder>/{system,user,project}`. */
async function load(given: Given) {
  await using folder = await tempDir()
  const at = (name: string) => join(folder.path, name, 'config.yaml')
  const files = { system: given.system, user: given.user, project: given.project }
  for (const [name, text] of Object.entries(files)) {
    if (text !== undefined) await writeFiles(folder.path, { [`${name}/config.yaml`]: text })
  }
  const sources: ConfigSources = {
    systemFile: at('system'),
    userFile: at('user'),
    project: { file: at('project') },
    flags: given.flags ?? {},
    flagNames: { 'defaults.backend': '--backend', 'workspace.memory': '--memory' },
    env: { HOME: '/home/u', ...given.env },
  }
  return { at, config: await loadConfig(sources) }
}

const user = (text: string) => () => parseConfigFile('/c.yaml', text, 'user')
const project = (text: string) => () => parseConfigFile('/c.yaml', text, 'project')

suite('config defaults', (test) => {
  test('hold without any file', async () => {
    const { config } = await load({})
    assert.equal(config.settings.defaults, { backend: 'docker', idleTimeout: '30m' })
    assert.equal(config.settings.ssh.portRange, { start: 32_800, end: 34_999 })
    assert.equal(config.settings.ssh.injection, { enabled: true, includeAgentKeys: true, sources: [] })
    assert.is(config.settings.ssh.forwardAgent, 'proxy')
    assert.is(config.settings.isolation, 'standard')
    assert.is(config.settings.sudo, true)
    assert.is(config.settings.worktreeDir, undefined)
    assert.is(config.settings.workspace.memory, undefined)
    assert.equal(config.values.get('defaults.backend')?.origin, { source: 'default' })
    assert.equal(config.warnings, [])
  })

  for (const [what, text] of [
    ['an empty file', ''],
    ['comments alone', '# nothing\n\n# at all\n'],
    ['an explicit null', '---\n'],
    ['a group whose lines are all comments', 'defaults:\n  # backend: mock\n'],
    ['a byte order mark', '\uFEFF# bom\n'],
  ] as const) {
    test(`hold with ${what}`, async () => {
      assert.is((await load({ user: text })).config.settings.defaults.backend, 'docker')
    })
  }
})

suite('config layers', (test) => {
  test('later sources win, each with its origin', async () => {
    const backend = (name: string) => `# head\ndefaults:\n  backend: ${name}\n`
    const layers = [
      { system: backend('a') },
      { user: backend('b') },
      { project: backend('c') },
      { flags: { 'defaults.backend': 'd' } },
      { env: { NEXUS_BACKEND: 'e' } },
    ]
    let given: Given = {}
    for (const [index, layer] of layers.entries()) {
      given = { ...given, ...layer }
      assert.is((await load(given)).config.settings.defaults.backend, 'abcde'[index])
    }
    const files = await load({ system: backend('a'), user: backend('b') })
    const origin = files.config.values.get('defaults.backend')?.origin
    assert.equal(origin, { source: 'file', file: files.at('user'), line: 3, scope: 'user' })
    const all = (await load(given)).config
    assert.equal(all.values.get('defaults.backend')?.origin, { source: 'variable', name: 'NEXUS_BACKEND' })
    const { NEXUS_BACKEND: _, ...env } = given.env ?? {}
    const typed = (await load({ ...given, env })).config
    assert.equal(typed.values.get('defaults.backend')?.origin, { source: 'flag', name: '--backend' })
  })

  test('a variable above a typed flag is said, with both names', async () => {
    const { config } = await load({ flags: { 'defaults.backend': 'mock' }, env: { NEXUS_BACKEND: 'docker' } })
    assert.is(config.warnings.length, 1)
    assert.match(config.warnings[0] ?? '', /NEXUS_BACKEND.*--backend/)
  })

  test('a variable is read by the type of its key', async () => {
    const env = {
      NEXUS_IDLE_TIMEOUT: '1h30m',
      NEXUS_SSH_PORT_RANGE_START: '33000',
      NEXUS_SSH_FORWARD_AGENT: 'false',
      NEXUS_SSH_INJECTION_SOURCES: '~/a.pub,/b.pub',
      NEXUS_WORKSPACE_CPUS: '1.5',
      NEXUS_WORKSPACE_MEMORY: '2g',
      NEXUS_ISOLATION: 'agent',
    }
    const { settings, warnings } = (await load({ env })).config
    assert.equal(warnings, [])
    assert.is(settings.defaults.idleTimeout, '1h30m')
    assert.is(settings.ssh.portRange.start, 33_000)
    assert.is(settings.ssh.forwardAgent, 'off')
    assert.equal(settings.ssh.injection.sources, ['/home/u/a.pub', '/b.pub'])
    assert.equal([settings.workspace.cpus, settings.workspace.memory], [1.5, 2 * 1024 ** 3])
    assert.is(settings.isolation, 'agent')
  })

  test('an unknown variable is a warning with the nearest one; what is no configuration is ignored', async () => {
    const env = { NEXUS_BAKEND: 'x', NEXUS_HOME: '/h', NEXUS_WS_NAME: 'n', NEXUS_FAILPOINT: 'f', NEXUSES: 'x' }
    const { config } = await load({ env })
    assert.is(config.warnings.length, 1)
    assert.match(config.warnings[0] ?? '', /NEXUS_BAKEND.*NEXUS_BACKEND/)
  })

  test('an empty variable counts as unset', async () => {
    const { config } = await load({ user: 'sudo: false\n', env: { NEXUS_SUDO: '', NEXUS_BACKEND: '', NEXUS_ODD: '' } })
    assert.is(config.settings.sudo, false)
    assert.is(config.settings.defaults.backend, 'docker')
    assert.equal(config.warnings, [])
  })

  test('names and maps have no variable', async () => {
    for (const name of ['NEXUS_WORKSPACE_NAME', 'NEXUS_WORKSPACE_DISPLAY_NAME', 'NEXUS_PORTS', 'NEXUS_WORKSPACES']) {
      assert.is((await load({ env: { [name]: 'x' } })).config.warnings.length, 1, name)
    }
  })

  test('a bad value names its variable or flag', async () => {
    const variable = await rejects(() => load({ env: { NEXUS_SUDO: 'maybe' } }), 'CONFIG_INVALID')
    assert.match(variable.message, /NEXUS_SUDO.*maybe/)
    const flag = await rejects(() => load({ flags: { 'workspace.memory': 'lots' } }), 'CONFIG_INVALID')
    assert.match(flag.message, /--memory.*lots/)
  })

  test("the PRD's two examples load", async () => {
    const { settings } = (
      await load({
        user: 'defaults:\n  backend: docker\n  idle_timeout: 30m\n\nworkspaces:\n  hanlun:\n    path: ~/projects/hanlun-lms\n    ports: [3000, 5173]\n\nssh:\n  port_range:\n    start: 32800\n    end: 34999\n  injection:\n    enabled: true\n    include_agent_keys: true\n',
        project:
          'workspace:\n  name: hanlun-lms\n  display_name: "Hanlun Learning Platform"\n\nports:\n  web:\n    container: 3000\n    host: 3000\n  api:\n    container: 5000\n    # Auto-allocated if omitted\n',
      })
    ).config
    assert.equal(settings.workspaces.hanlun, { path: '/home/u/projects/hanlun-lms', ports: [3000, 5173] })
    assert.is(settings.workspace.displayName, 'Hanlun Learning Platform')
    assert.equal([...settings.ports.keys()], ['web', 'api'])
    assert.is(settings.ports.get('web')?.host, 3000)
    assert.is(settings.ports.get('api')?.host, undefined)
  })

  test('paths: ~ is home, relative ones start at the folder of the file', async () => {
    const { at, config } = await load({
      user: 'workspaces:\n  a:\n    path: ../repo\n  b:\n    path: "~"\nworktree_dir: ~/trees\n',
    })
    assert.is(config.settings.workspaces.a?.path, join(at('user'), '..', '..', 'repo'))
    assert.is(config.settings.workspaces.b?.path, '/home/u')
    assert.is(config.settings.worktreeDir, '/home/u/trees')
  })

  test('aliases of several files add up; lists replace', async () => {
    const { settings } = (
      await load({
        system: 'workspaces:\n  a:\n    path: /a\nssh:\n  injection:\n    sources: [/one, /two]\n',
        user: 'workspaces:\n  b:\n    path: /b\nssh:\n  injection:\n    sources: [/three]\n',
      })
    ).config
    assert.equal(Object.keys(settings.workspaces).sort(), ['a', 'b'])
    assert.equal(settings.ssh.injection.sources, ['/three'])
  })

  test('ports keep the order of the file, the project first', async () => {
    const { settings } = (
      await load({
        system: 'ports:\n  web:\n    container: 1\n    host: 3001\n  zero: 9\n',
        user: 'ports:\n  mine: 1\n  8081: 2\n  80: 3\n',
        project: 'ports:\n  web: 3000\n  "9000": 4\n  8080: 5\n  mine: 6\n',
      })
    ).config
    assert.equal([...settings.ports.keys()], ['web', '9000', '8080', 'mine', '8081', '80', 'zero'])
    assert.equal(settings.ports.get('web'), { container: 3000, protocol: 'tcp' })
    assert.is(settings.ports.get('mine')?.container, 6)
  })

  test('a project text that is known already is not read from the disk', async () => {
    const { settings } = await loadConfig({
      systemFile: '/nonexistent/system.yaml',
      userFile: '/nonexistent/user.yaml',
      project: { file: '/nonexistent/project.yaml', text: 'ports:\n  web: 3000\n' },
      flags: {},
      flagNames: {},
      env: {},
    })
    assert.equal(settings.ports.get('web')?.container, 3000)
    assert.is(settings.ports.get('web')?.protocol, 'tcp')
  })

  test('a folder in place of the file is an error', async () => {
    await using folder = await tempDir()
    const none = { project: undefined, flags: {}, flagNames: {}, env: {} }
    const sources = { ...none, systemFile: '/nonexistent', userFile: folder.path }
    assert.match((await rejects(() => loadConfig(sources), 'CONFIG_INVALID')).message, new RegExp(folder.path))
  })

  test('a port range must hold a block, also across files', async () => {
    await rejects(
      () => load({ system: 'ssh:\n  port_range:\n    end: 33000\n', user: 'ssh:\n  port_range:\n    start: 32995\n' }),
      'CONFIG_INVALID',
    )
    await load({ user: 'ssh:\n  port_range:\n    start: 32991\n    end: 33000\n' })
  })
})

suite('config problems', (test) => {
  /** Text, where the message points to, and what it says. */
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ['a wrong type', 'sudo: 5\n', '1:7', /sudo.*true or false/],
    ['YAML 1.1 words', 'sudo: yes\n', '1:7', /sudo/],
    ['an unknown choice', 'isolation: high\n', '1:12', /standard or agent/],
    ['a number without a unit as a duration', 'defaults:\n  idle_timeout: 30\n', '2:17', /duration/],
    ['too little memory', 'workspace:\n  memory: 1m\n', '2:11', /64m/],
    ['no processors', 'workspace:\n  cpus: 0\n', '2:9', /cpus/],
    ['an infinite number', 'workspace:\n  cpus: .inf\n', '2:9', /cpus/],
    ['a list as the file', '- a\n', '1:1', /map/],
    ['a text as the file', 'hello\n', '1:1', /map/],
    ['a value in place of a group', 'ssh: 5\n', '1:6', /ssh.*map/],
    ['a port below 1024', 'ports:\n  web:\n    container: 80\n    host: 80\n', '4:11', /ports\.web\.host.*1024/],
    ['a port beyond the last', 'ports:\n  web: 65536\n', '2:8', /ports\.web\.container/],
    ['the reserved port name', 'ports:\n  ssh: 2222\n', '2:3', /ssh.*reserved/],
    ['a port name in capitals', 'ports:\n  Web: 3000\n', '2:3', /Web/],
    ['a port name that is too long', `ports:\n  ${'a'.repeat(31)}: 3000\n`, '2:3', /30/],
    ['a port without anything', 'ports:\n  api: 1\n  web: {}\n', '3:3', /ports\.web needs a container/],
    ['a port with a comment alone', 'ports:\n  web:\n    # container: 3000\n', '2:3', /ports\.web needs a container/],
    ['a port with a host alone', 'ports:\n  web:\n    host: 3000\n', '2:3', /ports\.web needs a container/],
    ['an alias without anything', 'workspaces:\n  a:\n', '2:3', /workspaces\.a needs a path/],
    ['an alias without a path', 'workspaces:\n  a:\n    ports: [1]\n', '2:3', /workspaces\.a needs a path/],
    ['the same port twice', 'ports:\n  "80": 1\n  80: 2\n', '3:3', /ports\.80 is there twice/],
    ['a broken line', 'a: b: c\n', '1:4', /./],
    ['a tab', 'ssh:\n\tforward_agent: true\n', '2:1', /./],
    ['the same key twice', 'sudo: true\nsudo: false\n', '2:1', /./],
    ['CRLF line ends', 'sudo: true\r\nssh:\r\n  forward_agent: 1\r\n', '3:18', /forward_agent/],
    ['a byte order mark', '\uFEFFsudo: 5\n', '1:7', /sudo/],
  ]
  for (const [what, text, place, says] of cases) {
    test(`${what} is named at ${place}`, async () => {
      const { message } = await rejects(user(text), 'CONFIG_INVALID')
      assert.ok(message.startsWith(`/c.yaml:${place}: `), message)
      assert.match(message, says)
    })
  }

  test('a second document is refused', async () => {
    assert.match(
      (await rejects(user('sudo: true\n---\nsudo: false\n'), 'CONFIG_INVALID')).message,
      /^\/c\.yaml:\d+:\d+: .*document/,
    )
  })

  test('all problems are told, the first in the message', async () => {
    const error = await rejects(user('sudo: 5\nssh:\n  forward_agent: 5\nfoo: 1\n'), 'CONFIG_INVALID')
    assert.match(error.message, /^\/c\.yaml:1:7: sudo/)
    const problems = error.details?.problems as { line: number; column: number }[]
    assert.equal(
      problems.map(({ line, column }) => [line, column]),
      [
        [1, 7],
        [3, 18],
        [4, 1],
      ],
    )
  })

  test('a typing error has the nearest key as its hint', async () => {
    const hint = async (text: string) => (await rejects(user(text), 'CONFIG_INVALID')).hint ?? ''
    assert.match(await hint('defaults:\n  bakend: x\n'), /config set defaults\.backend/)
    assert.match(await hint('idle_timeout: 1h\n'), /config set defaults\.idle_timeout/)
    assert.match(await hint('forward_agnt: true\n'), /config set ssh\.forward_agent/)
    assert.match(await hint('workspaces:\n  a:\n    paht: /x\n'), /workspaces\.a\.path/)
    assert.match(await hint('defalts:\n  backend: x\n'), /defaults; to see all keys/)
  })

  test('aliases that multiply end at once', async () => {
    const lines = ['a0: &a0 [x, x]', ...Array.from({ length: 40 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`)]
    await rejects(user(`${lines.join('\n')}\nssh:\n  injection:\n    sources: *a40\n`), 'CONFIG_INVALID')
    await rejects(user('defaults: &d\n  defaults: *d\n'), 'CONFIG_INVALID')
  })

  test('any unknown key is named with its line and column', async () => {
    const word = fc.stringMatching(/^[a-z][a-z_]{2,15}$/).filter((name) => !KNOWN.includes(name))
    await fc.assert(
      fc.asyncProperty(word, fc.constantFrom('', 'defaults', 'ssh'), fc.nat(5), async (name, group, blanks) => {
        const indent = group === '' ? '' : '  '
        const text = `${'\n'.repeat(blanks)}${group === '' ? '' : `${group}:\n`}${indent}${name}: 1\n`
        const { message } = await rejects(user(text), 'CONFIG_INVALID')
        const place = `${blanks + (group === '' ? 1 : 2)}:${indent.length + 1}`
        assert.ok(message.startsWith(`/c.yaml:${place}: `) && message.includes(name), message)
      }),
    )
  })
})

const KNOWN = [
  ...['defaults', 'workspaces', 'ssh', 'workspace', 'isolation', 'sudo', 'worktree_dir', 'ports'],
  ...['backend', 'idle_timeout', 'port_range', 'injection', 'forward_agent', 'null', 'true', 'false'],
]

suite('config scopes', (test) => {
  const only = (text: string) => async () => {
    assert.match((await rejects(project(text), 'CONFIG_INVALID')).message, /^\/c\.yaml:\d+:\d+: /)
  }
  test('a project may not widen what guards the user', async () => {
    for (const key of ['enabled', 'include_agent_keys']) await only(`ssh:\n  injection:\n    ${key}: true\n`)()
    await only('ssh:\n  forward_agent: true\n')()
    await only('sudo: true\n')()
    await only('isolation: standard\n')()
  })

  test('a project may tighten it', () => {
    const text = 'sudo: false\nisolation: agent\nssh:\n  forward_agent: false\n  injection:\n    enabled: false\n'
    assert.is(project(text)().size, 4)
  })

  test("a project may not set what is the user's, and is told where it belongs", async () => {
    const keys = [
      'workspaces:\n  a:\n    path: /x\n',
      'ssh:\n  port_range:\n    start: 40000\n',
      'ssh:\n  injection:\n    sources: [/etc/shadow]\n',
      'worktree_dir: /tmp\n',
    ]
    for (const text of keys) {
      await only(text)()
      assert.match((await rejects(project(text), 'CONFIG_INVALID')).message, /user/)
    }
  })

  test('a user may not name the project, and is told where that belongs', async () => {
    for (const key of ['name', 'display_name']) {
      const { message } = await rejects(user(`workspace:\n  ${key}: x\n`), 'CONFIG_INVALID')
      assert.match(message, /^\/c\.yaml:2:3: .*\.nexus\/config\.yaml/)
    }
  })
})
