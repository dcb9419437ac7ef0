/**
 * `ssh-config install` and `uninstall` on real files, judged by the real ssh: what is in the way is named, and nothing of the user's is
 * lost.
 */
import { existsSync } from 'node:fs'
import { chmod, link, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NexusError } from '../../../../lib/core/errors.ts'
import { newWorkspaceId, type WorkspaceId } from '../../../../lib/core/names.ts'
import { homePaths, workspacePaths } from '../../../../lib/core/paths.ts'
import { describeInclude } from '../../../../lib/doctor/ssh.ts'
import { knowsHostKeys, probeHost, updateKnownHosts, writeKnownHosts } from '../../../../lib/ssh/client/alias-file.ts'
import { aliasControlPath, rawControlPath } from '../../../../lib/ssh/client/control-path.ts'
import type { App } from '../../../../lib/workspace/app.ts'
import { type Changing, installInclude, uninstallInclude } from '../../../../lib/workspace/ssh/ssh-config.ts'
import { inspectInclude } from '../../../../lib/workspace/ssh/ssh-include.ts'
import { type AppWorld, appWorld } from '../../../support/app.ts'
import { runProcess } from '../../../support/process.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

interface Place {
  readonly world: AppWorld
  readonly app: App
  readonly file: string
  readonly line: string
  put(text: string): Promise<void>
  text(): Promise<string>
  install(): Promise<Changing>
  uninstall(): Promise<Changing>
  /** What ssh makes of a host with that file. */
  ask(...words: string[]): Promise<Readonly<Record<string, string>>>
}

/** Each asks ssh many times, on a machine that may be busy. */
const LIMIT_MS = 30_000

async function openPlace(run: (place: Place) => Promise<void>, folder = '.nexus'): Promise<void> {
  await using world = await appWorld()
  const home = homePaths(join(world.folder, folder))
  const app = { ...world.app, home }
  const file = join(world.folder, 'ssh', 'config')
  const request = { file, dryRun: false, consent: async () => {} }
  await mkdir(dirname(file), { mode: 0o700 })
  await run({
    world,
    app,
    file,
    line: / /.test(home.sshConfig) ? `Include "${home.sshConfig}"` : `Include ${home.sshConfig}`,
    put: (text) => writeFile(file, text, 'latin1'),
    text: () => readFile(file, 'latin1'),
    install: () => installInclude(app, request),
    uninstall: () => uninstallInclude(app, request),
    ask: async (...words) => {
      const { stdout, stderr, code } = await runProcess(['ssh', '-F', file, '-G', ...words])
      assert.is(code, 0, stderr)
      return Object.fromEntries(stdout.split('\n').map((line) => [line.split(' ')[0] ?? '', line.replace(/^\S+ /, '')]))
    },
  })
}

suite('ssh-config', (test) => {
  test(
    'a file comes, is obeyed without any workspace, and goes; a second install changes nothing',
    () =>
      openPlace(async ({ file, line, text, install, uninstall, ask, app }) => {
        await rm(dirname(file), { recursive: true })
        assert.is((await install()).changed, true)
        assert.is(await text(), `${line}\n`)
        assert.is((await stat(file)).mode & 0o7777, 0o600)
        assert.is((await stat(dirname(file))).mode & 0o7777, 0o700)
        assert.is((await ask(probeHost(app.home))).hostkeyalias, 'nexus-included')
        assert.is((await install()).changed, false)
        assert.is((await inspectInclude(app, file)).state, 'installed')
        await rm(app.home.home, { recursive: true })
        assert.is((await ask('x')).hostname, 'x', 'an Include of what is gone is no error')
        assert.is((await uninstall()).changed, true)
        assert.is(existsSync(file), false)
        assert.is((await uninstall()).changed, false)
      }),
    LIMIT_MS,
  )

  for (const [what, before] of Object.entries({
    'an empty file': '',
    'windows line ends without the last': 'Host a\r\n  Port 3',
    'no final line break': 'Host a\n  Port 3',
    'only comments': '# mine\n\n\n',
    'bytes that are no text': '# \xff\xfe\x80\nHost a\n Port 3\n#\0\x01\n',
  })) {
    test(`${what}: obeyed in front of it, and the same bytes afterwards`, () =>
      openPlace(async ({ put, text, install, uninstall, ask, line, app }) => {
        await put(before)
        await install()
        assert.is((await text()).replace(/\r/g, ''), `${line}\n\n${before}`.replace(/\r/g, ''))
        assert.is((await ask(probeHost(app.home))).hostkeyalias, 'nexus-included')
        if (before.includes('Port')) assert.is((await ask('a')).port, '3')
        await uninstall()
        assert.is(await text(), before)
      }))
  }

  test('the file of another NEXUS_HOME is not taken for this one: both are included, and each goes alone', () =>
    openPlace(async ({ app, file, line, text, install, uninstall, ask }) => {
      const other = { ...app, home: homePaths(join(dirname(app.home.home), 'other home')) }
      await installInclude(other, { file, dryRun: false, consent: async () => {} })
      assert.is((await inspectInclude(app, file)).state, 'absent')
      assert.is((await install()).changed, true)
      assert.is(await text(), `${line}\n\nInclude "${other.home.sshConfig}"\n`)
      for (const { home } of [app, other]) assert.is((await ask(probeHost(home))).hostkeyalias, 'nexus-included')
      assert.is((await uninstall()).changed, true)
      assert.is((await inspectInclude(app, file)).state, 'absent')
      assert.is((await inspectInclude(other, file)).state, 'installed')
    }))

  test('a NEXUS_HOME with spaces, quotes and other letters works, by the alias file and by the raw line', () =>
    openPlace(
      async ({ install, ask, app, file, text, uninstall, put }) => {
        await put('Host *\n  ProxyJump bastion\n  StrictHostKeyChecking no\n')
        await install()
        assert.match(await text(), /^Include "/)
        await writeFile(app.home.knownHosts, '[localhost]:32800 ssh-ed25519 AAAA\n')
        const raw = await ask('-p', '32800', 'nexus@localhost')
        assert.equal(
          [raw.userknownhostsfile, raw.stricthostkeychecking, raw.proxyjump],
          [app.home.knownHosts, 'true', undefined],
        )
        await mkdir(join(app.home.workspaces, 'ws-aaaaaaaa'), { recursive: true })
        const block = 'Host demo.nexus\n  HostName 127.0.0.1\n  Port 32800\n  User nexus\n'
        await writeFile(join(app.home.workspaces, 'ws-aaaaaaaa', 'ssh_config'), block)
        const alias = await runProcess(['ssh', '-v', '-F', file, '-G', 'demo.nexus'])
        assert.equal([/^port 32800$/m.test(alias.stdout), /Executing command/.test(alias.stderr)], [true, false])
        for (const words of [
          ['-p', '3280', 'nexus@localhost'],
          ['nexus@localhost'],
          ['-p', '32800', 'me@localhost'],
          ['-p', '32800', 'nexus@remote'],
        ]) {
          assert.is((await ask(...words)).proxyjump, 'bastion', words.join(' '))
        }
        await uninstall()
        assert.is(await text(), 'Host *\n  ProxyJump bastion\n  StrictHostKeyChecking no\n')
      },
      `o'brien é "x %h [a]*?\\b`.replace('"', '$#~'),
    ))

  test('two homes of one user, each by its own line; a configuration that looks every name up is no broken one', () =>
    openPlace(async ({ app, file, put, install, line, text }) => {
      await install()
      const other = { ...app, home: homePaths(join(app.home.home, 'other')) }
      assert.is((await inspectInclude(other, file)).state, 'absent')
      assert.is((await installInclude(other, { file, dryRun: false, consent: async () => {} })).changed, true)
      for (const one of [app, other]) assert.is((await inspectInclude(one, file)).state, 'installed')
      assert.ok((await text()).endsWith(`\n\n${line}\n`))
      await put(
        'CanonicalizeHostname always\nCanonicalDomains invalid\nCanonicalizeMaxDots 3\nCanonicalizeFallbackLocal no\n',
      )
      assert.is((await install()).changed, true)
    }))

  test(
    'links are followed, dangling ones too; mode and the other names are kept or told',
    () =>
      openPlace(async ({ file, put, install, uninstall, app }) => {
        const target = join(dirname(file), 'dotfiles', 'ssh')
        await symlink('dotfiles/link', file)
        await symlink('ssh', join(dirname(file), 'dotfiles', 'link')).catch(() => mkdir(dirname(target)))
        await symlink('ssh', join(dirname(target), 'link')).catch(() => {})
        assert.match((await install()).notes.join(), /leads to .*dotfiles\/ssh/)
        assert.match(await readFile(target, 'utf8'), /^Include/)
        await uninstall()
        assert.is(existsSync(target), false)
        assert.is((await lstat(file)).isSymbolicLink(), true)
        await put('Host a\n')
        await chmod(target, 0o640)
        await link(target, `${target}2`)
        assert.match((await install()).notes.join(), /has 2 names/)
        assert.is((await stat(target)).mode & 0o7777, 0o640)
        assert.is((await lstat(file)).isSymbolicLink(), true)
        await uninstall()
        assert.is(await readFile(target, 'utf8'), 'Host a\n')
        assert.equal((await readdir(dirname(target))).sort(), ['link', 'ssh', 'ssh2'], 'no copy is left')
        await rm(file)
        await symlink('config', file)
        await rejects(() => installInclude(app, { file, dryRun: false, consent: async () => {} }), 'CONFIG_INVALID')
      }),
    LIMIT_MS,
  )

  test(
    'what cannot be edited is refused with what is wrong, and stays as it is',
    () =>
      openPlace(async ({ file, put, text, install, app, line }) => {
        for (const [broken, said, hint] of [
          ['Host a\n  Portt 3\n', /line 2: Bad configuration option: portt/, /^When `ssh -G/],
          ['\xef\xbb\xbfHost a\n', /line 1: Bad configuration option/, /byte order mark.* When `ssh -G/],
          ['\x00\x01\x02binary\n\xffjunk', /line 2: /, /^When `ssh -G/],
        ] as const) {
          await put(broken)
          const error = await rejects(install, 'CONFIG_INVALID')
          assert.match(error.message, said)
          assert.match(error.hint ?? '', hint)
          assert.is(await text(), broken)
        }
        await put('Host a\n')
        await chmod(file, 0o444)
        const error = await rejects(install, 'PERMISSION_DENIED')
        assert.ok(error.hint?.includes(line) && /ssh -F/.test(error.hint), error.hint)
        await rm(file)
        await writeFile(file, '# a\n'.repeat(3_000_000))
        assert.match((await rejects(install, 'CONFIG_INVALID')).message, /11 MiB/)
        await rm(file)
        await mkdir(file)
        await rejects(install, 'CONFIG_INVALID')
        assert.equal(await readdir(dirname(file)), ['config'])
        assert.is(existsSync(app.home.sshConfig), false, 'nothing is made before all is well')
      }),
    LIMIT_MS,
  )

  test(
    'when ssh does not work with the line, it is taken back',
    () =>
      openPlace(async ({ put, text, install, app, file }) => {
        const folder = join(app.home.workspaces, 'ws-aaaaaaaa')
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, 'ssh_config'), 'Host a.nexus\n  Portt 3\n')
        await put('Host b\n')
        const error = await rejects(install, 'CONFIG_INVALID')
        assert.match(error.message, /ssh_config: line 2: Bad configuration option: portt.*taken out again/)
        assert.is(await text(), 'Host b\n')
        await rm(file)
        await rejects(install, 'CONFIG_INVALID')
        assert.is(existsSync(file), false)
      }),
    LIMIT_MS,
  )

  test('a configuration that takes for ever is told, with what may be the cause', () =>
    openPlace(async ({ app, file }) => {
      const run = () => Promise.reject(new NexusError('TIMEOUT', 'late'))
      const slow = { ...app, runner: { ...app.runner, run } }
      const install = () => installInclude(slow, { file, dryRun: false, consent: async () => {} })
      assert.match((await rejects(install, 'CONFIG_INVALID')).message, /not read within 10 s; .*`Match exec`/)
    }))

  test(
    'nothing is written without consent, nor by a dry run',
    () =>
      openPlace(async ({ put, text, app, file }) => {
        await put('Host a\n')
        const refuse = { file, consent: async () => Promise.reject(new Error('no')) }
        assert.is((await installInclude(app, { ...refuse, dryRun: true })).changed, true)
        let said = ''
        await installInclude(app, { ...refuse, dryRun: false }).catch((error) => {
          said = error.message
        })
        assert.is(said, 'no')
        assert.is(await text(), 'Host a\n')
        assert.is(existsSync(app.home.home), false)
      }),
    LIMIT_MS,
  )

  test(
    'several at once give one line',
    () =>
      openPlace(async ({ put, text, install, uninstall, line }) => {
        await put('Host a\n')
        const results = await Promise.all(Array.from({ length: 5 }, install))
        assert.is(results.filter(({ changed }) => changed).length, 1)
        assert.is(await text(), `${line}\n\nHost a\n`)
        await Promise.all(Array.from({ length: 5 }, uninstall))
        assert.is(await text(), 'Host a\n')
      }),
    LIMIT_MS,
  )

  test(
    'an Include in the wrong place, one by hand, and settings that clash are named with their lines',
    () =>
      openPlace(async ({ put, install, uninstall, line, app, file, text }) => {
        await put(`Host other\n  ${line}\n`)
        assert.is((await inspectInclude(app, file)).state, 'conditional')
        assert.match((await install()).notes.join(), /line 2 of .* only for the hosts of `Host other`/)
        assert.match((await uninstall()).notes.join(), /line 2 of .*stays/)
        assert.is(await text(), `Host other\n  ${line}\n`)

        const folder = join(app.home.workspaces, 'ws-aaaaaaaa')
        await mkdir(join(folder, 'ssh'), { recursive: true })
        await writeFile(join(folder, 'ssh', 'known_hosts'), '[localhost]:32800 ssh-ed25519 x\n')
        await writeFile(
          join(folder, 'ssh_config'),
          'Host demo.nexus demo.app.nexus\n  HostName 127.0.0.1\n  Port 32800\n  User nexus\n  ControlPath /run/ws.%r.mux\n',
        )
        const hand = `StrictHostKeyChecking no\ninclude "${app.home.home}/*/config"\nHost *\n  ProxyJump bastion\nHost demo.nexus\n  Port 99\nHost *\n  ControlMaster auto\n  ControlPath ~/m-%h\n`
        await put(hand)
        const { changed, notes } = await install()
        assert.is(changed, false)
        assert.is(await text(), hand)
        assert.match(notes.join('\n'), /for demo.nexus, stricthostkeychecking is `false` where .* line 1 of/)
        assert.match(notes.join('\n'), /for demo.nexus, proxyjump is `bastion` .* line 4 of .*`Host \*`/)
        assert.match(notes.join('\n'), /line 5 of .*`Host demo.nexus`, speaks of Nexus's names/)
        assert.not.match(notes.join('\n'), /port is/)
        assert.is((await inspectInclude(app, file)).clashes.length, 2)
        await put(`ControlPath ~/m-%h\n${hand}  PreferredAuthentications password\n  PubkeyAcceptedKeyTypes ssh-rsa\n`)
        const keys = (await inspectInclude(app, file)).clashes.map(({ key, line }) => `${key} ${line}`)
        assert.equal(keys.slice(2), ['preferredauthentications 11', 'pubkeyacceptedalgorithms 12', 'controlpath 1'])
        await put(hand)
        const [first] = describeInclude(await inspectInclude(app, file))
        assert.equal([first?.status, /`ssh -G demo.nexus`$/.test(first?.hint ?? '')], ['warning', true])
      }),
    LIMIT_MS,
  )

  test(
    'the common known_hosts has every workspace, however many start and go at once',
    () =>
      openPlace(async ({ app: { home } }) => {
        const ids = Array.from({ length: 8 }, newWorkspaceId)
        const keyOf = (id: string, port = 1) =>
          `# made for ${id}\nnexus-${id} ssh-ed25519 ${id}\n[localhost]:${port} ssh-ed25519 ${id}\n`
        const put = async (id: WorkspaceId, port?: number) => {
          await mkdir(dirname(workspacePaths(home, id).knownHosts), { recursive: true })
          await writeFile(workspacePaths(home, id).knownHosts, keyOf(id, port))
          await updateKnownHosts(home, id, keyOf(id, port))
        }
        const seen = async () => (await readFile(home.knownHosts, 'utf8')).match(/^nexus-ws-\w+/gm)?.length
        await Promise.all(ids.map((id) => put(id)))
        assert.is(await seen(), 8)
        const [first = newWorkspaceId(), second = newWorkspaceId()] = ids
        const { ino } = await stat(home.knownHosts)
        await put(second)
        assert.is((await stat(home.knownHosts)).ino, ino, 'nothing is written when nothing changed')
        await Promise.all([updateKnownHosts(home, first, undefined), put(second, 7)])
        await updateKnownHosts(home, first, undefined)
        const text = await readFile(home.knownHosts, 'utf8')
        assert.equal(
          [await seen(), text.includes(first), text.includes(`[localhost]:7 ssh-ed25519 ${second}`)],
          [7, false, true],
        )
        await rm(home.knownHosts)
        assert.is(await knowsHostKeys(home, second), false)
        await writeKnownHosts(home)
        assert.is(await knowsHostKeys(home, second), true)
      }),
    LIMIT_MS,
  )

  test(
    'doctor tells how the include stands, and changes nothing',
    () =>
      openPlace(async ({ put, install, line, app, file, text }) => {
        const look = async (before: string) => {
          await put(before)
          const said = describeInclude(await inspectInclude(app, file))
          assert.is(await text(), before)
          assert.is(said.length, 1)
          return `${said[0]?.status}: ${said[0]?.message} ${said[0]?.hint ?? ''}`
        }
        assert.match(await look('Host a\n'), /^ok: the include is not installed; `nexus ssh-config install`/)
        await install()
        assert.match(await look(`${line}\n\nHost b\n`), /^ok: the include is installed in /)
        assert.match(await look(`Host b\n${line}\n`), /^warning: Line 2 of .*`Host b`.*`nexus ssh-config install`$/)
        assert.match(await look('Host b\n  Portt\n'), /^error: ssh refuses .*line 2: .*`ssh -G localhost`$/)
        // ssh does not look at HOME, so neither does the check
        assert.match(
          describeInclude(await inspectInclude(app))[0]?.message ?? '',
          /^HOME is .* which ssh does not read/,
        )
      }),
    LIMIT_MS,
  )

  test('a server has a path of its own for shared connections, as long as a socket has room there', () => {
    const values = (folder: string) => {
      const home = homePaths(folder)
      return [aliasControlPath(home, 'ws-aaaaaaaa' as WorkspaceId), rawControlPath(home)]
    }
    assert.equal(values('/h/100%'), ['/h/100%%/run/ws-aaaaaaaa.%r.mux', '/h/100%%/run/localhost-%p.mux'])
    assert.is(values(`/${'x'.repeat(61)}`).includes('none'), false)
    assert.equal(values(`/${'x'.repeat(64)}`), ['none', 'none'])
  })
})
