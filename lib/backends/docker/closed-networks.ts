/**
 * The self-test of a guarded workspace: what its compose file asks for is one thing, what the engine made of it another. The kernel
 * of this machine is asked about the network of every container but the gate's; nothing inside is asked, as it could lie.
 */
import { NexusError } from '../../core/errors.ts'
import { composeProject } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { GATE_SERVICE } from '../../network/network.ts'
import { networkOfProcess } from '../../system/net.ts'
import type { Docker } from '../../tools/docker.ts'
import { createDockerApi } from '../../tools/docker-api.ts'
import type { BackendContext } from '../context.ts'
import { PROJECT_LABEL, SERVICE_LABEL } from './labels.ts'
import type { Helpers } from './own-container.ts'
import { targetOf } from './target.ts'

interface Running {
  readonly id: string
  readonly name: string
  readonly service: string
  /** On the engine's machine. */
  readonly pid: number
}

/**
 * Stops the workspace where a container of it has a way past the gate.
 * @throws {NexusError} WORKSPACE_START_FAILED
 */
export async function requireClosed(
  docker: Docker,
  context: BackendContext,
  record: WorkspaceRecord,
  helpers: () => Promise<Helpers>,
): Promise<void> {
  const running = await listRunning(context, record)
  const networks = await networksOf(record, running, helpers)
  for (const [i, { name, service }] of running.entries()) {
    const [way] = service === GATE_SERVICE ? [] : openWays(networks[i] ?? '')
    if (way === undefined) continue
    await docker.stop(targetOf(context.home, record))
    const withoutGate = `run \`nexus up ${record.name} --network open\` under a new name`
    throw new NexusError(
      'WORKSPACE_START_FAILED',
      `The container ${name} has ${way}, which leads past the gate, so ${record.name} was stopped.`,
      {
        hint: `To see how it was made, run \`docker inspect ${name}\`; to work without a gate, ${withoutGate}`,
        details: { container: name, service, way },
      },
    )
  }
}

async function listRunning({ env }: BackendContext, record: WorkspaceRecord): Promise<readonly Running[]> {
  const api = createDockerApi(env)
  const listed = await api.list(`${PROJECT_LABEL}=${composeProject(record)}`)
  const details = await Promise.all(listed.map(({ Id }) => api.inspect(Id)))
  return listed.flatMap(({ Id, Names, Labels }, i) => {
    const pid = details[i]?.State.Pid ?? 0
    const name = (Names[0] ?? Id).replace(/^\//, '')
    return pid === 0 ? [] : [{ id: Id, name, service: Labels[SERVICE_LABEL] ?? '', pid }]
  })
}

/**
 * What the kernel tells of each; '' for one that ended meanwhile. Where the engine runs in a virtual machine, its processes are not
 * seen from here, and a container of Nexus's own looks.
 */
async function networksOf(
  record: WorkspaceRecord,
  running: readonly Running[],
  helpers: () => Promise<Helpers>,
): Promise<readonly string[]> {
  const seen = await Promise.all(running.map(({ pid, id }) => networkOfProcess(pid, id)))
  if (running.length === 0 || seen.some((text) => text !== undefined)) return seen.map((text) => text ?? '')
  const script = 'for pid; do cat "/proc/$pid/net/if_inet6" "/proc/$pid/net/route" 2>/dev/null; echo --; done'
  const pids = running.map(({ pid }) => String(pid))
  const text = await (await helpers()).run(record, {
    user: '0:0',
    mounts: [],
    labels: { 'dev.nexus.helper': 'network' },
    seesProcesses: true,
    argv: ['/bin/bash', '-c', script, 'bash', ...pids],
  })
  return text.split('--\n')
}

/** Of a network as `/proc` tells it: IPv6 addresses beside loopback's, and IPv4 routes that lead further than its own networks. */
export function openWays(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [first = '', second = '', third = '', , , device] = line.trim().split(/\s+/)
    if (/^[0-9a-f]{32}$/.test(first)) {
      return device === 'lo' ? [] : [`the IPv6 address ${first.replace(/(.{4})(?=.)/g, '$1:')} on ${device}`]
    }
    const isRoute = /^[0-9A-F]{8}$/.test(second) && /^[0-9A-F]{8}$/.test(third)
    return isRoute && (second === '00000000' || third !== '00000000') ? [`an IPv4 route that leaves ${first}`] : []
  })
}
