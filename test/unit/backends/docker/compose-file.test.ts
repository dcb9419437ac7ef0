/**
 * What is generated for a workspace, byte by byte: the compose file and sshd_config of the records in test/golden/compose.
 * UPDATE_GOLDEN=1 (as the first words of the command, before `node scripts/test.mjs`) writes the expected files again.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import type { BackendContext } from '../../../../lib/backends/context.ts'
import { renderComposeFiles } from '../../../../lib/backends/docker/compose-file.ts'
import { wholeLabels } from '../../../../lib/backends/docker/labels.ts'
import { createInterruption } from '../../../../lib/core/interruption.ts'
import { homePaths, workspacePaths } from '../../../../lib/core/paths.ts'
import type { WorkspaceRecord } from '../../../../lib/core/workspace.ts'
import { createSshFiles } from '../../../../lib/ssh/server/files.ts'
import { createRunner } from '../../../../lib/system/runner.ts'
import { CONTAINERS } from '../../../support/app.ts'
import { assert, suite } from '../../../support/suite.ts'
import { tempDir } from '../../../support/temp.ts'

const FOLDER = join(process.cwd(), 'test', 'golden', 'compose')
const UPDATE = process.env.UPDATE_GOLDEN === '1'
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGoldenGoldenGoldenGoldenGoldenGoldenGoldenGoldenGG golden'

interface Given {
  readonly instance: string
  readonly home: string
  readonly addresses: readonly string[]
  readonly alternates: readonly string[]
  readonly record: WorkspaceRecord
}

const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length))
  .sort()

const given = (name: string) => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Given

function compose({ home, record, ...facts }: Given): string {
  const gateImage = 'nexus-gate-00112233:0123456789abcdef'
  return renderComposeFiles({ ...facts, record, gateImage, paths: workspacePaths(homePaths(home), record.id) }).compose
}

/** The files of ssh, made in a home of their own whose path is then replaced by the example's. */
async function sshFiles({ home: shown, instance, record }: Given): Promise<Readonly<Record<string, string>>> {
  await using dir = await tempDir()
  const home = homePaths(dir.path)
  const emit = () => {}
  const interruption = createInterruption()
  const env = { HOME: join(dir.path, 'nobody'), PATH: process.env.PATH }
  const context: BackendContext = {
    runner: createRunner(emit, env, interruption),
    home,
    instance,
    env,
    emit,
    interruption,
  }
  const paths = workspacePaths(home, record.id)
  for (const file of [`${paths.hostKey}.pub`, `${home.sshKey}.pub`]) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${KEY}\n`)
  }
  const injection = { enabled: true, includeAgentKeys: false, sources: [] }
  await createSshFiles(context).writeFiles(record, injection)
  const read = async (path: string) => (await readFile(path, 'utf8')).replaceAll(dir.path, shown)
  return {
    sshd_config: await read(paths.sshdConfig),
    authorized_keys: await read(paths.authorizedKeys),
    known_hosts: await read(paths.knownHosts),
    ssh_config: await read(paths.sshConfig),
    gitconfig: await read(join(paths.sshDir, 'gitconfig')),
  }
}

async function expectText(file: string, actual: string): Promise<void> {
  const path = join(FOLDER, file)
  if (UPDATE) await writeFile(path, actual)
  assert.fixture(actual, await readFile(path, 'utf8'), `${file} differs; see it with UPDATE_GOLDEN=1 and git diff`)
}

suite('docker-compose.yml', (test) => {
  for (const name of NAMES) {
    test(`${name}: text and data are as expected`, async () => {
      const text = compose(given(name))
      await expectText(`${name}.docker-compose.yml`, text)
      const expected = await readFile(join(FOLDER, `${name}.docker-compose.yml`), 'utf8')
      assert.equal(parse(text), parse(expected))
    })

    test(`${name}: everything carries the labels of the workspace`, () => {
      const facts = given(name)
      const model = parse(compose(facts))
      const dollars = (text: string) => text.replaceAll('$', '$$$$')
      const labels = {
        'dev.nexus.workspace': facts.record.id,
        'dev.nexus.name': facts.record.name,
        'dev.nexus.repo': dollars(facts.record.repo),
        'dev.nexus.instance': facts.instance,
      }
      const [services, others] = [
        Object.values(model.services),
        [...Object.values(model.networks), ...Object.values(model.volumes ?? {})],
      ]
      assert.ok(services.length >= 1 && others.length >= 1)
      for (const part of others) assert.equal((part as { labels: unknown }).labels, labels)
      // what a container's image says of itself must not count
      for (const part of services) assert.equal((part as { labels: unknown }).labels, wholeLabels(labels))
    })

    test(`${name}: publishes on loopback alone and grants nothing`, () => {
      const facts = given(name)
      const { services } = parse(compose(facts))
      const service = services.workspace
      const published = (Object.values(services) as { ports: { host_ip: string }[] }[]).flatMap(({ ports }) => ports)
      assert.ok(published.length >= facts.record.ports.length)
      for (const { host_ip } of published) assert.ok(['127.0.0.1', '::1'].includes(host_ip), host_ip)
      for (const key of ['privileged', 'cap_add', 'devices', 'pid', 'ipc', 'network_mode', 'userns_mode']) {
        assert.not(key in service, key)
      }
      assert.not(JSON.stringify(service.volumes).includes('docker.sock'))
      const dropped = facts.record.isolation === 'agent' ? ['ALL'] : ['NET_RAW', 'MKNOD', 'SETFCAP']
      assert.equal(service.cap_drop, dropped)
    })
  }

  test('the header says who wrote it and how to change it', () => {
    const [first = '', second = ''] = compose(given('minimal')).split('\n')
    assert.match(first, /^# Generated by Nexus .*workspace\.json/)
    assert.match(second, /^# .*to change/)
  })

  test('a variable of the user cannot become a key', () => {
    const service = parse(compose(given('hostile'))).services.workspace
    assert.is(service.environment.B, 'x"\n    privileged: true')
    assert.is(service.environment.A, '$$HOME')
  })

  for (const [what, change] of [
    ['worktree and git dir', { local: null }],
    ['containers', { docker: undefined }],
    ['image', { docker: CONTAINERS }],
    ['lease', { ports: [{ name: 'ssh', container: 22, protocol: 'tcp', host: null }] }],
  ] as const) {
    test(`a record without ${what} is refused`, () => {
      const facts = given('minimal')
      assert.throws(() => compose({ ...facts, record: { ...facts.record, ...change } as WorkspaceRecord }))
    })
  }
})

suite('the files of ssh', (test) => {
  for (const name of NAMES) {
    test(`${name}: are as expected`, async () => {
      const files = await sshFiles(given(name))
      for (const [file, text] of Object.entries(files)) {
        assert.match(text.split('\n')[0] ?? '', /^# Generated by Nexus/)
        await expectText(`${name}.${file}`, text)
      }
    })
  }

  test('root logs in only where the repository is root’s', async () => {
    assert.match((await sshFiles(given('policy'))).sshd_config ?? '', /^PermitRootLogin prohibit-password$/m)
    assert.match((await sshFiles(given('minimal'))).sshd_config ?? '', /^PermitRootLogin no$/m)
  })

  test('agent forwarding follows the record on both sides', async () => {
    const off = await sshFiles(given('policy'))
    assert.match(off.sshd_config ?? '', /^AllowAgentForwarding no$/m)
    assert.match(off.ssh_config ?? '', /^ {2}ForwardAgent no$/m)
    const on = await sshFiles(given('minimal'))
    assert.match(on.sshd_config ?? '', /^AllowAgentForwarding yes$/m)
  })

  test('nobody gets in without a key', async () => {
    const text = (await sshFiles(given('minimal'))).sshd_config ?? ''
    for (const line of ['PasswordAuthentication no', 'AuthenticationMethods publickey', 'AllowUsers nexus']) {
      assert.ok(text.split('\n').includes(line), line)
    }
  })
})
