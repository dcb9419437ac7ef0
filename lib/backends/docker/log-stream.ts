/**
 * Logs of a workspace's services as one stream of entries. What was said is told in its order over all services; followed, it
 * goes on over stops, restarts and rebuilds, and tells nothing twice. It ends when the workspace has no containers any more, or
 * with whoever reads it: there is no process behind it.
 */
import { setTimeout } from 'node:timers/promises'
import { NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import { createQueue } from '../../core/queue.ts'
import type { LogEntry } from '../../core/status.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { LogsQuery } from '../../tools/docker-api.ts'
import { type LogLine, mergeByTime, sinceOf } from '../../tools/docker-log.ts'
import type { LogsRequest } from '../backend.ts'
import type { createParts, Part } from './parts.ts'

const GONE_POLL_MS = 250

type Parts = ReturnType<typeof createParts>

/** Whoever stops reading ends what is still being followed, also while nothing is said: a generator alone would wait for the next line. */
export function streamLogs(
  parts: Parts,
  emit: Emit,
  record: WorkspaceRecord,
  request: LogsRequest,
): AsyncGenerator<LogEntry> {
  const over = new AbortController()
  const entries = untilOver(over, entriesUntil(over.signal, parts, emit, record, request))
  const end = entries.return.bind(entries)
  return Object.assign(entries, {
    return: (value: unknown) => {
      over.abort()
      return end(value)
    },
  })
}

async function* untilOver(over: AbortController, entries: AsyncGenerator<LogEntry>): AsyncGenerator<LogEntry> {
  try {
    yield* entries
  } catch (error) {
    if (!over.signal.aborted) throw error
  } finally {
    over.abort()
  }
}

async function* entriesUntil(
  over: AbortSignal,
  parts: Parts,
  emit: Emit,
  record: WorkspaceRecord,
  request: LogsRequest,
): AsyncGenerator<LogEntry> {
  const { api } = parts
  const { services, tail, since } = request
  const told = new Map<string, string>()
  const wanted = async () =>
    (await parts.list(record)).filter(({ service }) => services.length === 0 || services.includes(service))

  const mute = new Set<string>()
  const linesOf = async (part: Part, query: Omit<LogsQuery, 'tty'>): Promise<AsyncIterable<LogLine>> => {
    const { id, service } = part
    const details = await api.inspect(id)
    if (details?.HostConfig.LogConfig.Type === 'none') {
      const text = `service ${service} has the logging driver none: what it prints is kept nowhere`
      if (!mute.has(service)) emit({ type: 'warning', text })
      mute.add(service)
      return none()
    }
    const tty = details?.Config.Tty === true
    return (await api.logs(id, { ...query, tty }, over)) ?? none()
  }

  // events first: what starts between the two looks is not missed
  const events = request.follow
    ? await api.events(`dev.nexus.workspace=${record.id}`, ['start', 'destroy'], over)
    : undefined
  const there = await wanted()
  const names = labelsOf(there)
  // of one that has said nothing that is asked for, what it says from now on
  const begun = new Date(Date.now() - 1).toISOString().replace('Z', '000000Z')
  for (const { id } of there) told.set(id, begun)
  const past = await Promise.all(
    there.map(async (part) => entriesOf(await linesOf(part, { follow: false, tail, since }), names, part)),
  )
  for await (const { id, ...entry } of mergeByTime(past)) {
    told.set(id, entry.time)
    yield entry
  }
  if (events === undefined) return

  const queue = createQueue<LogEntry>()
  /** True for one that has started again while the end of its former run was still being read. */
  const attached = new Map<string, boolean>()
  const attach = async (part: Part): Promise<void> => {
    const last = told.get(part.id) ?? ''
    const lines = await linesOf(part, { follow: true, tail: null, since: sinceOf(last) })
    for await (const { id, ...entry } of entriesOf(lines, names, part)) {
      if (entry.time <= last) continue
      told.set(id, entry.time)
      queue.put(entry)
    }
  }
  const begin = async (part: Part): Promise<void> => {
    if (attached.has(part.id)) return void attached.set(part.id, true)
    do {
      attached.set(part.id, false)
      await attach(part)
    } while (attached.get(part.id) === true)
    attached.delete(part.id)
  }
  const follow = (some: readonly Part[]) => {
    for (const part of some.filter(({ running }) => running)) begin(part).catch(queue.fail)
  }
  follow(there)
  // a workspace that is deleted is there for a while after its last container, one that is rebuilt stays
  let empty = there.length === 0
  const untilGone = async () => {
    while (empty && (await request.isThere())) await setTimeout(GONE_POLL_MS, undefined, { signal: over })
    if (empty) queue.end()
  }
  if (empty) untilGone().catch(queue.fail)
  const watch = async () => {
    for await (const { Action, Actor } of events) {
      const now = await wanted()
      const was = empty
      empty = now.length === 0
      if (Action === 'start') follow(now.filter(({ id }) => id === Actor.ID))
      if (empty && !was) untilGone().catch(queue.fail)
    }
    throw new NexusError('BACKEND_UNAVAILABLE', 'The Docker engine ended the connection.', {
      hint: `To go on when it runs again, run \`nexus logs ${record.name} --follow\``,
    })
  }
  watch().catch(queue.fail)
  yield* queue.read()
}

/** `web`, or `web-2` where a service has several containers. */
function labelsOf(parts: readonly Part[]): ReadonlyMap<string, string> {
  const count = (service: string) => parts.filter((part) => part.service === service).length
  return new Map(
    parts.map(({ id, service, container }) => {
      const number = /-(\d+)$/.exec(container)?.[1] ?? '1'
      return [id, count(service) > 1 ? `${service}-${number}` : service]
    }),
  )
}

async function* entriesOf(lines: AsyncIterable<LogLine>, names: ReadonlyMap<string, string>, { id, service }: Part) {
  for await (const line of lines) yield { id, service: names.get(id) ?? service, ...line }
}

async function* none(): AsyncGenerator<LogLine> {}
