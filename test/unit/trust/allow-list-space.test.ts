/**
 * The allow-list over all of the compose specification's keys: models that are made of harmless values alone ask for nothing, and
 * with anything at all put in or changed somewhere, at whatever depth, they ask. SCHEMA is the list of the specification's schema;
 * each of its keys has a harmless value here, or one that is asked about.
 */
import fc from 'fast-check'
import type { ComposeModel } from '../../../lib/stack/model.ts'
import { findUnapproved } from '../../../lib/trust/allow-list.ts'
import { FUZZ, FUZZ_LIMIT_MS } from '../../support/fuzz.ts'
import { assert, suite } from '../../support/suite.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Path = readonly (string | number)[]
type Makers = Readonly<Record<string, fc.Arbitrary<unknown>>>

const WHERE = { worktree: '/r/.worktree/w', repo: '/r', home: '/home/u' }
/** A model is large, and so is what is told of one that fails. */
const RUNS = { ...FUZZ, numRuns: FUZZ.numRuns / 2, endOnFailure: true }
const find = (model: unknown) => findUnapproved(model as ComposeModel, WHERE)

const SCHEMA: Readonly<Record<string, readonly string[]>> = {
  service: [
    ...['annotations', 'attach', 'blkio_config', 'build', 'cap_add', 'cap_drop', 'cgroup', 'cgroup_parent', 'command'],
    ...['configs', 'container_name', 'cpu_count', 'cpu_percent', 'cpu_period', 'cpu_quota', 'cpu_rt_period'],
    ...['cpu_rt_runtime', 'cpu_shares', 'cpus', 'cpuset', 'credential_spec', 'depends_on', 'deploy', 'develop'],
    ...['device_cgroup_rules', 'devices', 'dns', 'dns_opt', 'dns_search', 'domainname', 'entrypoint', 'env_file'],
    ...['environment', 'expose', 'external_links', 'extra_hosts', 'gpus', 'group_add', 'healthcheck', 'hostname'],
    ...['image', 'init', 'ipc', 'isolation', 'label_file', 'labels', 'links', 'logging', 'mac_address', 'mem_limit'],
    ...['mem_reservation', 'mem_swappiness', 'memswap_limit', 'models', 'network_mode', 'networks', 'oom_kill_disable'],
    ...['oom_score_adj', 'pid', 'pids_limit', 'platform', 'ports', 'post_start', 'pre_stop', 'privileged', 'profiles'],
    ...['provider', 'pull_policy', 'pull_refresh_after', 'read_only', 'restart', 'runtime', 'scale', 'secrets'],
    ...[
      'security_opt',
      'shm_size',
      'stdin_open',
      'stop_grace_period',
      'stop_signal',
      'storage_opt',
      'sysctls',
      'tmpfs',
    ],
    ...['tty', 'ulimits', 'use_api_socket', 'user', 'userns_mode', 'uts', 'volumes', 'volumes_from', 'working_dir'],
  ],
  build: [
    ...['additional_contexts', 'args', 'cache_from', 'cache_to', 'context', 'dockerfile', 'dockerfile_inline'],
    ...['entitlements', 'extra_hosts', 'isolation', 'labels', 'network', 'no_cache', 'no_cache_filter', 'platforms'],
    ...['privileged', 'provenance', 'pull', 'sbom', 'secrets', 'shm_size', 'ssh', 'tags', 'target', 'ulimits'],
  ],
  network: [
    ...['attachable', 'driver', 'driver_opts', 'enable_ipv4', 'enable_ipv6', 'external', 'internal', 'ipam', 'labels'],
    'name',
  ],
  volume: ['driver', 'driver_opts', 'external', 'labels', 'name'],
  secret: ['driver', 'driver_opts', 'environment', 'external', 'file', 'labels', 'name', 'template_driver'],
  config: ['content', 'environment', 'external', 'file', 'labels', 'name', 'template_driver'],
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/)
const count = fc.integer({ min: 1, max: 99 })
const flag = fc.constant(true)
const one = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 2 })
const named = <T>(value: fc.Arbitrary<T>) =>
  fc.dictionary(word, value, { minKeys: 1, maxKeys: 2, noNullPrototype: true })
/** Any of them, perhaps none. */
const part = (makers: Makers) => fc.record(makers, { requiredKeys: [], noNullPrototype: true })
const plain = (keys: string, value: fc.Arbitrary<unknown> = word): Makers =>
  Object.fromEntries(keys.split(' ').map((key) => [key, value]))

const inside = word.map((name) => `/r/.worktree/w/${name}`)
const texts = fc.oneof(some(word), named(word))
const limit = fc.oneof(count, part(plain('soft hard', count)))
const hook = part({ ...plain('user working_dir'), command: some(word), environment: named(word) })
const use = part({ ...plain('source target uid gid mode') })
const gpu = fc.record({ capabilities: fc.constant(['gpu']), count }, { noNullPrototype: true })
const rate = fc.record({ path: word, rate: count }, { noNullPrototype: true })
const update = part(plain('parallelism delay failure_action monitor max_failure_ratio order'))

const BUILD: Makers = {
  ...plain('dockerfile_inline target shm_size provenance sbom dockerfile'),
  ...plain('no_cache pull', flag),
  context: inside,
  additional_contexts: named(fc.oneof(inside, one('docker-image://x', 'service:y'))),
  args: texts,
  labels: texts,
  cache_from: some(one('x:1', 'type=registry,ref=x', 'type=gha,scope=x')),
  cache_to: some(one('type=inline', 'type=inline,mode=max')),
  extra_hosts: texts,
  isolation: one('default'),
  network: one('default', 'none'),
  no_cache_filter: some(word),
  platforms: some(word),
  secrets: some(use),
  ulimits: named(limit),
}

const mount = fc.oneof(
  fc.record({ type: one('bind'), source: inside, target: word, bind: part({ create_host_path: flag }) }),
  fc.record({ type: one('volume'), source: word, target: word, volume: part({ nocopy: flag, subpath: word }) }),
  fc.record({ type: one('tmpfs'), target: word, tmpfs: part(plain('size mode', count)) }),
  fc.record({ type: one('image'), source: word, target: word, image: part({ subpath: word }) }),
)

const SERVICE: Makers = {
  ...plain('container_name cpuset domainname hostname image mac_address platform pull_policy restart stop_signal user'),
  ...plain('mem_limit mem_reservation memswap_limit pull_refresh_after shm_size stop_grace_period working_dir'),
  ...plain('cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus', count),
  ...plain('mem_swappiness oom_score_adj pids_limit scale', count),
  ...plain('attach init read_only stdin_open tty', flag),
  ...plain('cap_drop command dns dns_opt dns_search entrypoint expose group_add links profiles tmpfs', some(word)),
  ...plain('environment extra_hosts labels', texts),
  ...plain('configs secrets', some(use)),
  ...plain('post_start pre_stop', some(hook)),
  blkio_config: part({
    weight: count,
    ...plain('weight_device device_read_bps device_read_iops device_write_bps device_write_iops', some(rate)),
  }),
  build: part(BUILD),
  cgroup: one('private'),
  depends_on: named(part({ condition: word, required: flag, restart: flag })),
  deploy: part({
    ...plain('mode endpoint_mode'),
    replicas: count,
    labels: texts,
    ...plain('update_config rollback_config', update),
    restart_policy: part(plain('condition delay max_attempts window')),
    placement: part({
      constraints: some(word),
      preferences: some(fc.record({ spread: word })),
      max_replicas_per_node: count,
    }),
    resources: part({
      limits: part(plain('cpus memory pids', count)),
      reservations: part({
        ...plain('cpus memory', count),
        devices: some(gpu),
        generic_resources: some(fc.record({ discrete_resource_spec: part(plain('kind value')) })),
      }),
    }),
  }),
  develop: part({ watch: some(part({ ...plain('action target'), path: inside, ignore: some(word), exec: hook })) }),
  env_file: some(part({ path: inside, required: flag, format: word })),
  gpus: some(gpu),
  healthcheck: part({ ...plain('interval timeout retries start_period start_interval'), test: some(word) }),
  ipc: one('private', 'shareable', 'none', 'service:x'),
  isolation: one('default'),
  label_file: some(inside),
  logging: part({ driver: one('json-file', 'local', 'none'), options: named(word) }),
  network_mode: one('none', 'service:x'),
  networks: named(
    part({
      ...plain('ipv4_address ipv6_address mac_address interface_name'),
      ...plain('priority gw_priority', count),
      ...plain('aliases link_local_ips', some(word)),
    }),
  ),
  pid: one('service:x'),
  ports: some(part(plain('name target published host_ip protocol mode app_protocol'))),
  runtime: one('runc'),
  security_opt: some(one('no-new-privileges:true')),
  storage_opt: part({ size: count }),
  sysctls: fc.oneof(
    part({ 'net.core.somaxconn': count, 'net.ipv6.conf.all.disable_ipv6': one(1) }),
    some(one('net.ipv4.ip_local_port_range=1024 65535', 'net.ipv4.tcp_keepalive_time=60')),
  ),
  ulimits: named(limit),
  volumes: some(mount),
  volumes_from: some(one('x', 'x:ro')),
}

const LABELLED: Makers = { name: word, labels: texts }
const FILE: Makers = { ...LABELLED, file: inside }
const RESOURCES: Readonly<Record<string, Makers>> = {
  network: {
    ...LABELLED,
    ...plain('attachable internal enable_ipv4 enable_ipv6', flag),
    driver: one('bridge', 'default'),
    driver_opts: part({ 'com.docker.network.driver.mtu': count }),
    ipam: part({
      driver: one('default'),
      config: some(part({ ...plain('subnet ip_range gateway'), aux_addresses: named(word) })),
    }),
  },
  volume: {
    ...LABELLED,
    driver: one('local', 'default'),
    driver_opts: one({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=7' }),
  },
  secret: FILE,
  config: { ...FILE, content: word },
}

/** Each with a value that is asked about; those without a harmless value stand here only. */
const ASKED: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  service: {
    annotations: { a: 'b' },
    cap_add: ['SYS_ADMIN'],
    cgroup: 'host',
    cgroup_parent: 'x',
    credential_spec: { config: 'x' },
    device_cgroup_rules: ['c 1:3 mr'],
    devices: [{ source: '/dev/kvm', target: '/dev/kvm', permissions: 'rwm' }],
    env_file: [{ path: '/etc/passwd' }],
    external_links: ['x'],
    gpus: [{ capabilities: ['tpu'] }],
    ipc: 'host',
    isolation: 'process',
    label_file: ['/etc/passwd'],
    logging: { driver: 'syslog' },
    models: { x: null },
    network_mode: 'host',
    networks: { default: { driver_opts: { a: 'b' } } },
    oom_kill_disable: true,
    oom_score_adj: -1,
    pid: 'host',
    post_start: [{ command: 'x', privileged: true }],
    pre_stop: [{ command: 'x', privileged: true }],
    privileged: true,
    provider: { type: 'x' },
    runtime: 'io.containerd.runc.v2',
    security_opt: ['seccomp:unconfined'],
    sysctls: { 'net.ipv6.conf.default.disable_ipv6': '0' },
    use_api_socket: true,
    userns_mode: 'host',
    uts: 'host',
    volumes: [{ type: 'bind', source: '/etc', target: '/x' }],
    volumes_from: ['container:x'],
  },
  build: {
    additional_contexts: { a: '/etc' },
    cache_from: ['type=local,src=/x'],
    cache_to: ['type=inline,type=local,dest=/x'],
    context: '/etc',
    dockerfile: '/etc/passwd',
    entitlements: ['security.insecure'],
    isolation: 'process',
    network: 'host',
    privileged: true,
    ssh: ['default'],
    tags: ['x'],
  },
  network: { driver: 'macvlan', driver_opts: { parent: 'eth0' }, external: true, ipam: { driver: 'x' } },
  volume: { driver: 'x', driver_opts: { type: 'none', device: '/', o: 'bind' }, external: true },
  secret: {
    ...{ driver: 'x', driver_opts: { a: 'b' }, environment: 'X', external: true, file: '/etc/passwd' },
    template_driver: 'x',
  },
  config: { environment: 'X', external: true, file: '/etc/passwd', template_driver: 'x' },
}

const service = part(SERVICE)
const resource = (kind: string) => named(part(RESOURCES[kind] ?? {}))
const harmless = fc
  .record({
    services: named(service),
    networks: resource('network'),
    volumes: resource('volume'),
    secrets: resource('secret'),
    configs: resource('config'),
  })
  .map((model) => ({ name: 'x', ...model }) as unknown as Json)

/** Of everything in it. */
function pathsOf(value: Json, path: Path = []): readonly Path[] {
  const below =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) =>
          pathsOf(inner as Json, [...path, Array.isArray(value) ? Number(key) : key]),
        )
      : []
  return [path, ...below]
}

/** A copy with what stands at the path changed. */
function changed(value: Json, [key, ...rest]: Path, change: (old: Json) => Json): Json {
  if (key === undefined) return change(value)
  if (Array.isArray(value)) return value.map((item, i) => (i === key ? changed(item, rest, change) : item))
  const object = value as { readonly [key: string]: Json }
  return { ...object, [key]: changed(object[String(key)] ?? null, rest, change) }
}

const ODD = { junk: 'x' }
/** At whatever is there: one key more, one item more, or something else in its place. */
function withOdd(old: Json, key: string): Json {
  if (Array.isArray(old)) return [...old, ODD]
  return typeof old === 'object' && old !== null ? { ...old, [key]: ODD } : ODD
}

const placeOf = (kind: string, key: string, value: Json): Json => {
  if (kind === 'service') return { services: { app: { [key]: value } } }
  if (kind === 'build') return { services: { app: { build: { [key]: value } } } }
  return { [`${kind}s`]: { app: { [key]: value } } }
}

suite('allow-list: the whole space', (test) => {
  const makers: Readonly<Record<string, Makers>> = { service: SERVICE, build: BUILD, ...RESOURCES }
  for (const [kind, keys] of Object.entries(SCHEMA)) {
    test(`every key of a ${kind} has a value here, and no other has`, () => {
      const known = new Set([...Object.keys(makers[kind] ?? {}), ...Object.keys(ASKED[kind] ?? {})])
      assert.equal([...known].sort(), [...keys].sort())
    })
  }

  test(
    'what is harmless asks for nothing',
    () =>
      fc.assert(
        fc.property(harmless, (model) => assert.equal(find(model), [])),
        FUZZ,
      ),
    FUZZ_LIMIT_MS,
  )

  test(
    'anything put in or changed, at whatever depth, is asked about',
    () =>
      fc.assert(
        fc.property(harmless, fc.nat(), fc.stringMatching(/^[a-w][a-z_.]{0,8}$/), (model, n, key) => {
          const paths = pathsOf(model).filter((path) => path.at(-1) !== 'name' || path.length > 1)
          const path = paths[n % paths.length] ?? []
          const findings = find(changed(model, path, (old) => withOdd(old, key)))
          assert.ok(findings.length > 0, `nothing is said of ${path.join('.')}`)
        }),
        RUNS,
      ),
    FUZZ_LIMIT_MS,
  )

  for (const [kind, asked] of Object.entries(ASKED)) {
    for (const [key, value] of Object.entries(asked)) {
      test(`${key} of a ${kind} is asked about, whatever stands beside it`, () => {
        assert.ok(find(placeOf(kind, key, value)).length > 0)
        const beside = (model: Json) => ({ ...(model as object), ...(placeOf(kind, key, value) as object) })
        fc.assert(
          fc.property(harmless, (model) => find(beside(model)).length > 0),
          { ...RUNS, numRuns: 20 },
        )
      })
    }
  }
})
