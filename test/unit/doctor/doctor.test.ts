/**
 * `doctor` by its faults: each test makes one, sees it named with what, why and a command, and, where `--fix` is promised, sees
 * it gone. The machine's answers are given; state, git and the mock backend are real.
 */
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { DoctorFinding } from '../../../lib/core/finding.ts'
import { workspacePaths } from '../../../lib/core/paths.ts'
import { examine, runChecks } from '../../../lib/doctor/doctor.ts'
import { acceptGitConfig } from '../../../lib/doctor/git-config.ts'
import type { Machine } from '../../../lib/doctor/scan.ts'
import { ownIdentity } from '../../../lib/system/process.ts'
import { temporaryName } from '../../../lib/system/temporary.ts'
import type { App } from '../../../lib/workspace/app.ts'
import { noteRunningParts } from '../../../lib/workspace/git/git-snapshot.ts'
import { leasesOf } from '../../../lib/workspace/port-plan.ts'
import { type AppWorld, appWorld, CONTAINERS, localIn } from '../../support/app.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const FILES: Readonly<Record<string, string>> = {
  '/proc/sys/net/ipv4/ip_local_port_range': '50000\t60999\n',
  '/proc/sys/net/ipv4/ip_local_reserved_ports': '\n',
  '/proc/sys/fs/inotify/max_user_watches': '524288\n',
  '/proc/sys/fs/inotify/max_user_instances': '512\n',
}

function machine(more: Partial<Machine> & { readonly files?: Readonly<Record<string, string>> } = {}): Machine {
  const { files = {}, ...others } = more
  return {
    read: (path) => ({ ...FILES, ...files })[path],
    resolve: async () => ['127.0.0.1', '::1'],
    free: async () => 100e9,
    now: () => new Date('2026-11-26T12:00:00Z'),
    ...others,
  }
}

async function look(world: AppWorld, fix = false, on: Machine = machine()) {
  return examine(withTools(world.app), { fix, machine: on })
}

/** The tools as they are when nothing is wrong with them: asking the real ones in every look would take most of the time. */
function withTools(app: App): App {
  const answers: Readonly<Record<string, string>> = { 'git --version': 'git version 2.39.5', 'ssh -V': 'OpenSSH_9.2p1' }
  const run: App['runner']['run'] = async (argv, options) => {
    const words = argv.join(' ')
    if (/^(git --version|ssh -V|ssh-keygen -\?|\/bin\/bash --version)$/.test(words)) {
      return { stdout: answers[words] ?? '', stderr: '', code: 0 }
    }
    return app.runner.run(argv, options)
  }
  return { ...app, runner: { ...app.runner, run } }
}

/** The only finding that is not `ok`, complete. */
async function only(world: AppWorld, check: string, on: Machine = machine()): Promise<DoctorFinding> {
  const { findings } = await look(world, false, on)
  const wrong = findings.filter(({ status }) => status !== 'ok')
  assert.equal(
    wrong.map((one) => one.check),
    [check],
    JSON.stringify(wrong, null, 1),
  )
  const [finding] = wrong
  if (finding === undefined) throw new Error('counted above')
  assert.match(finding.message, /^[^\n]+\.$/)
  assert.match(finding.why ?? '', /^[^\n]+\.$/)
  assert.match(finding.hint ?? '', /`[^`]+`/, `no command in: ${finding.hint}`)
  return finding
}

/** Sees the fault, has it fixed, and sees it gone; returns the finding. */
async function fixed(world: AppWorld, check: string, on: Machine = machine()): Promise<DoctorFinding> {
  const finding = await only(world, check, on)
  assert.is(finding.fixable, true)
  const { findings, fixed: done } = await look(world, true, on)
  assert.equal(
    findings.filter(({ status }) => status !== 'ok'),
    [],
    world.warnings.join('\n'),
  )
  assert.equal(done, [finding])
  return finding
}

suite('doctor', (test) => {
  test('says of every check that all is well, and changes nothing', async () => {
    await using world = await appWorld()
    await world.record('demo')
    await world.app.backend('mock')
    const { findings, healthy, fixed: done } = await look(world)
    assert.equal(
      findings.filter(({ status }) => status !== 'ok'),
      [],
    )
    assert.is(healthy, true)
    assert.equal(done, [])
    assert.is(new Set(findings.map(({ check }) => check)).size, findings.length)
    for (const { why, hint, fixable } of findings) assert.equal([why, hint, fixable], [null, null, false])
  })

  test('a check that throws or hangs takes no other along', async () => {
    const told = await runChecks(
      [
        { name: 'hangs', run: () => new Promise(() => {}) },
        { name: 'throws', run: async () => Promise.reject(new Error('out of luck')) },
        { name: 'works', run: async () => [{ status: 'ok', message: 'fine' }] },
      ],
      20,
    )
    assert.equal(
      told.map(({ finding: { check, status, message } }) => `${check} ${status} ${message}`),
      [
        'hangs warning The check hangs did not end within 0.02 s.',
        'throws warning The check throws failed: out of luck.',
        'works ok fine',
      ],
    )
  })

  test('tools: one that is missing, one that is too old', async () => {
    await using dir = await tempDir()
    const wrong = async (world: AppWorld) => {
      const { findings, healthy } = await examine(world.app, { fix: false, machine: machine() })
      assert.is(healthy, false)
      return findings.filter(({ status }) => status !== 'ok').map(({ check, message }) => `${check}: ${message}`)
    }
    for (const tool of ['ssh', 'ssh-keygen']) await symlink(`/usr/bin/${tool}`, join(dir.path, tool))
    await using world = await appWorld({ PATH: dir.path })
    assert.equal(await wrong(world), ['tools: The program git is missing.'])
    await writeFile(join(dir.path, 'git'), '#!/bin/bash\necho git version 2.17.1\n', { mode: 0o755 })
    assert.equal(await wrong(world), ['tools: git is 2.17.1; Nexus needs 2.31 or newer.'])
  })

  test('configuration: a file that cannot be used', async () => {
    await using world = await appWorld()
    await mkdir(world.app.home.home, { mode: 0o700 })
    await writeFile(world.app.home.config, 'defaults: {backendd: mock}\n')
    const { findings } = await look(world)
    const finding = findings.find(({ check }) => check === 'configuration')
    assert.is(finding?.status, 'error')
    assert.match(finding?.message ?? '', /backendd/)
  })

  test('home: a folder and a key that others can read are closed', async () => {
    await using world = await appWorld()
    const { id } = await world.record('demo')
    await chmod(world.app.home.home, 0o755)
    assert.match((await fixed(world, 'home')).message, /\.nexus can be read by others \(mode 755\)\./)
    const { hostKey, sshDir } = workspacePaths(world.app.home, id)
    await mkdir(sshDir)
    await writeFile(hostKey, 'secret', { mode: 0o644 })
    assert.match((await fixed(world, 'home')).message, /ssh_host_ed25519_key can be read by others/)
    if (process.getuid?.() !== 0) return
    // root's server inside reads it as its own user, and nobody else may have it
    await world.record('caged', { id, docker: { ...CONTAINERS, uid: 65532 } })
    await chown(hostKey, 65532, 65532)
    const { findings } = await look(world)
    assert.equal(
      findings.filter(({ check }) => check === 'home').map(({ status }) => status),
      ['ok'],
    )
    await chown(hostKey, 4711, 4711)
    assert.match((await only(world, 'home')).message, /ssh_host_ed25519_key belongs to user 4711/)
  })

  test('state-files: what a killed writer left is removed; that of a living one stays', async () => {
    await using world = await appWorld()
    await world.record('demo')
    const { cache } = world.app.home // the next write into a folder would sweep it
    await mkdir(cache, { recursive: true })
    const living = temporaryName(join(cache, 'image.tar'))
    const dead = living.replace(`-${process.pid}-`, '-4194999-')
    await writeFile(living, '{')
    await writeFile(dead, '{')
    assert.match((await fixed(world, 'state-files')).message, /image\.tar\.nexus-4194999-\d+\.tmp\.$/)
    assert.equal([existsSync(living), existsSync(dead)], [true, false])
  })

  test('state-files: a damaged lease file is built again, and its copy goes', async () => {
    await using world = await appWorld()
    const ssh = { name: 'ssh', container: 22, host: 34_120, protocol: 'tcp' } as const
    await world.record('demo', { ports: [ssh] })
    await mkdir(join(world.app.home.home, 'state'), { recursive: true })
    await writeFile(world.app.home.leases, '{"schema": 1, "lea')
    const { findings } = await look(world)
    const wrong = findings.filter(({ status }) => status !== 'ok')
    assert.match(wrong.find(({ check }) => check === 'state-files')?.message ?? '', /ports\.json is damaged\.$/)
    assert.is(await readFile(world.app.home.leases, 'utf8'), '{"schema": 1, "lea', 'a look must change nothing')
    await look(world, true)
    assert.match((await fixed(world, 'state-files')).message, /was damaged and set aside; ports\.json was built again/)
    assert.match(await readFile(world.app.home.leases, 'utf8'), /34120/)
  })

  test('state-files: a damaged record is named before and after it is set aside, and nothing of it is given up', async () => {
    await using world = await appWorld()
    const { id } = await world.record('demo')
    await world.app.backend('mock')
    const { record } = workspacePaths(world.app.home, id)
    for (const text of [JSON.stringify({ ...JSON.parse(await readFile(record, 'utf8')), ports: 7 }), '']) {
      await writeFile(record, text)
      assert.match((await only(world, 'state-files')).message, /workspace\.json is damaged\.$/)
    }
    assert.ok(existsSync(record))
    await world.app.records.list()
    const finding = await only(world, 'state-files')
    assert.match(finding.message, new RegExp(`^The record of ${id} was damaged and set aside`))
    assert.is(finding.fixable, false)
    assert.equal((await look(world, true)).fixed, [])
  })

  test('locks: one that nobody holds is released, one in use is not named', async () => {
    await using world = await appWorld()
    await world.record('demo')
    const [stale, fresh] = ['stale', 'fresh'].map((name) => join(world.app.home.locks, `${name}.lock`)) as [
      string,
      string,
    ]
    for (const path of [stale, fresh]) await mkdir(path, { recursive: true })
    const before = new Date(Date.now() - 60_000)
    await utimes(stale, before, before)
    assert.match((await fixed(world, 'locks')).message, /stale\.lock is held by nobody\.$/)
    assert.equal([existsSync(stale), existsSync(fresh)], [false, true])
  })

  test('operations: what was cut short is finished; what somebody works on is not named', async () => {
    await using world = await appWorld()
    const { bootId } = ownIdentity()
    const dead = { pid: 4_194_999, pidStart: '1', bootId }
    const cut = { kind: 'start', done: [], step: 'start', startedAt: '2026-11-26T11:00:00Z', ...dead } as const
    const { id } = await world.record('demo', { desired: 'running', operation: cut })
    await world.record('other', { operation: { ...cut, ...ownIdentity() } })
    assert.match((await fixed(world, 'operations')).message, /^Workspace demo: start since .* was cut short\.$/)
    assert.is((await world.app.records.load(id))?.operation, null)
    assert.is((await (await world.app.backend('mock')).lifecycle.observe()).get(id)?.state, 'running')
  })

  test('folders: one without a record is removed, unless work may lie in it', async () => {
    await using world = await appWorld()
    await world.record('demo')
    const bare = join(world.app.home.workspaces, 'ws-aaaaaaaa')
    const before = new Date(Date.now() - 120_000)
    await mkdir(join(bare, 'ssh'), { recursive: true })
    assert.ok(
      (await look(world)).findings.every(({ status }) => status === 'ok'),
      'a create may have made it a moment ago',
    )
    await utimes(bare, before, before)
    assert.match((await fixed(world, 'folders')).message, /ws-aaaaaaaa has no record\.$/)
    assert.not.ok(existsSync(bare))
    await mkdir(join(bare, 'git'), { recursive: true })
    await utimes(bare, before, before)
    assert.is((await only(world, 'folders')).fixable, false)
    await look(world, true)
    assert.ok(existsSync(join(bare, 'git')))
  })

  test('leases: one without a workspace is given back, a lost one is leased again, a doubled one is named', async () => {
    await using world = await appWorld()
    const leases = await world.app.leases()
    const range = { start: 20_300, end: 20_399 }
    await leases.acquire({ workspace: 'ws-aaaaaaaa' as never, name: 'gone', repo: '/r', range, offsets: [0] })
    const orphan = await fixed(world, 'leases')
    assert.match(orphan.message, /is leased to ws-aaaaaaaa \(gone\), which is gone\.$/)
    assert.equal(await leases.list(), [])

    const ssh = { name: 'ssh', container: 22, host: 20_300, protocol: 'tcp' } as const
    const { id } = await world.record('demo', { ports: [ssh] })
    assert.match((await fixed(world, 'leases')).message, /^demo \(ws-.{8}\) uses 20300-20309 without a lease\.$/)
    assert.equal(
      (await leases.list()).map(({ base, workspace }) => [base, workspace]),
      [[20_300, id]],
    )

    await world.record('twin', { ports: [ssh] })
    const doubled = await only(world, 'leases')
    assert.match(doubled.message, /^twin \(ws-.{8}\) uses 20300-20309, which is leased to demo \(ws-.{8}\)\.$/)
    assert.equal([doubled.status, doubled.fixable], ['error', false])
  })

  test('workspaces: one whose parts are gone though it should run', async () => {
    await using world = await appWorld()
    await world.record('demo', { desired: 'running' })
    assert.is((await only(world, 'workspaces')).message, 'Workspace demo: it has no containers.')
  })

  test('ports: one of a stopped workspace that somebody has taken is named with its owner', async () => {
    await using world = await appWorld()
    const server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    try {
      const record = await world.record('demo', {
        ports: [{ name: 'web', container: 3000, host: port, protocol: 'tcp', offset: 0 }],
      })
      await (await world.app.leases()).restore(leasesOf(record))
      const { message } = await only(world, 'ports')
      assert.match(message, new RegExp(`^Port ${port} \\(web of demo\\) is taken by .+\\.$`))
    } finally {
      await new Promise((done) => server.close(done))
    }
  })

  test('subnets: the same', async () => {
    await using world = await appWorld()
    const subnets = await world.app.subnets()
    await subnets.acquire({
      workspace: 'ws-aaaaaaaa' as never,
      name: 'gone',
      repo: '/r',
      range: '10.251.0.0/16',
      count: 1,
    })
    assert.match((await fixed(world, 'subnets')).message, /^10\.251\.\d+\.\d+\/26 is leased to ws-aaaaaaaa/)
    await world.record('demo', { subnets: ['10.251.3.0/26'] })
    assert.match((await fixed(world, 'subnets')).message, /uses 10\.251\.3\.0\/26 without a lease/)
    assert.is((await subnets.list()).length, 1)
  })

  test('worktrees: gone, on another branch, without repository, without workspace', async () => {
    await using world = await appWorld()
    const { path, git } = world.repo
    const worktree = join(path, '.worktree', 'demo')
    await mkdir(join(path, '.worktree'), { mode: 0o700 })
    await git('worktree', 'add', '--quiet', '-b', 'nexus/demo', worktree)
    const stray = await only(world, 'worktrees')
    assert.match(stray.message, /\.worktree\/demo is a worktree of Nexus's making without a workspace/)
    assert.is(stray.fixable, false)

    const record = await world.record('demo', { local: localIn(path, worktree) })
    assert.equal(
      (await look(world)).findings.filter(({ status }) => status !== 'ok'),
      [],
    )
    await git('-C', worktree, 'switch', '--quiet', '-c', 'other')
    assert.match(
      (await only(world, 'worktrees')).message,
      /^Workspace demo: its worktree is on branch other, not on nexus\/demo\.$/,
    )
    await git('-C', worktree, 'switch', '--quiet', 'nexus/demo')
    await rm(join(worktree, '.git'))
    assert.match((await fixed(world, 'worktrees')).message, /git knows nothing of the worktree \S+ any more\.$/)
    await git('-C', worktree, 'status')
    await rm(worktree, { recursive: true })
    assert.match(
      (await only(world, 'worktrees')).message,
      /^Workspace demo: the worktree \S+\/\.worktree\/demo is missing\.$/,
    )
    await world.app.records.save({ ...record, repo: '/nowhere', local: localIn('/nowhere', '/nowhere/w') })
    await git('worktree', 'prune')
    assert.match((await only(world, 'worktrees')).message, /^Workspace demo: the repository \/nowhere is gone\.$/)
  })

  test('git-config: what git runs and changed meanwhile is named until it is accepted or undone', async () => {
    await using world = await appWorld()
    const { path, git } = world.repo
    const gitDir = join(path, '.git')
    await git('config', 'core.pager', 'less')
    const worktree = join(path, '.worktree', 'demo')
    await mkdir(join(path, '.worktree'), { mode: 0o700 })
    await git('worktree', 'add', '--quiet', '-b', 'nexus/demo', worktree)
    const record = await world.record('demo', { local: localIn(path, worktree) })
    await noteRunningParts(world.app, record)
    await git('config', 'user.name', 'Somebody')
    await git('config', 'alias.st', 'status')
    assert.equal(
      (await look(world)).findings.filter(({ status }) => status !== 'ok'),
      [],
      'what runs nothing is not named',
    )

    await git('config', 'core.fsmonitor', '/tmp/evil')
    const set = await only(world, 'git-config')
    assert.is(set.message, `core.fsmonitor of ${path} is "/tmp/evil"; when workspace demo was made it was not set.`)
    assert.equal([set.fixable, (await look(world, true)).fixed], [false, []])
    await git('config', '--unset', 'core.fsmonitor')
    await git('config', 'core.pager', 'sh -c evil')
    assert.match((await only(world, 'git-config')).message, /core\.pager .* is "sh -c evil"; .* it was "less"\.$/)
    await git('config', 'core.pager', 'less')
    await mkdir(join(gitDir, 'hooks'), { recursive: true })
    await writeFile(join(gitDir, 'hooks', 'post-checkout'), '#!/bin/sh\n', { mode: 0o755 })
    assert.match((await only(world, 'git-config')).message, /^hooks\/post-checkout of .* it was not set\.$/)
    await rm(join(gitDir, 'hooks', 'post-checkout'))
    const evil = 'x;touch $(pwd)\u001b[31m\u202e'
    await writeFile(join(gitDir, 'hooks', evil), '')
    const named = await only(world, 'git-config')
    assert.not.match(named.message, /[\p{Cc}\u202e]/u)
    assert.not.match(named.hint ?? '', /touch/, 'a name from inside must not stand in a command')
    await git('config', 'filter.$(id).clean', 'cat')
    await rm(join(gitDir, 'hooks', evil))
    assert.match((await only(world, 'git-config')).hint ?? '', /--unset-all 'filter\.\$\(id\)\.clean'`$/)
    await acceptGitConfig(world.app)
    assert.equal(
      (await look(world)).findings.filter(({ status }) => status !== 'ok'),
      [],
    )
  })

  test('leftovers: a part whose workspace is gone is removed and looked for again; that of a damaged record is kept', async () => {
    await using world = await appWorld()
    const kept = await world.record('kept')
    const gone = await world.record('gone')
    const backend = await world.app.backend('mock')
    for (const record of [kept, gone]) {
      await backend.lifecycle.configure(record, { enabled: false, includeAgentKeys: false, sources: [] })
      await backend.lifecycle.start(record, undefined)
    }
    await world.app.records.remove(gone.id)
    assert.match((await fixed(world, 'leftovers')).message, new RegExp(`^Left over, as workspace ${gone.id} is gone`))
    assert.equal([...(await backend.lifecycle.observe()).keys()], [kept.id])
    await writeFile(workspacePaths(world.app.home, kept.id).record, 'torn')
    await look(world, true)
    assert.equal([...(await backend.lifecycle.observe()).keys()], [kept.id])
  })

  test('ssh: files of the user that others can write are named and left alone', async () => {
    await using world = await appWorld()
    const config = join(world.folder, '.ssh', 'config')
    await mkdir(join(world.folder, '.ssh'), { mode: 0o700 })
    await writeFile(config, 'Host *\n')
    await chmod(config, 0o666)
    const finding = await only(world, 'ssh')
    assert.match(finding.message, /\.ssh\/config can be written by others\.$/)
    assert.is(finding.fixable, false)
  })

  test('ssh-agent: one that is gone is named', async () => {
    await using world = await appWorld()
    world.app.env.SSH_AUTH_SOCK = join(world.folder, 'gone')
    assert.match((await only(world, 'ssh-agent')).message, /^Nobody listens at the socket of the ssh agent\.$/)
  })
})

suite('doctor on the machine', (test) => {
  const cases: readonly (readonly [string, string, Machine, RegExp])[] = [
    [
      'port-range: the ports lie in the range of outgoing connections',
      'port-range',
      machine({ files: { '/proc/sys/net/ipv4/ip_local_port_range': '32768 60999' } }),
      /net\.ipv4\.ip_local_reserved_ports = 32800-34999 /,
    ],
    [
      'port-range: what is reserved already is kept',
      'port-range',
      machine({
        files: {
          '/proc/sys/net/ipv4/ip_local_port_range': '32768 60999',
          '/proc/sys/net/ipv4/ip_local_reserved_ports': '35000,40000-40010',
        },
      }),
      /ip_local_reserved_ports = 35000,40000-40010,32800-34999 /,
    ],
    ['names: localhost is elsewhere', 'names', machine({ resolve: async () => ['10.0.0.1'] }), /\/etc\/hosts/],
    ['names: localhost is nowhere', 'names', machine({ resolve: async () => [] }), /\/etc\/hosts/],
    ['disk: little is left', 'disk', machine({ free: async () => 2e9 }), /`nexus gc --dry-run`/],
    ['disk: nothing is left', 'disk', machine({ free: async () => 1e6 }), /`nexus gc --dry-run`/],
    [
      'inotify: few watches',
      'inotify',
      machine({ files: { '/proc/sys/fs/inotify/max_user_watches': '8192' } }),
      /max_user_watches=524288/,
    ],
    [
      'inotify: few watchers',
      'inotify',
      machine({ files: { '/proc/sys/fs/inotify/max_user_instances': '64' } }),
      /max_user_instances=512/,
    ],
    ['clock: it was set back', 'clock', machine({ now: () => new Date('2020-01-01T00:00:00Z') }), /set-ntp/],
  ]
  test('what it lacks is named with the command that gives it, and never set', async () => {
    await using world = await appWorld()
    await world.record('demo')
    for (const [title, check, on, hint] of cases) {
      const finding = await only(world, check, on)
      assert.match(finding.hint ?? '', hint, title)
      assert.is(finding.fixable, false, title)
    }
    const files = {
      '/proc/sys/net/ipv4/ip_local_port_range': '32768 60999',
      '/proc/sys/net/ipv4/ip_local_reserved_ports': '80,32800-34999',
    }
    const { findings } = await look(world, false, machine({ files }))
    assert.equal(
      findings.filter(({ status }) => status !== 'ok'),
      [],
      'reserved ports are fine',
    )
  })
})
