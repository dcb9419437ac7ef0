/**
 * The engine's own API, for looks that the docker CLI would make slow or coarse: when a container started, what it uses at this
 * moment (`docker stats` waits up to two seconds for it), its logs as a stream that no child process holds. Reads only.
 */
import type { IncomingMessage } from 'node:http'
import { NexusError } from '../core/errors.ts'
import { getJson, getStream, SocketRefused, SocketSilent } from '../system/socket-http.ts'
import { engineEndpoint } from './docker-endpoint.ts'
import { type LogLine, readLogLines } from './docker-log.ts'

const LOOK_TIMEOUT_MS = 3_000
/** The engine walks all its volumes. */
const MEASURE_TIMEOUT_MS = 10_000
const DEFAULT_SOCKET = '/var/run/docker.sock'

export interface ContainerSummary {
  readonly Id: string
  readonly Names: readonly string[]
  readonly State: string
  readonly Labels: Readonly<Record<string, string>>
  readonly Mounts?: readonly { readonly Type: string; readonly Name?: string; readonly Source?: string }[]
}

export interface VolumeSummary {
  readonly Name: string
  /** RFC 3339. */
  readonly CreatedAt?: string
  readonly Labels: Readonly<Record<string, string>> | null
  /** Only where it was asked for; `Size` is -1 where it is not known. */
  readonly UsageData?: { readonly Size: number } | null
}

export interface ContainerDetails {
  readonly Id: string
  readonly RestartCount: number
  readonly Config: { readonly Tty: boolean; readonly Labels: Readonly<Record<string, string>> | null }
  readonly HostConfig: { readonly LogConfig: { readonly Type: string } }
  readonly State: {
    readonly Status: string
    /** On the engine's machine; 0 for one that does not run. */
    readonly Pid: number
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly StartedAt: string
    readonly FinishedAt: string
    readonly Health?: { readonly Status: string }
  }
}

/** One look at what a container has used; the processor's share needs two. */
export interface UsageSample {
  readonly read: string
  readonly cpu_stats: { readonly cpu_usage?: { readonly total_usage?: number } }
  readonly memory_stats: {
    readonly usage?: number
    readonly limit?: number
    readonly stats?: Readonly<Record<string, number>>
  }
  readonly pids_stats: { readonly current?: number }
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>
}

export interface ProcessTable {
  readonly Titles: readonly string[]
  readonly Processes: readonly (readonly string[])[] | null
}

export interface LogsQuery {
  readonly follow: boolean
  /** Lines from the end; null for all. */
  readonly tail: number | null
  /** Seconds since 1970, perhaps with nanoseconds behind a point; '' for the beginning. */
  readonly since: string
  readonly tty: boolean
}

export interface EngineEvent {
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
}

export type DockerApi = ReturnType<typeof createDockerApi>

export function createDockerApi(env: NodeJS.ProcessEnv) {
  const endpoint = engineEndpoint(env)
  const socket = endpoint === '' ? DEFAULT_SOCKET : endpoint.replace(/^unix:\/\//, '')
  const ask = { socket, timeoutMs: LOOK_TIMEOUT_MS }

  const get = <T>(path: string, query: Readonly<Record<string, string>> = {}, limits = ask): Promise<T> =>
    explain(async () => (await getJson({ ...limits, path: withQuery(path, query) })) as T)

  const stream = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) =>
    explain(() => getStream({ ...ask, path: withQuery(path, query), ...(signal ? { signal } : {}) }))

  /** All with all of the labels, running or not. */
  const list = (...labels: readonly string[]) =>
    get<readonly ContainerSummary[]>('/containers/json', { all: 'true', filters: JSON.stringify({ label: labels }) })

  /** Undefined for one that is gone in the meantime. */
  const inspect = (id: string) => orGone(get<ContainerDetails>(`/containers/${id}/json`))
  const sample = (id: string) =>
    orGone(get<UsageSample>(`/containers/${id}/stats`, { stream: 'false', 'one-shot': 'true' }))
  const processes = (id: string, options: string) =>
    orGone(get<ProcessTable>(`/containers/${id}/top`, { ps_args: options }))

  /** Volumes with all of the labels. */
  async function volumes(...labels: readonly string[]): Promise<readonly VolumeSummary[]> {
    const filters = JSON.stringify({ label: labels })
    return (await get<{ readonly Volumes: readonly VolumeSummary[] | null }>('/volumes', { filters })).Volumes ?? []
  }

  /** All volumes of the engine with their sizes. */
  async function measureVolumes(): Promise<readonly VolumeSummary[]> {
    const limits = { ...ask, timeoutMs: MEASURE_TIMEOUT_MS }
    const { Volumes } = await get<{ readonly Volumes: readonly VolumeSummary[] | null }>(
      '/system/df',
      { type: 'volume' },
      limits,
    )
    return Volumes ?? []
  }

  async function logs(id: string, query: LogsQuery, signal?: AbortSignal): Promise<AsyncIterable<LogLine> | undefined> {
    const answer = await orGone(
      stream(
        `/containers/${id}/logs`,
        {
          stdout: 'true',
          stderr: 'true',
          timestamps: 'true',
          follow: String(query.follow),
          tail: query.tail === null ? 'all' : String(query.tail),
          ...(query.since === '' ? {} : { since: query.since }),
        },
        signal,
      ),
    )
    return answer === undefined ? undefined : readLogLines(answer, query.tty)
  }

  /** What happens to containers with a label, from now on. */
  async function events(label: string, actions: readonly string[], signal?: AbortSignal) {
    const filters = JSON.stringify({ type: ['container'], label: [label], event: actions })
    return parseEvents(await stream('/events', { filters }, signal))
  }

  return { list, inspect, sample, processes, volumes, measureVolumes, logs, events }
}

async function* parseEvents(answer: IncomingMessage): AsyncGenerator<EngineEvent> {
  answer.setEncoding('utf8')
  let rest = ''
  for await (const piece of answer) {
    const lines = `${rest}${piece}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as EngineEvent
  }
}

function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const words = new URLSearchParams(query).toString()
  return words === '' ? path : `${path}?${words}`
}

/** A container that is removed, or that does not run, while it is looked at. */
async function orGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    const { cause } = error as NexusError
    if (cause instanceof SocketRefused && [404, 409].includes(cause.status)) return undefined
    throw error
  }
}

async function explain<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof SocketSilent) {
      throw new NexusError('BACKEND_UNAVAILABLE', `The Docker engine does not answer (${error.message}).`, {
        hint: 'To see what is wrong with the engine, run `nexus doctor`',
        cause: error,
      })
    }
    if (error instanceof SocketRefused) {
      throw new NexusError(
        'CONTAINER_ERROR',
        `The Docker engine refused: ${error.message.trim().replace(/\.$/, '')}.`,
        {
          hint: 'To see what it does, run `docker info`',
          cause: error,
        },
      )
    }
    throw error
  }
}
