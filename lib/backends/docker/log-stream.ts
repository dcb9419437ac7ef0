/**
 * Logs of a workspace's services as one stream of entries. What was said is told in its order over all services; followed, it
 * goes on over stops, restarts and rebuilds, and tells nothing twice. It ends when the workspace has no containers any more, or
 * with whoever reads it: there is no process behind it.
 */
import { setTimeout } from 'node:timers/promises'
import { NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import { createQueue, type Queue } from '../../core/queue.ts'
import type { LogEntry } from '../../core/status.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { EngineEvent, LogsQuery } from '../../tools/docker-api.ts'
import { type LogLine, mergeByTime, sinceOf } from '../../tools/docker-log.ts'
import type { LogsRequest } from '../backend.ts'
import type { createParts, Part } from './parts.ts'

const GONE_POLL_MS = 250

type Parts = ReturnType<typeof createParts>

/** One reader of a workspace's logs: what it asked for, and how far it has come. */
interface Reading {
  readonly parts: Parts
  readonly emit: Emit
  readonly record: WorkspaceRecord
  readonly request: LogsRequest
  /** Aborted when the reader stops. */
  readonly over: AbortSignal
  /** Services that were told to keep no logs. */
  readonly mute: Set<string>
  /** The time of each container's last entry that was told. */
  readonly told: Map<string, string>
  /** The containers that are followed; true for one that started again while its former run's end is still read. */
  readonly attached: Map<string, boolean>
  /** Entries of all containers that are followed. */
  readonly queue: Queue<LogEntry>
  /** The name that each container's entries get, where it is not its service. */
  names: ReadonlyMap<string, string>
  /** The workspace has no containers. */
  isEmpty: boolean
}

/**
 * A reader that stops ends what is still being followed, also while nothing is said: a generator alone would wait for
 * the next line.
 */
export function streamLogs(
  parts: Parts,
  emit: Emit,
  record: WorkspaceRecord,
  request: LogsRequest,
): AsyncGenerator<LogEntry> {
  const over = new AbortController()
  const reading: Reading = {
    parts,
    emit,
    record,
    request,
    over: over.signal,
    mute: new Set(),
    told: new Map(),
    attached: new Map(),
    queue: createQueue(),
    names: new Map(),
    isEmpty: false,
  }
  const entries = untilOver(over, entriesOfAll(reading))
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

async function* entriesOfAll(reading: Reading): AsyncGenerator<LogEntry> {
  const { parts, record, request, over } = reading
  // events first: what starts between the two looks is not missed
  const events = request.follow
    ? await parts.api.events(`dev.nexus.workspace=${record.id}`, ['start', 'destroy'], over)
    : undefined
  const there = await wantedParts(reading)
  reading.names = labelsOf(there)
  yield* pastEntries(reading, there)
  if (events !== undefined) yield* followedEntries(reading, there, events)
}

async function* pastEntries(reading: Reading, there: readonly Part[]): AsyncGenerator<LogEntry> {
  const { told, request } = reading
  const query = { follow: false, tail: request.tail, since: request.since }
  // of one that has said nothing that is asked for, what it says from now on
  const begun = new Date(Date.now() - 1).toISOString().replace('Z', '000000Z')
  for (const { id } of there) told.set(id, begun)
  const past = await Promise.all(there.map((part) => readEntries(reading, part, query)))
  for await (const { id, ...entry } of mergeByTime(past)) {
    told.set(id, entry.time)
    yield entry
  }
}

async function* followedEntries(
  reading: Reading,
  there: readonly Part[],
  events: AsyncIterable<EngineEvent>,
): AsyncGenerator<LogEntry> {
  const { queue } = reading
  followRunning(reading, there)
  reading.isEmpty = there.length === 0
  if (reading.isEmpty) endWhenGone(reading).catch(queue.fail)
  watchContainers(reading, events).catch(queue.fail)
  yield* queue.read()
}

function followRunning(reading: Reading, some: readonly Part[]): void {
  for (const part of some.filter(({ running }) => running)) followRuns(reading, part).catch(reading.queue.fail)
}

async function followRuns(reading: Reading, part: Part): Promise<void> {
  const { attached } = reading
  if (attached.has(part.id)) return void attached.set(part.id, true)
  do {
    attached.set(part.id, false)
    await followRun(reading, part)
  } while (attached.get(part.id) === true)
  attached.delete(part.id)
}

async function followRun(reading: Reading, part: Part): Promise<void> {
  const { told, queue } = reading
  const last = told.get(part.id) ?? ''
  const entries = await readEntries(reading, part, { follow: true, tail: null, since: sinceOf(last) })
  for await (const { id, ...entry } of entries) {
    if (entry.time <= last) continue
    told.set(id, entry.time)
    queue.put(entry)
  }
}

async function watchContainers(reading: Reading, events: AsyncIterable<EngineEvent>): Promise<void> {
  for await (const { Action, Actor } of events) {
    const now = await wantedParts(reading)
    const wasEmpty = reading.isEmpty
    reading.isEmpty = now.length === 0
    if (Action === 'start') {
      followRunning(
        reading,
        now.filter(({ id }) => id === Actor.ID),
      )
    }
    if (reading.isEmpty && !wasEmpty) endWhenGone(reading).catch(reading.queue.fail)
  }
  throw new NexusError('BACKEND_UNAVAILABLE', 'The Docker engine ended the connection.', {
    hint: `To go on when it runs again, run \`nexus logs ${reading.record.name} --follow\``,
  })
}

/** A workspace that is deleted is there for a while after its last container; one that is rebuilt stays. */
async function endWhenGone(reading: Reading): Promise<void> {
  const { request, over, queue } = reading
  while (reading.isEmpty && (await request.isThere())) await setTimeout(GONE_POLL_MS, undefined, { signal: over })
  if (reading.isEmpty) queue.end()
}

async function wantedParts({ parts, record, request }: Reading): Promise<readonly Part[]> {
  const { services } = request
  const all = await parts.list(record)
  return all.filter(({ service }) => services.length === 0 || services.includes(service))
}

async function readEntries(reading: Reading, part: Part, query: Omit<LogsQuery, 'tty'>) {
  return entriesOf(await readLines(reading, part, query), reading.names, part)
}

async function readLines(
  { parts, emit, mute, over }: Reading,
  { id, service }: Part,
  query: Omit<LogsQuery, 'tty'>,
): Promise<AsyncIterable<LogLine>> {
  const details = await parts.api.inspect(id)
  if (details?.HostConfig.LogConfig.Type === 'none') {
    const text = `service ${service} has the logging driver none: what it prints is kept nowhere`
    if (!mute.has(service)) emit({ type: 'warning', text })
    mute.add(service)
    return none()
  }
  const tty = details?.Config.Tty === true
  return (await parts.api.logs(id, { ...query, tty }, over)) ?? none()
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
