/**
 * Attacks on the network of a guarded workspace, and mounts over what Nexus has inside. Each succeeded at commit 5953773, where each
 * test of this file fails. All listeners and servers are the test's own, on this machine.
 *
 * | Finding | What the attack did | Where the fault was | Since |
 * |---|---|---|---|
 * | B7 | sysctls switched IPv6 on; services of this machine on `[::]` answered at its link-local address | `net.*` of `sysctls` in lib/trust/service-rules.ts; lib/network/gate.ts passed them on | f46c1f1, 6e2dc27 |
 * | B7 | a container that joined another one's network switched it on there | the same | 6e2dc27 |
 * | B7 | what the engine made of the file was looked at by nobody | lib/backends/docker/starting.ts | 6e2dc27 |
 * | section 2 | `*.wild.example` let `wild.example` through | `expandAllowed` in lib/network/network.ts | 6e2dc27 |
 * | section 2 | a service called itself `nexus-gate` and got the workspace's requests | `requireGuardable` in lib/network/gate.ts | 6e2dc27 |
 * | section 2 | a cache or a mount lay over the keys of the SSH server; nobody got in | lib/stack/caches.ts; nothing looked at mounts | 66faf1f |
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import type { RefusedRequest } from '../../lib/network/network.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene, shareScene } from './scene.ts'

const IMAGE = 'debian:bookworm-slim'
const OPEN = ['all', 'default'].map((one) => `net.ipv6.conf.${one}.disable_ipv6`)

const sleeper = (more: object) => ({ image: IMAGE, command: 'sleep infinity', init: true, ...more })
const SERVICES = {
  map: sleeper({ sysctls: { ...Object.fromEntries(OPEN.map((name) => [name, '0'])), 'net.core.somaxconn': '777' } }),
  list: sleeper({
    sysctls: [...OPEN, 'net.ipv6.conf.eth0.disable_ipv6'].map((name) => `${name}=0`),
    networks: { default: null, back: { link_local_ips: ['fe80::77', '169.254.7.7'] } },
  }),
  joined: sleeper({ networks: ['back'] }),
  joiner: sleeper({ network_mode: 'service:joined', sysctls: { [OPEN[0] ?? '']: 0 } }),
}
const NETWORKS = { back: { enable_ipv6: true, ipam: { config: [{ subnet: 'fd00:77::/64' }] } } }
const compose = (services: object, more: object = {}) => JSON.stringify({ services, ...more })

/** Listens on all addresses of this machine, IPv6 too, and counts who came. */
async function listenEverywhere() {
  let came = 0
  const server = createServer((socket) => {
    came++
    socket.on('error', () => {}).end('here\n')
  })
  await new Promise<void>((done) => server.listen(0, '::', done))
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    came: () => came,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  }
}

async function containerOf(scene: Scene, service: string): Promise<string> {
  const [cell] = await scene.list()
  const labels = [`dev.nexus.workspace=${cell?.id}`, `com.docker.compose.service=${service}`]
  return (await must(['docker', 'ps', '-aq', ...labels.flatMap((label) => ['--filter', `label=${label}`])])).trim()
}

const networkOf = async (scene: Scene, name: string) => {
  const label = `label=dev.nexus.workspace=${(await scene.list())[0]?.id}`
  return (await must(['docker', 'network', 'ls', '-q', '--filter', label, '--filter', `name=_${name}$`])).trim()
}

/** This machine's link-local address on a network's bridge. */
async function bridgeAddress(network: string): Promise<string> {
  const bridge = `br-${network}`
  await eventually(() => networkInterfaces()[bridge]?.some(({ address }) => address.startsWith('fe80')) === true)
  return networkInterfaces()[bridge]?.find(({ address }) => address.startsWith('fe80'))?.address ?? ''
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

const shared = shareScene(async () => {
  const scene = await openScene({ files: { 'compose.yaml': compose(SERVICES, { networks: NETWORKS }) } })
  const args = ['up', 'cell', '--isolation', 'agent', '--allow', '*.wild.example']
  const first = await scene.run([...args, '--json'])
  if (first.code === 0) return scene
  // so that what is asked about is tried, too
  const { error } = JSON.parse(first.stdout) as { error: { details: { hash: string } } }
  await scene.ok(['trust', 'approve', error.details.hash])
  await scene.ok(args)
  return scene
})

suite('the network of a guarded workspace', (test) => {
  test(
    'sysctls switch no IPv6 on, approved or not, and no service of this machine answers there',
    async () => {
      await using machine = await listenEverywhere()
      const scene = await shared.get()
      const asked = await scene.ok(['trust', '--json'])
      for (const service of ['map', 'list', 'joiner']) assert.match(asked, `services.${service}.sysctls`)
      assert.not.match(asked, 'somaxconn')

      const network = await networkOf(scene, 'default')
      const attempt = `exec 3<>/dev/tcp/${await bridgeAddress(network)}%eth0/${machine.port}; head -1 <&3`
      const on = OPEN.flatMap((name) => ['--sysctl', `${name}=0`])
      const free = ['docker', 'run', '--rm', '--network', network, ...on, '--entrypoint', 'bash', IMAGE]
      // an address is usable only after a second, once nobody else was found to have it
      const patient = `for try in $(seq 50); do timeout 1 bash -c '${attempt}' && exit; sleep 0.1; done`
      assert.is(await must([...free, '-c', patient]), 'here\n', 'the attempt succeeds nowhere')
      const before = machine.came()
      for (const service of ['workspace', 'map', 'list', 'joined', 'joiner']) {
        const run = ['docker', 'exec', await containerOf(scene, service), 'bash', '-c']
        const addresses = await must([...run, 'cat /proc/net/if_inet6'])
        assert.match(addresses, /^0{31}1 .* lo\n$/, `${service} has\n${addresses}`)
        assert.is.not((await runProcess([...run, `timeout 2 bash -c '${attempt}'`])).code, 0)
      }
      assert.is((await scene.run(['exec', 'cell', '--', 'bash', '-c', `timeout 2 bash -c '${attempt}'`])).code, 1)
      assert.is(machine.came(), before)
      const map = await containerOf(scene, 'map')
      assert.is(await must(['docker', 'exec', map, 'cat', '/proc/sys/net/core/somaxconn']), '777\n')
    },
    3 * LIMIT_MS,
  )

  test(
    'a name with a star is let through for the names below it alone',
    async () => {
      const scene = await shared.get()
      const words = ['sub.wild.example', 'wild.example', 'notwild.example'].flatMap((name) => ['--network-alias', name])
      const outside = await networkOf(scene, 'nexus-outside')
      const server = await must(['docker', 'run', '-d', '--rm', '--network', outside, ...words, IMAGE, 'sleep', '100'])
      try {
        const fetch = (name: string) => scene.run(['exec', 'cell', '--', 'curl', '-s', `http://${name}/`])
        for (const name of ['sub.wild.example', 'wild.example', 'notwild.example', 'WILD.example.']) await fetch(name)
        const { refusals } = JSON.parse(await scene.ok(['network', 'log', 'cell', '--json'])) as {
          refusals: RefusedRequest[]
        }
        const seen = refusals.map(({ host, reason }) => `${host} ${reason}`)
        // where a name that is let through leads is looked at next: here into a private network
        const expected = ['sub.wild.example address', 'wild.example name', 'notwild.example name', 'wild.example name']
        assert.equal(seen, expected)
      } finally {
        await must(['docker', 'rm', '--force', server.trim()])
      }
    },
    LIMIT_MS,
  )

  test(
    'no other container has the name of the gate',
    async () => {
      const scene = await shared.get()
      const file = join((await scene.list())[0]?.worktree ?? '', 'compose.yaml')
      const kept = await readFile(file, 'utf8')
      for (const more of [
        { networks: { default: { aliases: ['Nexus-Gate'] } } },
        { hostname: 'nexus-gate' },
        { container_name: 'nexus-gate' },
        { networks: { default: { aliases: ['workspace'] } } },
      ]) {
        await writeFile(file, compose({ map: sleeper(more) }))
        const { message } = await scene.refused(['rebuild', 'cell'], 2, 'UNSUPPORTED')
        assert.match(message, /of service map, a name that Nexus needs/)
      }
      await writeFile(file, kept)
    },
    LIMIT_MS,
  )

  test(
    'a start finds a way past the gate that the engine gave, says which, and stops the workspace',
    async () => {
      const scene = await shared.get()
      await scene.ok(['stop', 'cell'])
      const map = await containerOf(scene, 'map')
      await must(['docker', 'network', 'connect', 'bridge', map])
      const { message } = await scene.refused(['start', 'cell'], 1, 'WORKSPACE_START_FAILED')
      assert.match(message, /^The container nexus-cell-\S+-map-1 has an IPv4 route that leaves eth\d/)
      assert.is((await scene.list())[0]?.state, 'stopped')
      await must(['docker', 'network', 'disconnect', 'bridge', map])
      await scene.ok(['start', 'cell'])
    },
    LIMIT_MS,
  )
})

suite('what Nexus has inside', (test) => {
  test(
    'no cache and no mount lies over it: file, line and reason are told, and nothing is made',
    async () => {
      const scene = await shared.get()
      const config = 'workspace:\n  service: app\n'
      const app = (more: object) => ({
        'compose.yaml': compose({ app: sleeper(more), other: sleeper({ tmpfs: '/run/sshd' }) }, RESOURCES),
      })
      await scene.repo.git('checkout', '--quiet', '-b', 'covers')
      for (const [files, told] of [
        [
          { '.nexus/config.yaml': 'caches:\n  - ~/.npm\n  - /etc/nexus/ssh\n' },
          /config\.yaml:2:3: .*lies over \/etc\/nexus/,
        ],
        [
          { '.nexus/config.yaml': config, ...app({ volumes: ['data:/etc/nexus/ssh'] }) },
          /compose\.yaml:1: .*\/etc\/nexus/,
        ],
        [{ ...app({ volumes: ['data:/usr/local'] }) }, /compose\.yaml:1: .*covers \/usr\/local\/lib\/nexus/],
        [{ ...app({ tmpfs: ['/run/../etc/nexus:size=1m'] }) }, /compose\.yaml:1: .*covers \/etc\/nexus/],
        [{ ...app({ configs: [{ source: 'c', target: '/etc/nexus/ssh/authorized_keys' }] }) }, /authorized_keys/],
        [{ ...app({ secrets: [{ source: 's', target: '../../usr/local/lib/nexus/entrypoint' }] }) }, /entrypoint/],
        [{ ...app({ volumes_from: ['other'] }) }, /\/run\/sshd/],
      ] as const) {
        await write(scene.repo.path, files)
        await scene.repo.git('add', '--all')
        await scene.repo.git('commit', '--quiet', '--message', 'covers')
        const nothing = await scene.made()
        const { message } = await scene.refused(['up', 'covered', '--isolation', 'agent'], 2, 'CONFIG_INVALID')
        assert.match(message, told)
        assert.equal(await scene.made(), nothing)
      }
    },
    2 * LIMIT_MS,
  )

  test('the scene ends clean', shared.close, LIMIT_MS)
})

const RESOURCES = { volumes: { data: {} }, configs: { c: { content: 'x' } }, secrets: { s: { file: './secret' } } }
