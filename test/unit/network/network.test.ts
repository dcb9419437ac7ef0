/** The network of guarded workspaces, and what guards them: pure decisions, and what is refused. */

import { openWays } from '../../../lib/backends/docker/closed-networks.ts'
import { inPlace } from '../../../lib/backends/docker/main-service.ts'
import { KEYS } from '../../../lib/config/keys.ts'
import { buildSettings, type Settings } from '../../../lib/config/settings.ts'
import type { NexusError } from '../../../lib/core/errors.ts'
import type { WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { addGate, relaysOf, requireGuardable, restrainServices } from '../../../lib/network/gate.ts'
import {
  expandAllowed,
  parseRefusals,
  proxyRules,
  proxyVariables,
  withFixedBase,
} from '../../../lib/network/network.ts'
import type { ComposeModel, ComposeService } from '../../../lib/stack/model.ts'
import { outsideOf } from '../../../lib/system/net.ts'
import { Override, Reset } from '../../../lib/system/render.ts'
import { parseHosts } from '../../../lib/tools/registries.ts'
import { reachesFurther } from '../../../lib/workspace/ssh/ssh-agent-reach.ts'
import { guardsOf, limitsOf, STAND_IN, userInside } from '../../../lib/workspace/trust/isolation.ts'
import { assert, suite } from '../../support/suite.ts'

const origin = { source: 'default' } as const

function settings(values: Readonly<Record<string, unknown>>): Settings {
  const defaults = KEYS.filter(({ key, default: value }) => value !== undefined && !key.includes('*'))
  const all = new Map(defaults.map(({ key, default: value }) => [key, { value, origin }]))
  for (const [key, value] of Object.entries(values)) all.set(key, { value, origin })
  return buildSettings(all as Parameters<typeof buildSettings>[0])
}

suite('guards', (test) => {
  const own = settings({})
  test('agent: no sudo, no agent, a list of hosts, a git dir of its own, whatever else is configured', () => {
    const agent = settings({ isolation: 'agent', sudo: true, 'ssh.forward_agent': 'full', 'ssh.agent_keys': ['k'] })
    const forwarding = { forwardAgent: false, agentMode: 'off' }
    const expected = { isolation: 'agent', sudo: false, gitMode: 'private', network: 'allowlist', ...forwarding }
    assert.equal(guardsOf(agent, agent), expected)
    assert.equal(guardsOf(agent, own), expected)
  })

  test('how far the agent is forwarded, and by which keys, is fixed with the record', () => {
    const agentOf = (values: Parameters<typeof settings>[0]) => {
      const { forwardAgent, agentMode, agentKeys } = guardsOf(settings(values), settings(values))
      return [forwardAgent, agentMode, agentKeys]
    }
    assert.equal(agentOf({}), [true, 'proxy', undefined])
    assert.equal(agentOf({ 'ssh.forward_agent': 'full', 'ssh.agent_keys': ['k'] }), [true, 'full', ['k']])
    assert.equal(agentOf({ 'ssh.forward_agent': 'off', 'ssh.agent_keys': ['k'] }), [false, 'off', undefined])
    const further = (before: Parameters<typeof settings>[0], now: Parameters<typeof settings>[0]) =>
      reachesFurther(guardsOf(settings(before), settings(before)), settings(now).ssh)
    const [one, two] = [{ 'ssh.agent_keys': ['a'] }, { 'ssh.agent_keys': ['a', 'b'] }]
    assert.equal([further({}, one), further(two, one), further(one, two), further(one, {})], [true, true, false, false])
    assert.ok(further(one, { 'ssh.forward_agent': 'off' }))
    assert.not(further({}, { 'ssh.forward_agent': 'full', ...one }))
  })

  for (const [users, projects, holds] of [
    ['open', 'allowlist', 'allowlist'],
    ['none', 'allowlist', 'none'],
    ['allowlist', undefined, 'allowlist'],
  ] as const) {
    test(`the user says ${users}, the project ${projects}: ${holds}`, () => {
      const both = projects ?? users
      assert.is(guardsOf(settings({ 'network.mode': both }), settings({ 'network.mode': users })).network, holds)
    })
  }

  test('in agent a project lowers limits and never raises them', () => {
    const users = { cpus: 2, memory: 1000, pids: 500 }
    const wish = (cpus: number, memory: number, pids: number) =>
      settings({ 'workspace.cpus': cpus, 'workspace.memory': memory, 'workspace.pids': pids })
    assert.equal(limitsOf('agent', wish(8, 9000, 9000), users), users)
    assert.equal(limitsOf('agent', wish(1, 10, 70), users), { cpus: 1, memory: 10, pids: 70 })
    assert.equal(limitsOf('agent', settings({}), users), { ...users, pids: 500 })
    assert.equal(limitsOf('standard', wish(8, 9000, 9000), users), { cpus: 8, memory: 9000, pids: 9000 })
  })

  test('somebody stands in for root, and for nobody else', () => {
    const [root, user] = [
      { uid: 0, gid: 0 },
      { uid: 1000, gid: 100 },
    ]
    assert.equal(userInside(root, 'agent'), STAND_IN)
    assert.equal(userInside(root, 'standard'), root)
    assert.equal(userInside(user, 'agent'), user)
  })
})

suite('what can be reached', (test) => {
  test('presets become names, each once; names with a star or a dot stay', () => {
    const hosts = expandAllowed(
      ['git-hosts', 'GitHub.com', '*.Example.org', '.example.org', 'a.example:8443', 'registries'],
      ['r.example'],
    )
    assert.ok(hosts.includes('github.com'))
    assert.is(hosts.filter((host) => host === 'github.com').length, 1)
    assert.equal(hosts.slice(-4), ['*.example.org', '.example.org', 'a.example:8443', 'r.example'])
  })

  for (const word of [
    '',
    'localhost',
    '10.0.0.1',
    '*',
    '*.',
    '*.10.0.0.1',
    '*example.org',
    'a.*.example',
    '*.*.example',
    'a b.example',
    'a.example:0',
    'a.example:70000',
    '-a.example',
  ]) {
    test(`${JSON.stringify(word)} is refused`, () =>
      assert.throws(() => expandAllowed([word], []), /cannot be let through/))
  }

  for (const word of ['a.example\nhttp_access allow all', 'a.example http', 'a..example', 'http://a.example', '.']) {
    test(`${JSON.stringify(word)} does not get into the proxy's configuration`, () =>
      assert.throws(() => expandAllowed([word], []), /cannot be let through/))
  }

  test('rules know the ports of the web, or the one that is named', () => {
    const except = undefined
    const [plain, odd] = proxyRules(['.example.org', 'a.example:8443'])
    assert.equal(plain, { id: 'host0', name: '.example.org', except, plain: 80, tls: 443 })
    assert.equal(odd, { id: 'host1', name: 'a.example', except, plain: 8443, tls: 8443 })
  })

  test('a star stands for the names below alone, as in certificates', () => {
    const [below] = proxyRules(['*.example.org:8443'])
    assert.equal([below?.name, below?.except, below?.tls], ['.example.org', 'example.org', 8443])
  })

  test('what was refused is read from the lines of the gate, and nothing else there', () => {
    const text =
      '\u001b[2K1795712044.116\tCONNECT\tfoo.example\t443\tname\n2026/11/26 x| WARNING\n1.000\tGET\tevil\u001b[31m\t80\tname\n1\tGET\tx\t80\tname\n'
    const [first, second, ...rest] = parseRefusals(text)
    assert.equal(first, {
      time: '2026-11-26T16:54:04.116Z',
      method: 'CONNECT',
      host: 'foo.example',
      port: 443,
      reason: 'name',
    })
    assert.is(second?.host, 'evil')
    assert.is(rest.length, 0)
  })

  test('addresses in private ranges need no rule of their own', () => {
    assert.equal(
      outsideOf(['10.0.0.0/8', 'fc00::/7'], ['10.1.2.3', '10.2.0.0/26', '192.0.2.2', 'fd00::2', '2001:db8::1']),
      ['192.0.2.2', '2001:db8::1'],
    )
  })

  test('registries are the hosts of what the tools answer', () => {
    const text =
      'https://user:pass@npm.example/r/\nhttps://go.example,direct\nsum.example\nhttp://127.0.0.1:4873/\nundefined\n'
    assert.equal(parseHosts(`${text}deb [x] http://deb.example:8080/debian stable main`), [
      'deb.example:8080',
      'go.example',
      'npm.example',
      'sum.example',
    ])
  })

  test('only a list of hosts has a proxy', () => {
    assert.equal(proxyVariables({ network: 'none' }, []), {})
    assert.equal(proxyVariables({ network: 'open' }, []), {})
    assert.is(proxyVariables({ network: 'allowlist' }, ['db']).no_proxy, 'localhost,127.0.0.1,::1,db')
  })
})

suite('the gate of a project', (test) => {
  const record = {
    name: 'x',
    isolation: 'agent',
    network: 'allowlist',
    pids: 99,
    ports: [],
    docker: { ready: { wanted: ['postgres:16'] } },
  } as unknown as WorkspaceRecord
  const model = (services: object, networks: object = {}): ComposeModel =>
    ({ name: 'x', services, networks }) as unknown as ComposeModel

  for (const [what, services, networks] of [
    ['the network of this machine', { web: { network_mode: 'host' } }, {}],
    ["another container's network", { web: { network_mode: 'container:x' } }, {}],
    ['an external network', { web: {} }, { theirs: { external: true } }],
    ['a service of its name', { 'nexus-gate': {} }, {}],
    ['an alias of its name', { web: { networks: { default: { aliases: ['a', 'Nexus-Gate'] } } } }, {}],
    ['its name with a search list', { web: { networks: { default: { aliases: ['nexus-gate.x'] } } } }, {}],
    ['a hostname of its name', { web: { hostname: 'nexus-gate' } }, {}],
    ['a container of its name', { web: { container_name: 'nexus-gate' } }, {}],
    ['another address for it', { web: { extra_hosts: ['nexus-gate=10.0.0.2'] } }, {}],
    ['another address for it, as a map', { web: { extra_hosts: { 'nexus-gate': '10.0.0.2' } } }, {}],
    ['a link of its name', { web: { links: ['db:nexus-gate'] } }, {}],
    ["an alias of the workspace's own name", { web: { networks: { default: { aliases: ['workspace'] } } } }, {}],
    ["a container of a ready service's name", { web: { container_name: 'postgres' } }, {}],
    ['options of an endpoint', { web: { networks: { default: { driver_opts: { a: 'b' } } } } }, {}],
    ['a network of its name', { web: {} }, { 'nexus-outside': {} }],
  ] as const) {
    test(`${what} leads around it`, () => {
      assert.throws(() => requireGuardable(record, model(services, networks)), /does not allow/)
      requireGuardable({ ...record, network: 'open' }, model(services, networks))
    })
  }

  test('where only a name is in the way, the hint begins with another name', () => {
    const hintOf = (services: object) => {
      try {
        requireGuardable(record, model(services))
      } catch (error) {
        return (error as NexusError).hint ?? ''
      }
      return ''
    }
    const [mild, open] = [
      /^To keep this network, choose another name/,
      /^To run them with an open network, run `nexus up/,
    ]
    assert.match(hintOf({ web: { networks: { default: { aliases: ['nexus-gate'] } } } }), mild)
    assert.match(hintOf({ 'nexus-gate': {} }), mild)
    assert.match(hintOf({ web: { network_mode: 'host' } }), open)
  })

  test('names that only look like its own are fine', () => {
    const service = { hostname: 'workspace', container_name: 'web', links: ['db'], extra_hosts: ['gate=host-gateway'] }
    const networks = { default: { aliases: ['nexus-gate2', 'web'] }, back: null }
    requireGuardable(record, model({ web: { ...service, networks } }))
    const stack = { base: { kind: 'service' }, main: 'web' }
    requireGuardable(
      { ...record, docker: { stack } } as unknown as WorkspaceRecord,
      model({ web: { container_name: 'web' } }),
    )
  })

  test('no service keeps a sysctl that may lead past it, and raw sockets are gone at every level', () => {
    const definitions = model({
      web: { sysctls: { 'net.ipv6.conf.all.disable_ipv6': '0', 'net.core.somaxconn': '9', 'kernel.msgmax': '8' } },
      list: {
        sysctls: ['net.ipv4.conf.all.arp_ignore=0', 'net/ipv6/conf/all/disable_ipv6=0', 'net.ipv4.tcp_rmem=1 2 3'],
      },
      joiner: { network_mode: 'service:web', sysctls: { 'net.ipv6.conf.lo.disable_ipv6': 1 } },
    })
    const facts = { record, image: 'i', addresses: [], folder: '/f', labels: {}, main: 'workspace', model: definitions }
    const services = { web: {}, list: {}, joiner: {}, workspace: { cap_drop: ['ALL'] }, postgres: {} }
    const made = addGate({ services, networks: { default: {} } }, facts, undefined)
    const all = made.services as Record<string, { sysctls?: Override; cap_drop: readonly string[] }>
    assert.equal(all.web?.sysctls, new Override({ 'net.core.somaxconn': '9', 'kernel.msgmax': '8' }))
    assert.equal(all.list?.sysctls, new Override({ 'net.ipv4.tcp_rmem': '1 2 3' }))
    assert.equal(all.joiner?.sysctls, new Override({}))
    assert.equal(
      Object.entries(all).map(([name, { cap_drop }]) => `${name} ${cap_drop}`),
      ['web NET_RAW', 'list NET_RAW', 'joiner NET_RAW', 'workspace ALL', 'postgres NET_RAW', 'nexus-gate ALL'],
    )
    assert.is((made.networks as Record<string, { enable_ipv6?: boolean }>).default?.enable_ipv6, false)
  })

  test('what the kernel tells of a network shows every way out of it', () => {
    const loopback = '00000000000000000000000000000001 01 80 10 80       lo\n'
    const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
    const own = 'eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n'
    assert.equal(openWays(loopback + head + own), [])
    assert.equal(openWays(''), [])
    const local = 'fe800000000000000042acfffe120002 8b 40 20 c0     eth0\n'
    const route = 'eth1\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n'
    const further = 'eth1\t0000000A\t010011AC\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n'
    assert.equal(openWays(local + loopback + head + route + own + further), [
      'the IPv6 address fe80:0000:0000:0000:0042:acff:fe12:0002 on eth0',
      'an IPv4 route that leaves eth1',
      'an IPv4 route that leaves eth1',
    ])
  })

  test('all networks are closed but its own, which nothing else is on', () => {
    const services = { web: { environment: { A: '1' } }, job: {} }
    const facts = { record, image: 'i', addresses: [], folder: '/f', labels: {}, main: 'workspace' }
    const made = addGate({ services, networks: { default: {}, back: {} } }, { ...facts, model: undefined }, undefined)
    const networks = made.networks as Record<string, { internal?: boolean }>
    assert.equal(
      Object.keys(networks).filter((name) => networks[name]?.internal !== true),
      ['nexus-outside'],
    )
    const all = made.services as Record<string, { networks?: object; environment: Record<string, string> }>
    assert.equal(Object.keys(all['nexus-gate']?.networks ?? {}), ['default', 'back', 'nexus-outside'])
    assert.is(all.web?.environment.A, '1')
    assert.match(all.job?.environment.https_proxy ?? '', 'nexus-gate')
  })

  test("services of the project's get less in agent, and keep a limit of their own", () => {
    const services = { web: {}, db: {}, workspace: {} }
    const definitions = model({ web: {}, db: { deploy: { resources: { limits: { pids: 5 } } } }, workspace: {} })
    const made = restrainServices(services, record, definitions, 'workspace') as Record<string, Record<string, unknown>>
    assert.equal(made.web?.cap_drop, ['NET_RAW', 'MKNOD', 'SETFCAP'])
    assert.equal([made.web?.pids_limit, made.db?.pids_limit], [99, 5])
    assert.equal(made.workspace, {})
    assert.is(restrainServices(services, { ...record, isolation: 'standard' }, definitions, 'workspace'), services)
  })

  test('ports lead to their services by the numbers that are leased', () => {
    const ports = [
      { name: 'ssh', container: 22, host: 32800, protocol: 'tcp' },
      { name: 'game', container: 9, host: 32804, protocol: 'udp', service: 'db' },
      { name: 'none', container: 1, host: null, protocol: 'tcp' },
    ] as const
    assert.equal(relaysOf(ports, 'workspace'), [
      { port: 32800, udp: false, target: 'workspace:22' },
      { port: 32804, udp: true, target: 'db:9' },
    ])
  })

  test('what the own container is made from stays, whatever the files say later', () => {
    const present = {
      files: [],
      profiles: [],
      pass: [],
      main: 'app',
      base: { kind: 'service' },
      under: 'x-app',
    } as const
    const found = {
      files: ['compose.yaml'],
      profiles: [],
      pass: [],
      main: 'workspace',
      base: { kind: 'image', image: 'evil' },
    } as const
    assert.equal(withFixedBase(found, present), { ...found, main: 'app', base: { kind: 'service' }, under: 'x-app' })
    assert.equal(withFixedBase(found, undefined), { ...found, base: { kind: 'default' } })
  })
})

suite("the project's own service to work in", (test) => {
  const own = {
    ...{ ports: [], environment: {}, user: '1000:1000', cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
    ...{ pids_limit: 99, mem_limit: 1000, memswap_limit: 1000 },
  }
  const place = (service: ComposeService, isolation: 'standard' | 'agent') => {
    const stack = { files: [], profiles: [], pass: [], main: 'app', base: { kind: 'service' } }
    const record = { isolation, docker: { stack } }
    return inPlace(own, service, { record } as unknown as Parameters<typeof inPlace>[2])
  }

  test('in agent nothing of what it grants itself stays', () => {
    const made = place({ privileged: true, cap_add: ['SYS_ADMIN'] }, 'agent')
    for (const key of ['privileged', 'cap_add', 'devices', 'group_add']) assert.instance(made[key], Reset)
    assert.equal([made.cap_drop, made.user], [new Override(['ALL']), '1000:1000'])
    assert.not('privileged' in place({ privileged: true }, 'standard'))
  })

  test('the lower limit holds, wherever it stands', () => {
    const limits = { memory: '500', cpus: '0.5', pids: 5000 }
    for (const level of ['standard', 'agent'] as const) {
      const { deploy, mem_limit, memswap_limit, cpus, pids_limit } = place({ deploy: { resources: { limits } } }, level)
      assert.equal([mem_limit, memswap_limit, cpus, pids_limit], [500, 500, 0.5, 99])
      assert.equal(deploy, { resources: { limits: new Reset() } })
    }
    assert.equal([place({}, 'agent').mem_limit, place({ mem_limit: '2000' }, 'agent').mem_limit], [1000, 1000])
  })
})
