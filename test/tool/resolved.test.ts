/**
 * What is lost between a project's compose file and the file that Nexus writes of it, by the real compose: nothing that a container,
 * a network or a volume would get. Compose's own hash of a service is of all that it makes a container from.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import type { ComposeModel } from '../../lib/stack/model.ts'
import { parseResolved } from '../../lib/stack/resolved.ts'
import { formatResolved } from '../../lib/system/render.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createDocker } from '../../lib/tools/docker.ts'
import { withOwnNames } from '../../lib/trust/environment.ts'
import { must } from '../scenario/scene.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

/** Zeros, empty and negative values, sizes, modes and the like: each line becomes a service. */
const SERVICES = `
{ulimits: {core: 0, nofile: {soft: 0, hard: 5}, nproc: {soft: 5, hard: 0}, memlock: -1, stack: 9223372036854775807}}
{mem_limit: -1, memswap_limit: -1, mem_reservation: -1, shm_size: -1, mem_swappiness: -1}
{mem_limit: 0, memswap_limit: 0, mem_reservation: 0, shm_size: 0, mem_swappiness: 0}
{mem_limit: 1.5g, memswap_limit: 9g, mem_reservation: 5m, shm_size: 64m, mem_swappiness: 60}
{cpu_shares: 0, cpu_quota: -1, cpu_period: 0, cpus: 0, cpuset: "", oom_score_adj: 0}
{cpus: "0.1", pids_limit: -1}
{pids_limit: 0}
{deploy: {resources: {limits: {pids: -1}}}}
{deploy: {resources: {limits: {memory: "0", cpus: "0.10", pids: 0}, reservations: {memory: 20M, cpus: "0.25"}}}}
{deploy: {resources: {limits: {}, reservations: {devices: [{capabilities: [gpu], count: 0}]}}}}
{deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}, {capabilities: [gpu], device_ids: ["0"]}]}}}}
{deploy: {replicas: 0, restart_policy: {condition: none, max_attempts: 0, delay: 0s, window: 0s}}}
{blkio_config: {weight: 0, weight_device: [{path: /dev/sda, weight: 0}], device_read_bps: [{path: /dev/sda, rate: 12mb}]}}
{blkio_config: {device_write_iops: [{path: /dev/sda, rate: 0}]}}
{entrypoint: [], command: []}
{entrypoint: "", command: ""}
{entrypoint: [""], command: ["a", "", "$$x"]}
{healthcheck: {retries: 0, interval: 0s, timeout: 1m30s, start_period: 0s}}
{healthcheck: {disable: true}}
{healthcheck: {test: [NONE]}}
{stop_grace_period: 0s, stop_signal: "", init: false, tty: false, stdin_open: false, read_only: false, privileged: false}
{init: true, tty: true, stdin_open: true, read_only: true, attach: false}
{oom_kill_disable: false, scale: 0}
{environment: {A: , B: "", C: true, D: 0, E: 1.5, F: 010, G: "$$x", H: 12345678901234567890}}
{environment: [A, B=, "C=$$x"], labels: [a, b=]}
{labels: {a: , b: "", c: false, d: 0}, annotations: {a: ""}}
{extra_hosts: {}, sysctls: {net.core.somaxconn: 0}, dns: [], dns_search: ., group_add: [0, x], cap_add: [], devices: []}
{user: "", working_dir: "", hostname: "", domainname: "", restart: "no"}
{user: 0:0, restart: "on-failure:0"}
{logging: {driver: none}}
{logging: {driver: "", options: {max-size: 2m, max-file: 2, x: }}}
{tmpfs: ["/x:mode=755,size=0"], volumes: [{type: tmpfs, target: /t, tmpfs: {size: 0, mode: 0o700}}]}
{volumes: [{type: tmpfs, target: /t, tmpfs: {size: 5m, mode: 0}}, {type: tmpfs, target: /u}]}
{volumes: [{type: bind, source: ., target: /b, read_only: false, bind: {create_host_path: false}}, ".:/c", "/anon"]}
{volumes: [{type: volume, source: v, target: /v, volume: {nocopy: false}}, "v:/w:nocopy", "v:/x:ro"]}
{secrets: [s, {source: s, target: t, uid: "0", gid: "0", mode: 0}, {source: s, target: u, mode: 0440}]}
{configs: [{source: c, target: /c, mode: 0o400}, {source: c, target: /d, mode: 0}]}
{ports: ["80", "127.0.0.1:8080:80", "9000-9001:9000-9001/udp", "0:81", {target: 82, published: ""}], expose: [80, "81-82/udp"]}
{networks: {n: {priority: 0, aliases: [], ipv4_address: ""}, default: }}
{networks: []}
{network_mode: none, ipc: "", pid: "", uts: "", userns_mode: "", runtime: "", cgroup_parent: ""}
{depends_on: {s0: {condition: service_started, restart: false, required: false}}, profiles: [], security_opt: [], storage_opt: {}}
{build: {context: ., args: {X: "", Y: , Z: 0}, no_cache: false, pull: false, shm_size: 0, ulimits: {core: 0}, tags: []}}
{build: {context: ., shm_size: -1, target: "", platforms: [], labels: {a: ""}, secrets: [{source: s, mode: 0}]}}
{x-own: {a: , b: 0, c: [], d: 12345678901234567890}}
`
  .trim()
  .split('\n')
  .map((line, i) => `  s${i}: {image: i, ${line.slice(1)}`)

const FILE = `
services:
${SERVICES.join('\n')}
networks:
  default: {internal: false, attachable: false, enable_ipv6: false, driver_opts: {b: 0, c: ""}, labels: {a: }}
  n: {ipam: {driver: "", config: [{subnet: 10.9.0.0/24, aux_addresses: {}}], options: {}}}
volumes:
  v: {driver_opts: {type: tmpfs, o: "", device: x}, labels: [a]}
secrets:
  s: {file: ./compose.yaml}
configs:
  c: {content: "a $$b"}
`

const PROJECT = 'nexus-resolved'
const run = createRunner(() => {}, process.env, createInterruption())
const docker = createDocker(run, process.env)

async function read(directory: string, file: string): Promise<{ model: ComposeModel; hashes: readonly string[] }> {
  const place = { directory, project: PROJECT, envFile: '/dev/null' }
  const { json } = await docker.resolve({ files: [file], ...place, env: { B: undefined } })
  const compose = ['docker', 'compose', '-f', file, '--project-directory', directory, '-p', PROJECT]
  const hashes = await must([...compose, 'config', '--hash', '*'])
  return { model: parseResolved(json), hashes: hashes.trim().split('\n').sort() }
}

suite('the resolved model', (test) => {
  test('compose reads from the file that Nexus writes what it read from those of the project', async () => {
    await using dir = await tempDir()
    const [file, written] = [join(dir.path, 'compose.yaml'), join(dir.path, 'resolved.yml')]
    await writeFile(file, FILE)
    const first = await read(dir.path, file)
    assert.is(Object.keys(first.model.services).length, SERVICES.length)
    await writeFile(written, formatResolved(withOwnNames(first.model), '# x'))
    const second = await read(dir.path, written)
    assert.equal(second.model, first.model)
    assert.equal(second.hashes, first.hashes)
    assert.is(first.hashes.length, SERVICES.length)
  })
})
