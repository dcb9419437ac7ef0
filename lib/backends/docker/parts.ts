/**
 * The containers of a workspace one by one: state, health, since when, what each uses at this moment. One look for the list and
 * one for each container, all side by side, over the engine's API. Reads only.
 */
import type { ProcessResource, ServiceLoad, ServiceResource } from '../../core/status.ts'
import type { PortResource, WorkspaceRecord } from '../../core/workspace.ts'
import {
  type ContainerDetails,
  type ContainerSummary,
  createDockerApi,
  type UsageSample,
} from '../../tools/docker-api.ts'
import type { BackendContext } from '../context.ts'
import { SERVICE_LABEL } from './labels.ts'
import { isPart, MAIN_SERVICE, mainServiceOf } from './observation.ts'

/** Long enough for a share of the processor that means something, and short for who waits. */
const BETWEEN_SAMPLES_MS = 500
const PS_OPTIONS = '-eo pid,user:32,pcpu,rss,etime,args'
const NEVER = '0001-01-01T00:00:00Z'

export interface Part {
  readonly id: string
  readonly container: string
  readonly service: string
  readonly running: boolean
}

export function createParts({ env, instance }: Pick<BackendContext, 'env' | 'instance'>) {
  const api = createDockerApi(env)

  /** In the order: the workspace's own container, then by name. */
  async function list(record: WorkspaceRecord): Promise<readonly Part[]> {
    const found = await api.list(`dev.nexus.workspace=${record.id}`, `dev.nexus.instance=${instance}`)
    return found
      .filter(({ Labels }) => isPart(Labels))
      .map(toPart)
      .sort((a, b) => byPlace(record)({ ...a, name: a.service }, { ...b, name: b.service }))
  }

  async function services(record: WorkspaceRecord): Promise<readonly ServiceResource[]> {
    const parts = await list(record)
    const details = await Promise.all(parts.map(({ id }) => api.inspect(id)))
    return parts.flatMap((part, i) => {
      const seen = details[i]
      return seen === undefined ? [] : [describe(part, seen, record)]
    })
  }

  async function loads(records: readonly WorkspaceRecord[]): Promise<ReadonlyMap<string, readonly ServiceLoad[]>> {
    const all = await api.list(`dev.nexus.instance=${instance}`)
    const wanted = new Map(records.map((record) => [record.id as string, record]))
    const running = all.filter(
      (one) => one.State === 'running' && isPart(one.Labels) && wanted.has(one.Labels['dev.nexus.workspace'] ?? ''),
    )
    const look = () => Promise.all(running.map(({ Id }) => api.sample(Id)))
    const [first, details] = await Promise.all([look(), Promise.all(running.map(({ Id }) => api.inspect(Id)))])
    await new Promise((done) => setTimeout(done, BETWEEN_SAMPLES_MS))
    const second = await look()
    const loads = new Map<string, ServiceLoad[]>([...wanted.keys()].map((id) => [id, []]))
    running.forEach((summary, i) => {
      const [before, now] = [first[i], second[i]]
      if (before === undefined || now === undefined) return // it ended in the meantime
      const load = toLoad(toPart(summary), before, now, details[i]?.State.StartedAt)
      loads.get(summary.Labels['dev.nexus.workspace'] ?? '')?.push(load)
    })
    for (const record of records) loads.get(record.id)?.sort(byPlace(record))
    return loads
  }

  /** What runs in each part that runs: the words of a line that these options of `ps` make. */
  async function processTables(record: WorkspaceRecord, psOptions: string) {
    const running = (await list(record)).filter((part) => part.running)
    const tables = await Promise.all(running.map(({ id }) => api.processes(id, psOptions)))
    return running.map(({ service }, i) => ({ service, rows: tables[i]?.Processes ?? [] }))
  }

  async function processes(record: WorkspaceRecord): Promise<readonly ProcessResource[]> {
    return (await processTables(record, PS_OPTIONS)).flatMap(({ service, rows }) =>
      rows.map(([pid, user = '', cpu, memory, elapsed = '', ...command]) => ({
        service,
        pid: Number(pid),
        user,
        cpu: Number(cpu),
        memory: Number(memory) * 1024,
        elapsed,
        command: command.join(' '),
      })),
    )
  }

  return { api, list, services, loads, processTables, processes }
}

function toPart({ Id, Names, Labels, State }: ContainerSummary): Part {
  const container = (Names[0] ?? Id).replace(/^\//, '')
  return { id: Id, container, service: Labels[SERVICE_LABEL] ?? container, running: State === 'running' }
}

function placeOf(record: WorkspaceRecord, service: string): number {
  return service === mainServiceOf(record) || service === MAIN_SERVICE ? 0 : 1
}

/** The workspace's own container first, then by name. */
function byPlace(record: WorkspaceRecord): (a: Placed, b: Placed) => number {
  return (a, b) =>
    placeOf(record, a.name) - placeOf(record, b.name) ||
    a.name.localeCompare(b.name, 'en') ||
    a.container.localeCompare(b.container, 'en', { numeric: true })
}

type Placed = Pick<ServiceLoad, 'name' | 'container'>

function describe(part: Part, { State, RestartCount }: ContainerDetails, record: WorkspaceRecord): ServiceResource {
  const up = ['running', 'paused'].includes(State.Status)
  const since = up || State.FinishedAt === NEVER ? State.StartedAt : State.FinishedAt
  const health = State.Health?.Status
  const known = health === 'healthy' || health === 'unhealthy' || health === 'starting'
  return {
    name: part.service,
    container: part.container,
    state: State.Status,
    // the engine keeps the last word of a check after the end of what was checked
    health: known && up ? health : null,
    since: since === NEVER ? null : withoutFraction(since),
    exitCode: State.Status === 'exited' || State.Status === 'dead' ? State.ExitCode : null,
    restarts: RestartCount,
    outOfMemory: State.OOMKilled,
    ports: portsOf(record, part.service),
  }
}

function portsOf(record: WorkspaceRecord, service: string): readonly PortResource[] {
  const main = placeOf(record, service) === 0
  return record.ports
    .filter((port) => (port.service === undefined ? main : port.service === service))
    .map(({ canonical: _, offset: __, ...port }) => port)
}

function withoutFraction(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z')
}

/** Exported for tests. What is cached of files counts as free, as `docker stats` has it. */
export function toLoad(part: Part, before: UsageSample, now: UsageSample, startedAt = NEVER): ServiceLoad {
  const [used, then] = [now, before].map(({ cpu_stats }) => cpu_stats.cpu_usage?.total_usage)
  const elapsedNs = (Date.parse(now.read) - Date.parse(before.read)) * 1e6
  const { usage, limit, stats = {} } = now.memory_stats
  const networks = now.networks === undefined ? undefined : Object.values(now.networks)
  const sum = (numbers: readonly number[] | undefined) => numbers?.reduce((total, number) => total + number, 0) ?? null
  return {
    name: part.service,
    container: part.container,
    cpu: used === undefined || then === undefined || !(elapsedNs > 0) ? null : ((used - then) / elapsedNs) * 100,
    memory: usage === undefined ? null : Math.max(0, usage - (stats.inactive_file ?? stats.total_inactive_file ?? 0)),
    memoryLimit: limit ?? null,
    processes: now.pids_stats.current ?? null,
    received: sum(networks?.map(({ rx_bytes }) => rx_bytes)),
    sent: sum(networks?.map(({ tx_bytes }) => tx_bytes)),
    since: startedAt === NEVER ? null : withoutFraction(startedAt),
  }
}
