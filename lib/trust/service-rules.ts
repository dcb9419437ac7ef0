/**
 * The allow-list's rules for a service. What is not in the table is reported, so that a setting of a newer compose is
 * asked about until somebody has thought about it. Ports, names of containers and addresses are not judged: Nexus
 * replaces them. Pure.
 */

import { build } from './build-rules.ts'
import { fileRule, useOf } from './resource-rules.ts'
import {
  asText,
  deny,
  denyEach,
  isObject,
  isScalar,
  keys,
  labels,
  listOf,
  mapOf,
  type Rule,
  reportPlace,
  scalar,
  scalarOr,
  scalars,
  textLike,
} from './rules.ts'
import { sysctls } from './sysctls.ts'

const FULL_ACCESS = 'full access to this machine'
const OTHER_CONTAINER = [/^container:/, 'joins a container outside of this workspace'] as const
const SHELL_HOOK = keys({
  command: scalars,
  user: scalar,
  working_dir: scalar,
  environment: scalars,
  privileged: deny(FULL_ACCESS),
})
const USES = listOf((value, at, inspection) => useOf(inspection, value, at))

/** Its own namespace, or that of another service. */
function namespace(own: RegExp, what: string): Rule {
  return textLike(own, [/^host$/, `sees ${what} of this machine`], OTHER_CONTAINER)
}

const MOUNT = keys({
  type: textLike(/^(bind|volume|tmpfs|image)$/, [/^npipe$/, 'reaches a pipe of this machine']),
  source: scalar,
  target: scalar,
  read_only: scalar,
  consistency: scalar,
  bind: keys({
    create_host_path: scalar,
    selinux: scalar,
    recursive: scalar,
    propagation: textLike(/^(r?private|r?slave)$/, [/shared/, 'mounts inside also appear on this machine']),
  }),
  volume: keys({ nocopy: scalar, subpath: scalar, labels }),
  tmpfs: keys({ size: scalar, mode: scalar }),
  image: keys({ subpath: scalar }),
})

const mount: Rule = (value, at, inspection) => {
  MOUNT(value, at, inspection)
  if (!isObject(value) || value.type !== 'bind') return
  const place = inspection.places.outside(asText(value.source ?? ''))
  if (place === undefined) return
  const readOnly = value.read_only === true
  const how = ` on ${asText(value.target)}${readOnly ? ', read only' : ''}`
  if (readOnly) return reportPlace(place, 'reads', at, inspection, how)
  const what = /^files /.test(place.what) ? `${place.what}, as your other branches do` : place.what
  reportPlace({ ...place, what }, 'reads and writes', at, inspection, how)
}

/** A graphics card, by the runtime of its driver; any other device is reported. */
const gpu: Rule = (value, at, inspection) => {
  if (value === 'all') return
  for (const device of [value].flat()) {
    const driver = isObject(device) ? (device.driver ?? '') : ''
    const capabilities = isObject(device) ? [device.capabilities ?? ['gpu']].flat(2) : []
    if (capabilities.includes('gpu') && ['', 'nvidia', 'amd'].includes(asText(driver))) {
      keys({ capabilities: scalars, count: scalar, device_ids: scalars, driver: scalar, options: scalars })(
        device,
        at,
        inspection,
      )
    } else inspection.report(at, device, 'uses a device of this machine')
  }
}

const UPDATE = keys({
  parallelism: scalar,
  delay: scalar,
  failure_action: scalar,
  monitor: scalar,
  max_failure_ratio: scalar,
  order: scalar,
})

const DEPLOY = keys({
  mode: scalar,
  replicas: scalar,
  endpoint_mode: scalar,
  labels,
  // for swarms, and compose's own way to start again
  update_config: UPDATE,
  rollback_config: UPDATE,
  restart_policy: keys({ condition: scalar, delay: scalar, max_attempts: scalar, window: scalar }),
  placement: keys({
    constraints: scalars,
    preferences: listOf(keys({ spread: scalar })),
    max_replicas_per_node: scalar,
  }),
  resources: keys({
    limits: keys({ cpus: scalar, memory: scalar, pids: scalar }),
    reservations: keys({
      cpus: scalar,
      memory: scalar,
      pids: scalar,
      generic_resources: listOf(keys({ discrete_resource_spec: keys({ kind: scalar, value: scalar }) })),
      devices: gpu,
    }),
  }),
})

const ENDPOINT = keys({
  aliases: scalars,
  ipv4_address: scalar,
  ipv6_address: scalar,
  link_local_ips: scalars,
  mac_address: scalar,
  interface_name: scalar,
  priority: scalar,
  gw_priority: scalar,
  driver_opts: denyEach('sets options of the network on this machine'),
})

const envFile: Rule = (value, at, inspection) => {
  const path = isObject(value) ? value.path : value
  fileRule('gives containers')(path ?? '', at, inspection)
  if (isObject(value)) keys({ path: scalar, required: scalar, format: scalar })(value, at, inspection)
}

const FILES = (rule: Rule): Rule => {
  return (value, at, inspection) => {
    for (const one of [value].flat()) rule(one, at, inspection)
  }
}

/** What `docker compose watch` copies into the container; only its user starts that. */
const WATCH = keys({
  path: fileRule('gives containers'),
  action: scalar,
  target: scalar,
  ignore: scalars,
  include: scalars,
  initial_sync: scalar,
  exec: SHELL_HOOK,
})

const RATES = listOf(keys({ path: scalar, rate: scalar, weight: scalar }))

/** Settings of the service alone: what it runs, what it is called, what it may use up. */
const WITHIN: Readonly<Record<string, Rule>> = {
  attach: scalar,
  blkio_config: keys({
    weight: scalar,
    weight_device: RATES,
    device_read_bps: RATES,
    device_read_iops: RATES,
    device_write_bps: RATES,
    device_write_iops: RATES,
  }),
  cap_drop: scalars,
  command: scalars,
  container_name: scalar,
  cpu_count: scalar,
  cpu_percent: scalar,
  cpu_period: scalar,
  cpu_quota: scalar,
  cpu_rt_period: scalar,
  cpu_rt_runtime: scalar,
  cpu_shares: scalar,
  cpus: scalar,
  cpuset: scalar,
  depends_on: mapOf(keys({ condition: scalar, required: scalar, restart: scalar })),
  develop: keys({ watch: listOf(WATCH) }),
  dns: scalars,
  dns_opt: scalars,
  dns_search: scalars,
  domainname: scalar,
  entrypoint: scalars,
  environment: scalars,
  expose: scalars,
  extra_hosts: scalars,
  group_add: scalars,
  healthcheck: keys({
    test: scalars,
    interval: scalar,
    timeout: scalar,
    retries: scalar,
    start_period: scalar,
    start_interval: scalar,
    disable: scalar,
  }),
  hostname: scalar,
  image: scalar,
  init: scalar,
  labels,
  links: scalars,
  mac_address: scalar,
  mem_limit: scalar,
  mem_reservation: scalar,
  mem_swappiness: scalar,
  memswap_limit: scalar,
  name: scalar,
  pids_limit: scalar,
  platform: scalar,
  ports: listOf(
    keys({
      name: scalar,
      target: scalar,
      published: scalar,
      host_ip: scalar,
      protocol: scalar,
      mode: scalar,
      app_protocol: scalar,
    }),
  ),
  profiles: scalars,
  pull_policy: scalar,
  pull_refresh_after: scalar,
  read_only: scalar,
  restart: scalar,
  scale: scalar,
  shm_size: scalar,
  stdin_open: scalar,
  stop_grace_period: scalar,
  stop_signal: scalar,
  storage_opt: keys({ size: scalar }),
  tmpfs: scalars,
  tty: scalar,
  ulimits: mapOf(scalarOr(keys({ soft: scalar, hard: scalar }))),
  user: scalar,
  working_dir: scalar,
}

/** Settings that may reach beyond it. */
const BEYOND: Readonly<Record<string, Rule>> = {
  annotations: denyEach('is read by the container runtime of this machine'),
  build,
  cap_add: denyEach('more rights than a container has by default'),
  cgroup: namespace(/^private$/, 'the control groups'),
  cgroup_parent: deny('runs outside of the limits of this workspace'),
  configs: USES,
  credential_spec: deny('uses credentials of this machine'),
  deploy: DEPLOY,
  device_cgroup_rules: denyEach('uses devices of this machine'),
  devices: denyEach('uses a device of this machine'),
  env_file: FILES(envFile),
  external_links: denyEach('shared with what is outside of this workspace'),
  gpus: gpu,
  ipc: namespace(/^(private|shareable|none|service:.+)$/, 'the shared memory'),
  isolation: textLike(/^default$/),
  label_file: FILES(envFile),
  logging: keys({
    driver: textLike(/^(json-file|local|none)$/, [/./, 'sends logs to a service of this machine or the network']),
    options: scalars,
  }),
  models: deny('starts a model on this machine'),
  network_mode: textLike(
    /^(none|bridge|default|service:.+)$/,
    [/^host$/, 'the network of this machine, with all that listens there'],
    OTHER_CONTAINER,
    [/./, 'shared with what is outside of this workspace'],
  ),
  networks: mapOf(ENDPOINT),
  oom_kill_disable: deny('may use up the memory of this machine'),
  oom_score_adj: (value, at, { report }) => {
    if (!(Number(value) >= 0)) report(at, value, 'is kept when programs of this machine are ended for want of memory')
  },
  pid: namespace(/^service:.+$/, 'all processes'),
  post_start: listOf(SHELL_HOOK),
  pre_stop: listOf(SHELL_HOOK),
  privileged: deny(FULL_ACCESS),
  provider: deny('runs a program of this machine'),
  runtime: textLike(/^runc$/, [/./, 'runs by another runtime of this machine']),
  secrets: USES,
  security_opt: listOf(
    textLike(/^no-new-privileges([:=](true|false))?$/, [/./, 'weakens what keeps the container from this machine']),
  ),
  sysctls,
  use_api_socket: deny('the Docker socket, which is full control of this machine'),
  userns_mode: namespace(/^$/, 'the users'),
  uts: namespace(/^$/, 'and sets the host name'),
  volumes: listOf(mount),
  volumes_from: listOf((value, at, { report }) => {
    if (!isScalar(value) || /^container:/.test(String(value))) report(at, value, OTHER_CONTAINER[1])
  }),
}

export const service: Rule = keys({ ...WITHIN, ...BEYOND })
