/** Hooks and secrets without an engine: whose word needs approval, what is hidden, what a value may be, how a hang ends. */
import { existsSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fillSecrets, readSecretFiles, removeSecrets } from '../../../lib/backends/docker/secret-files.ts'
import { loadConfig } from '../../../lib/config/load.ts'
import type { SecretSetting } from '../../../lib/config/settings.ts'
import { createInterruption } from '../../../lib/core/interruption.ts'
import type { SecretRecord } from '../../../lib/core/workspace.ts'
import { hookFindings, requireHook } from '../../../lib/project/hooks.ts'
import { createMask, resolveSecrets, secretFindings } from '../../../lib/project/secrets.ts'
import { createTextReporter } from '../../../lib/report/text.ts'
import { areOutdated, requireServices, variablesOf } from '../../../lib/stack/secrets.ts'
import { createRunner } from '../../../lib/system/runner.ts'
import { withoutCredentials } from '../../../lib/workspace/stack/dotfiles.ts'
import { runHook } from '../../../lib/workspace/stack/hooks.ts'
import { appWorld } from '../../support/app.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir, writeFiles } from '../../support/temp.ts'

const runner = createRunner(() => {}, process.env, createInterruption())

async function settingsOf(user: string, project: string) {
  await using folder = await tempDir()
  await writeFiles(folder.path, { 'user.yaml': user, 'project.yaml': project })
  const at = (name: string) => join(folder.path, name)
  const sources = { systemFile: at('none'), userFile: at('user.yaml'), project: { file: at('project.yaml') } }
  return (await loadConfig({ ...sources, flags: {}, flagNames: {}, env: {} })).settings
}

suite('hooks of a configuration', (test) => {
  test("a command on this machine needs approval when the project's file has a part in it", async () => {
    const asked = async (user: string, project: string) => hookFindings(await settingsOf(user, project)).length
    assert.is(await asked('', 'hooks: {post-start: {run: x, on: host}}'), 1)
    assert.is(await asked('hooks: {post-start: {run: x, on: host}}', ''), 0)
    assert.is(await asked('', 'hooks: {post-start: x}'), 0)
    // the user meant it for the container
    assert.is(await asked('hooks: {post-start: npm ci}', 'hooks: {post-start: {on: host}}'), 1)
  })

  test('a moment without a container is refused, with the way out', async () => {
    for (const name of ['pre-start', 'post-stop'] as const) {
      const settings = await settingsOf('', `hooks: {${name}: x}`)
      const { message, hint } = await rejects(() => requireHook(settings, name), 'CONFIG_INVALID')
      assert.match(`${message} ${hint}`, /does not run at that moment.*on host/)
    }
  })

  test('the names of variables are names', async () => {
    for (const name of ['A B', '1A', 'A=B', 'a-b', '""'])
      await rejects(() => settingsOf('', `secrets: {k: {from: "env://K", variable: ${name}}}`), 'CONFIG_INVALID')
  })
})

suite('values of secrets', (test) => {
  const resolve = (from: string, change: Partial<SecretSetting> = {}, env = {}) =>
    resolveSecrets(
      new Map([['key', { from, variable: undefined, services: undefined, fromProject: false, ...change }]]),
      { runner, env },
    )
  const secretOf = async (from: string) => (await resolve(from)).get('key')
  const refused = async (from: string, said: RegExp, change: Partial<SecretSetting> = {}) => {
    const { message, output, details } = await rejects(() => resolve(from, change), 'SECRET_UNRESOLVED')
    assert.match(message, said)
    assert.not.match(JSON.stringify([message, output, details]), /hush/)
  }

  test('of commands, less one line break', async () => {
    assert.is(await secretOf("cmd://printf 'a$x\\n\\n'"), 'a$x\n')
    await refused('cmd://printf hu%s sh; printf hu%s sh >&2; exit 3', /ended with code 3/)
    await refused('cmd://no-such-program', /could not be started/)
    await refused('cmd://true', /printed nothing/)
    await refused("cmd://printf '\\377'", /not UTF-8/)
  })

  test('of files, and what is no ordinary file', async () => {
    await using folder = await tempDir()
    const at = (name: string) => join(folder.path, name)
    const files = { lines: 'a\nb\n', empty: '', large: 'x'.repeat(600 * 1024), long: 'x'.repeat(200 * 1024) }
    await writeFiles(folder.path, files)
    await writeFile(at('binary'), Buffer.from([0xff, 0xfe, 0]))
    await symlink('lines', at('link'))
    assert.is(await secretOf(`file://${at('lines')}`), 'a\nb\n')
    assert.is(await secretOf(`file://${at('link')}`), 'a\nb\n')
    assert.is((await secretOf(`file://${at('long')}`))?.length, 200 * 1024)
    await refused(`file://${at('long')}`, /at most 120 KiB/, { variable: 'A' })
    await refused(`file://${at('empty')}`, /empty/)
    await refused(`file://${at('large')}`, /larger than 512 KiB/)
    await refused(`file://${at('binary')}`, /UTF-8/)
    await refused(`file://${folder.path}`, /is a folder/)
    await refused('file:///dev/zero', /is a device/)
  })

  test('every reference of a project is asked for', async () => {
    const from = 'secrets: {a: "env://A", b: "file:///b", c: "cmd://c"}'
    assert.is(secretFindings(await settingsOf('', from)).length, 3)
    assert.equal(secretFindings(await settingsOf(from, '')), [])
  })

  test('are taken out of what is said, line by line too, the longest first', () => {
    const mask = createMask(
      new Map(Object.entries({ a: 'hush-hush\n', b: 'hush-hush-more', c: 'abc', d: 'one1\ntwo2\n' })),
    )
    assert.is(mask('x hush-hush-more y hush-hush z abc'), 'x *** y *** z abc')
    assert.is(mask('one1'), '***')
    assert.is(mask('-two2-'), '-***-')
    assert.is(createMask(new Map())('as it is'), 'as it is')
  })

  test('reach compose only where they are asked for as variables', () => {
    const secrets = [
      { name: 'api-key', from: 'env://A', variable: 'A' },
      { name: 'b', from: 'env://B' },
    ]
    const values = new Map([
      ['api-key', 'v'],
      ['b', 'w'],
    ])
    assert.equal(variablesOf(secrets, values), { NEXUS_SECRET_API_KEY: 'v' })
  })

  test('lie in a folder that is gone with the last of them', async () => {
    await using root = await tempDir()
    const folder = (id: string) => join(root.path, 'own', id)
    await fillSecrets(folder('a'), new Map([['x', 'v\n']]))
    await fillSecrets(folder('b'), new Map([['y', 'w']]))
    await fillSecrets(folder('a'), new Map([['z', 'new']]))
    assert.equal([...(await readSecretFiles(folder('a')))], [['z', 'new']])
    await removeSecrets(folder('a'))
    assert.equal([...(await readSecretFiles(folder('a')))], [])
    assert.equal([...(await readSecretFiles(folder('b')))], [['y', 'w']])
    await removeSecrets(folder('b'))
    await removeSecrets(folder('b'))
    await rejects(async () => {
      await symlink(root.path, join(root.path, 'own'))
      await fillSecrets(folder('a'), new Map([['x', 'v']]))
    }, 'PERMISSION_DENIED')
  })
})

suite('secrets of services', (test) => {
  const a: SecretRecord = { name: 'a', from: 'env://A' }

  test('containers are compared where they may hold others, or a variable', () => {
    const cases: readonly (readonly [readonly SecretRecord[], readonly SecretRecord[], boolean])[] = [
      [[], [], false],
      [[a], [a], false],
      [[a], [{ ...a, from: 'cmd://other' }], false],
      [[a], [], true],
      [[], [a], true],
      [[a], [{ ...a, services: ['web'] }], true],
      [[{ ...a, variable: 'A' }], [{ ...a, variable: 'A' }], true],
    ]
    for (const [present, wanted, expected] of cases) assert.is(areOutdated(present, wanted), expected)
  })

  test('a service that is not there is named', async () => {
    requireServices([a, { ...a, services: ['web'] }], ['web'])
    const { message } = await rejects(
      () => requireServices([{ ...a, services: ['wbe'] }], ['web', 'db']),
      'CONFIG_INVALID',
    )
    assert.match(message, /secrets\.a\.services.*"wbe".*web, db/)
  })
})

suite('what is told', (test) => {
  test('a URL without its name and password', () => {
    assert.is(
      withoutCredentials('cloning https://me:tok@x.org/y.git and git@x.org:y'),
      'cloning https://***@x.org/y.git and git@x.org:y',
    )
    assert.is(withoutCredentials('ssh://git@x.org/a@b'), 'ssh://***@x.org/a@b')
  })

  test('nothing that a terminal obeys comes from a program', () => {
    const said: string[] = []
    const stream = { write: (text: string) => said.push(text) } as unknown as NodeJS.WritableStream
    const reporter = createTextReporter({ stdout: stream, stderr: stream, quiet: false, verbose: false, env: {} })
    for (const text of [
      '\u001b[31mred\u001b[0m',
      '\u001b]0;title\u0007x\u0008\u0000y',
      'half\rwhole\r',
      'a\tb',
      '\u001b[2J',
    ])
      reporter.emit({ type: 'progress', text })
    reporter.close()
    assert.equal(said, ['  red\n', '  xy\n', '  whole\n', '  a\tb\n'])
  })
})

suite('a command that does not end', (test) => {
  test('is left when a process that went its own way holds the pipes', async () => {
    await using folder = await tempDir()
    const pid = join(folder.path, 'pid')
    const script = `setsid bash -c 'echo $$ > ${pid}; exec sleep 61' & sleep 62`
    const began = performance.now()
    await rejects(() => runner.run(['bash', '-c', script], { timeoutMs: 300 }), 'TIMEOUT')
    assert.ok(performance.now() - began < 10_000)
    await runner.run(['bash', '-c', `kill "$(cat ${pid})"`])
  }, 20_000)
})

suite('a hook on this machine', (test) => {
  test('is looked at when it runs, whatever the file said before', async () => {
    await using world = await appWorld()
    const record = await world.record('x')
    const marker = join(world.folder, 'ran')
    const hook = { run: `touch ${marker}`, on: 'host', timeout: '10s', fromProject: true } as const
    const { settings } = await world.app.config()
    const changed = { ...settings, hooks: new Map([['post-start', hook]] as const) }
    const error = await rejects(() => runHook(world.app, record, changed, 'post-start'), 'APPROVAL_REQUIRED')
    assert.not(existsSync(marker))
    const given = { ...changed, trust: { approve: [String(error.details?.hash)] } }
    await runHook(world.app, record, given, 'post-start')
    assert.ok(existsSync(marker))
  })
})
