/** What of a resolved model needs approval: each thing that does, everything ordinary that does not, and how it is told. */
import fc from 'fast-check'
import type { ComposeModel, Finding, ModelFields } from '../../../lib/stack/model.ts'
import { findUnapproved } from '../../../lib/trust/allow-list.ts'
import { makeFinding, sortFindings, withoutFindings } from '../../../lib/trust/findings.ts'
import { assert, suite } from '../../support/suite.ts'

const WHERE = { worktree: '/r/.worktree/w', repo: '/r', home: '/home/u' }

const find = (model: ModelFields) =>
  findUnapproved({ name: 'x', services: {}, ...model } as unknown as ComposeModel, WHERE)
const findIn = (service: ModelFields) => find({ services: { app: { image: 'x', command: null, ...service } } })
/** `path: value` of each, with `services.app` left out. */
const told = (findings: readonly Finding[]) =>
  findings.map(({ path, value }) => `${path.replace(/^services\.app\./, '')}: ${value}`)

const bind = (source: string, more: ModelFields = {}) => ({
  volumes: [{ type: 'bind', source, target: '/t', bind: { create_host_path: true }, ...more }],
})
const build = (more: ModelFields) => ({ build: { context: '/r/.worktree/w', dockerfile: 'Dockerfile', ...more } })

suite('allow-list: a service', (test) => {
  for (const [service, ...expected] of [
    [{ privileged: true }, 'privileged: true'],
    [{ cap_add: ['SYS_ADMIN', 'NET_BIND_SERVICE'] }, 'cap_add: NET_BIND_SERVICE', 'cap_add: SYS_ADMIN'],
    [{ devices: [{ source: '/dev/kvm', target: '/dev/kvm' }] }, 'devices: {"source":"/dev/kvm","target":"/dev/kvm"}'],
    [{ device_cgroup_rules: ['c 1:3 mr'] }, 'device_cgroup_rules: c 1:3 mr'],
    [{ network_mode: 'host' }, 'network_mode: host'],
    [{ network_mode: 'container:db' }, 'network_mode: container:db'],
    [{ network_mode: 'their_net' }, 'network_mode: their_net'],
    [{ pid: 'host' }, 'pid: host'],
    [{ pid: 'container:x' }, 'pid: container:x'],
    [{ ipc: 'host' }, 'ipc: host'],
    [{ ipc: 'container:x' }, 'ipc: container:x'],
    [{ uts: 'host' }, 'uts: host'],
    [{ userns_mode: 'host' }, 'userns_mode: host'],
    [{ cgroup: 'host' }, 'cgroup: host'],
    [{ cgroup_parent: '/x' }, 'cgroup_parent: /x'],
    [{ runtime: 'nvidia' }, 'runtime: nvidia'],
    [{ isolation: 'hyperv' }, 'isolation: hyperv'],
    [{ security_opt: ['seccomp:unconfined', 'no-new-privileges:true'] }, 'security_opt: seccomp:unconfined'],
    [{ security_opt: ['label=disable'] }, 'security_opt: label=disable'],
    [{ sysctls: { 'kernel.shmmax': '1', 'net.core.somaxconn': '1' } }, 'sysctls: kernel.shmmax=1'],
    [{ sysctls: ['fs.mqueue.msg_max=1'] }, 'sysctls: fs.mqueue.msg_max=1'],
    [{ sysctls: { 'net.ipv6.conf.all.disable_ipv6': 0 } }, 'sysctls: net.ipv6.conf.all.disable_ipv6=0'],
    [
      { sysctls: ['net.ipv6.conf.eth0.disable_ipv6=0', 'net.ipv6.conf.all.disable_ipv6=1'] },
      'sysctls: net.ipv6.conf.eth0.disable_ipv6=0',
    ],
    [{ sysctls: ['net/ipv6/conf/all/disable_ipv6=1'] }, 'sysctls: net/ipv6/conf/all/disable_ipv6=1'],
    [{ sysctls: { 'net.ipv4.conf.all.route_localnet': 1 } }, 'sysctls: net.ipv4.conf.all.route_localnet=1'],
    [{ sysctls: { 'net.ipv4.tcp_congestion_control': 'odd' } }, 'sysctls: net.ipv4.tcp_congestion_control=odd'],
    [{ develop: { watch: [{ path: '/etc', action: 'sync', target: '/x' }] } }, 'develop.watch.path: /etc'],
    [{ something_new: false }, 'something_new: false'],
    [{ volumes_from: ['container:x', 'db:ro'] }, 'volumes_from: container:x'],
    [{ external_links: ['a:b'] }, 'external_links: a:b'],
    [{ use_api_socket: true }, 'use_api_socket: true'],
    [{ credential_spec: { file: 'x.json' } }, 'credential_spec: {"file":"x.json"}'],
    [{ provider: { type: 'sh', options: {} } }, 'provider: {"type":"sh","options":{}}'],
    [{ models: { ai: null } }, 'models: {"ai":null}'],
    [{ annotations: { 'run.oci.x': 'y' } }, 'annotations: run.oci.x=y'],
    [{ oom_kill_disable: true }, 'oom_kill_disable: true'],
    [{ oom_score_adj: -500 }, 'oom_score_adj: -500'],
    [{ post_start: [{ command: ['x'], privileged: true }] }, 'post_start.privileged: true'],
    [{ pre_stop: [{ command: ['x'], other: 1 }] }, 'pre_stop.other: 1'],
    [{ logging: { driver: 'syslog', options: {} } }, 'logging.driver: syslog'],
    [{ labels: { 'dev.nexus.instance': 'x', a: 'b' } }, 'labels: dev.nexus.instance'],
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ['tpu'] }] } } } },
      'deploy.resources.reservations.devices: {"capabilities":["tpu"]}',
    ],
    [{ gpus: [{ driver: 'cdi', device_ids: ['x/y=z'] }] }, 'gpus: {"driver":"cdi","device_ids":["x/y=z"]}'],
    [
      { networks: { default: { driver_opts: { 'com.docker.network.endpoint.sysctls': 'x' } } } },
      'networks.default.driver_opts: com.docker.network.endpoint.sysctls=x',
    ],
    [{ env_file: [{ path: '/home/u/.aws/credentials', required: true }] }, 'env_file: <home>/.aws/credentials'],
    [{ label_file: ['/etc/labels'] }, 'label_file: /etc/labels'],
    [{ storage_opt: { size: '1G', other: 'x' } }, 'storage_opt.other: x'],
    [{ something_new: { a: 1 } }, 'something_new: {"a":1}'],
    [{ healthcheck: { test: ['CMD'], on_host: 'x' } }, 'healthcheck.on_host: x'],
    [{ hostname: { odd: 1 } }, 'hostname: {"odd":1}'],
    [{ image: 'x', toString: 'x' }, 'toString: x'],
  ] as const) {
    test(`${JSON.stringify(service)}`, () => assert.equal(told(findIn(service)), expected))
  }
})

suite('allow-list: mounts', (test) => {
  for (const [service, expected] of [
    [bind('/etc'), 'volumes: /etc on /t'],
    [bind('/etc', { read_only: true }), 'volumes: /etc on /t, read only'],
    [bind('/r'), 'volumes: <repo> on /t'],
    [bind('/r/.git'), 'volumes: <repo>/.git on /t'],
    [bind('/r/.worktree/w/.git'), 'volumes: <worktree>/.git on /t'],
    [bind('/r/.worktree/w/../other'), 'volumes: <repo>/.worktree/other on /t'],
    [bind('/var/run/docker.sock'), 'volumes: /var/run/docker.sock on /t'],
    [bind('/home/u/.ssh'), 'volumes: <home>/.ssh on /t'],
    [bind('/'), 'volumes: / on /t'],
    [bind('/r/.worktree/w/a', { bind: { propagation: 'rshared' } }), 'volumes.bind.propagation: rshared'],
    [{ volumes: [{ type: 'npipe', source: 'x', target: 'y' }] }, 'volumes.type: npipe'],
    [{ volumes: [{ type: 'cluster', source: 'x', target: 'y' }] }, 'volumes.type: cluster'],
    [{ volumes: ['/etc:/etc'] }, 'volumes: /etc:/etc'],
  ] as const) {
    test(expected, () => assert.equal(told(findIn(service)), [expected]))
  }

  test('the Docker socket, git data and the whole disk are named as such', () => {
    const why = (source: string) => findIn(bind(source))[0]?.why
    assert.is(why('/run/docker.sock'), 'reads and writes the Docker socket, which is full control of this machine')
    assert.match(why('/r/.git') ?? '', /git data, through which commands/)
    assert.match(why('/') ?? '', /whole disk/)
    assert.match(findIn(bind('/etc', { read_only: true }))[0]?.why ?? '', /^reads files outside/)
  })

  test('a link is judged by what it leads to', () => {
    const model = { name: 'x', services: { app: bind('/r/.worktree/w/data') } } as unknown as ComposeModel
    const [found] = findUnapproved(model, { ...WHERE, realpath: (path) => path.replace('/r/.worktree/w/data', '/etc') })
    assert.is(found?.value, '<worktree>/data (leads to /etc) on /t')
  })
})

suite('allow-list: builds', (test) => {
  for (const [service, ...expected] of [
    [build({ context: '/r' }), 'build.context: <repo>'],
    [build({ context: '/r/..' }), 'build.context: /'],
    [build({ context: 'https://example.com/x.git' }), 'build.context: https://example.com/x.git'],
    [build({ context: 'git@example.com:x/y' }), 'build.context: git@example.com:x/y'],
    [build({ dockerfile: '../../../etc/Dockerfile' }), 'build.dockerfile: /etc/Dockerfile'],
    [build({ dockerfile: '/etc/Dockerfile' }), 'build.dockerfile: /etc/Dockerfile'],
    [build({ context: '/etc', dockerfile: '../root/D' }), 'build.context: /etc', 'build.dockerfile: /root/D'],
    [
      build({ additional_contexts: { a: '/home/u', b: 'docker-image://x', c: 'service:db', d: '/r/.worktree/w/d' } }),
      'build.additional_contexts.a: <home>',
    ],
    [
      build({ additional_contexts: ['a=/home/u', 'b=oci-layout:///x'] }),
      'build.additional_contexts.a: <home>',
      'build.additional_contexts.b: oci-layout:///x',
    ],
    [build({ ssh: ['default', 'key=/home/u/.ssh/id'] }), 'build.ssh: default', 'build.ssh: key=/home/u/.ssh/id'],
    [build({ network: 'host' }), 'build.network: host'],
    [build({ privileged: true }), 'build.privileged: true'],
    [build({ entitlements: ['network.host'] }), 'build.entitlements: network.host'],
    [build({ cache_from: ['x:1', 'type=registry,ref=y', 'type=local,src=/x'] }), 'build.cache_from: type=local,src=/x'],
    [build({ cache_to: ['type=local,dest=/x'] }), 'build.cache_to: type=local,dest=/x'],
    // the last type counts, whatever its case, and quotes hide one
    [build({ cache_to: ['type=inline,type=local,dest=/x'] }), 'build.cache_to: type=inline,type=local,dest=/x'],
    [build({ cache_to: ['type=inline,TYPE=local,dest=/x'] }), 'build.cache_to: type=inline,TYPE=local,dest=/x'],
    [build({ cache_to: ['type=inline,"type=local",dest=/x'] }), 'build.cache_to: type=inline,"type=local",dest=/x'],
    [build({ cache_from: ['ref=x,type=local,src=/x'] }), 'build.cache_from: ref=x,type=local,src=/x'],
    [build({ cache_from: ['type=gha,url=http://x', 'type=gha,scope=y'] }), 'build.cache_from: type=gha,url=http://x'],
    [build({ additional_contexts: { a: { odd: 1 } } }), 'build.additional_contexts.a: {"odd":1}'],
    [build({ tags: ['postgres:16'] }), 'build.tags: postgres:16'],
    [build({ isolation: 'process' }), 'build.isolation: process'],
    [build({ something: 'new' }), 'build.something: new'],
    [build({ secrets: [{ source: 's', odd: 1 }] }), 'build.secrets.odd: 1'],
  ] as const) {
    test(expected.join(', '), () => assert.equal(told(findIn(service)), expected))
  }
})

suite('allow-list: beside the services', (test) => {
  for (const [model, expected] of [
    [{ volumes: { d: { name: 'theirs', external: true } } }, 'volumes.d: external theirs'],
    [{ volumes: { d: { external: { name: 'old' } } } }, 'volumes.d: external old'],
    [{ volumes: { d: { driver: 'nfs' } } }, 'volumes.d.driver: nfs'],
    [{ volumes: { d: { driver_opts: { device: '/' } } } }, 'volumes.d.driver_opts: device=/'],
    [{ volumes: { d: { odd: 1 } } }, 'volumes.d.odd: 1'],
    [{ networks: { n: { name: 'proxy', external: true } } }, 'networks.n: external proxy'],
    [{ networks: { n: { driver: 'macvlan' } } }, 'networks.n.driver: macvlan'],
    [
      { networks: { n: { driver_opts: { 'com.docker.network.bridge.name': 'docker0' } } } },
      'networks.n.driver_opts.com.docker.network.bridge.name: docker0',
    ],
    [{ networks: { n: { ipam: { driver: 'dhcp' } } } }, 'networks.n.ipam.driver: dhcp'],
    [{ secrets: { s: { file: '/home/u/.netrc' } } }, 'secrets.s.file: <home>/.netrc'],
    [{ secrets: { s: { environment: 'TOKEN' } } }, 'secrets.s.environment: TOKEN'],
    [{ secrets: { s: { external: true, name: 'x' } } }, 'secrets.s: external x'],
    [{ configs: { c: { file: '/etc/shadow' } } }, 'configs.c.file: /etc/shadow'],
    [{ configs: { c: { template_driver: 'golang' } } }, 'configs.c.template_driver: golang'],
    [{ models: { ai: { model: 'x' } } }, 'models.ai: {"model":"x"}'],
    [{ plugins: { x: 1 } }, 'plugins: {"x":1}'],
  ] as const) {
    test(expected, () => assert.equal(told(find(model)), [expected]))
  }

  for (const o of ['bind', 'size=1m,bind', 'dev', 'suid', 'remount']) {
    test(`a tmpfs volume with o=${o} is one of others`, () => {
      assert.is(find({ volumes: { d: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o } } } }).length, 3)
    })
  }
})

suite('allow-list: ordinary', (test) => {
  test('all of this passes', () => {
    const app = {
      ...build({
        args: { A: null },
        labels: { a: 'b' },
        target: 't',
        secrets: [{ source: 's' }],
        shm_size: '1',
        ulimits: { nofile: { soft: 1, hard: 2 } },
        platforms: ['linux/amd64'],
        network: 'none',
        cache_to: ['type=inline'],
        pull: true,
        no_cache: false,
        ssh: [],
        privileged: false,
        extra_hosts: ['a=1.2.3.4'],
      }),
      attach: false,
      blkio_config: { weight: 300 },
      cap_add: [],
      cap_drop: ['ALL'],
      command: ['sleep', '1'],
      configs: [{ source: 'c', target: '/c', mode: '0440' }],
      container_name: 'fixed',
      cpus: 1.5,
      depends_on: { db: { condition: 'service_healthy', required: true } },
      deploy: {
        replicas: 1,
        placement: {},
        resources: {
          limits: { cpus: 0.5, memory: '1', pids: 5 },
          reservations: { devices: [{ capabilities: ['gpu', 'compute'], driver: 'nvidia', count: -1 }] },
        },
      },
      develop: { watch: [{ path: '/r/.worktree/w/x', action: 'sync', target: '/w', exec: { command: null } }] },
      dns: ['1.1.1.1'],
      entrypoint: null,
      env_file: [{ path: '/r/.worktree/w/.env', required: false }],
      environment: { A: 'b', N: null },
      extra_hosts: ['host.docker.internal=host-gateway'],
      gpus: [{ count: -1 }],
      group_add: ['docker'],
      healthcheck: { test: ['CMD', 'x'], interval: '5s', start_interval: '1s', disable: false },
      init: true,
      ipc: 'shareable',
      labels: { a: 'b' },
      links: ['db'],
      logging: { driver: 'json-file', options: { 'max-size': '10m' } },
      mem_limit: '1024',
      networks: { default: null, back: { aliases: ['x'], ipv4_address: '10.0.0.2', priority: 1 } },
      oom_score_adj: 100,
      pid: 'service:db',
      ports: [
        { mode: 'ingress', target: 80, published: '8000-8010', host_ip: '0.0.0.0', protocol: 'udp', name: 'web' },
      ],
      post_start: [{ command: ['x'], user: 'root', privileged: false }],
      privileged: false,
      profiles: ['p'],
      pull_policy: 'build',
      restart: 'always',
      runtime: 'runc',
      scale: 2,
      secrets: [{ source: 's', target: '/run/secrets/s' }],
      security_opt: ['no-new-privileges:true', 'no-new-privileges'],
      shm_size: '67108864',
      stdin_open: true,
      stop_grace_period: '1m0s',
      storage_opt: { size: '1G' },
      sysctls: { 'net.core.somaxconn': '1024', 'net.ipv4.ip_unprivileged_port_start': 0, 'net.ipv4.tcp_syncookies': 0 },
      tmpfs: ['/run'],
      ulimits: { nofile: { soft: 1, hard: 2 }, nproc: 5 },
      use_api_socket: false,
      user: 'root',
      volumes: [
        {
          type: 'bind',
          source: '/r/.worktree/w',
          target: '/app',
          bind: { create_host_path: true, propagation: 'rprivate' },
        },
        { type: 'volume', source: 'data', target: '/data', volume: { nocopy: true } },
        { type: 'volume', target: '/anon', volume: {} },
        { type: 'tmpfs', target: '/t', tmpfs: { size: '1' } },
      ],
      volumes_from: ['db:ro'],
      'x-anything': { privileged: true },
    }
    const model = {
      services: { app, db: { image: 'y', network_mode: 'none', gpus: 'all' } },
      networks: {
        default: {
          name: 'fixed',
          driver: 'bridge',
          internal: true,
          ipam: { config: [{ subnet: '10.0.0.0/24' }] },
          driver_opts: { 'com.docker.network.driver.mtu': '1400' },
        },
      },
      volumes: {
        data: { name: 'fixed' },
        none: null,
        t: { driver: 'local', driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=100m,uid=1000' } },
      },
      secrets: { s: { name: 'x', file: '/r/.worktree/w/s.txt' } },
      configs: { c: { content: 'text' } },
      version: '3',
      'x-extension': { anything: [1] },
    }
    assert.equal(told(find(model)), [])
  })

  test('the order of the model does not matter', () => {
    const services = { b: { privileged: true, pid: 'host' }, a: { cap_add: ['B', 'A', 'B'] } }
    const turned = { a: { cap_add: ['A', 'B'] }, b: { pid: 'host', privileged: true } }
    assert.equal(find({ services }), find({ services: turned }))
    assert.equal(
      find({ services }).map(({ path, value }) => `${path}=${value}`),
      ['services.a.cap_add=A', 'services.a.cap_add=B', 'services.b.pid=host', 'services.b.privileged=true'],
    )
  })

  test('a `$` in a path, which compose doubles, is one', () => {
    const model = (source: string) => ({
      name: 'x',
      services: { a: { volumes: [{ type: 'bind', source, target: '/a' }] } },
    })
    const where = { worktree: '/r$A/.worktree/w', repo: '/r$A', home: '/h', realpath: (path: string) => path }
    assert.equal(findUnapproved(model('/r$$A/.worktree/w/x'), where), [])
    assert.match(findUnapproved(model('/r$A$$A'), where)[0]?.value ?? '', /^\/r\$A\$A /)
  })

  test('no value of any shape makes it fail, and what is not nothing is told', () => {
    const word = fc.constantFrom(
      'privileged',
      'volumes',
      'build',
      'networks',
      'ports',
      'env_file',
      'deploy',
      'gpus',
      'sysctls',
      'secrets',
      'labels',
      'zzz',
    )
    fc.assert(
      fc.property(word, fc.jsonValue({ maxDepth: 3 }), (key, value) => {
        const findings = findIn({ [key]: value })
        const nothing =
          value === null ||
          (value === false && key !== 'zzz') ||
          value === '' ||
          (typeof value === 'object' && Object.keys(value).length === 0)
        if (key === 'zzz' || key === 'privileged') assert.is(findings.length > 0, !nothing)
      }),
      { numRuns: 500 },
    )
  })
})

suite('findings', (test) => {
  test('different values never read alike, and nothing a terminal obeys is left', () => {
    const long = 'x'.repeat(500)
    const values = [long, `${long}y`, 'a\u001b[31mb', 'a\\u001b[31mb', 'a\u202eb', 'a\nb', 'a b']
    const findings = values.map((value) => makeFinding('p', value, 'w'))
    assert.is(new Set(findings.map(({ value }) => value)).size, values.length)
    for (const { value } of findings) {
      assert.not.match(value, /[\p{Cc}\p{Cf}]/u)
      assert.ok(value.length < 320, value)
    }
  })

  test('sorted, each once; without those already known', () => {
    const [a, b] = [makeFinding('a', '1', 'one'), makeFinding('b', '1', 'two')]
    assert.equal(
      sortFindings([b, a, { ...a, why: 'other' }]).map(({ path }) => path),
      ['a', 'b'],
    )
    assert.equal(withoutFindings([a, b], [{ ...a, why: 'in other words' }]), [b])
  })
})
