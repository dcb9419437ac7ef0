/**
 * What a workspace's services have printed, also while it is stopped, and what its hooks have. Which services there are is looked
 * up before anything is read, so that a wrong name is told with the right ones.
 */
import { join } from 'node:path'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import { nearest } from '../../core/names.ts'
import type { LogEntry } from '../../core/status.ts'
import { parseDuration } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { listFolder, readIfPresent } from '../../system/store.ts'
import type { App } from '../app.ts'
import { repaired, requireThere } from '../operation/repaired.ts'

export interface LogsWish {
  readonly services: readonly string[]
  readonly follow: boolean
  /** As typed. */
  readonly tail: string | undefined
  readonly since: string | undefined
}

/** @throws {NexusError} UNSUPPORTED; INVALID_ARGUMENT for a service that is not there, and for a wrong number or time */
export async function readLogs(app: App, found: WorkspaceRecord, wish: LogsWish): Promise<AsyncIterable<LogEntry>> {
  const [tail, since] = [parseTail(wish.tail), parseSince(wish.since)]
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  const logs = await requireFacet(app, backend, 'logs', 'logs')
  if (wish.services.length > 0 && backend.services !== undefined) {
    const names = new Set((await backend.services.list(record)).map(({ name }) => name))
    for (const service of wish.services) requireService(record, service, [...names])
  }
  const isThere = async () => (await app.records.list()).some(({ id }) => id === record.id)
  return logs.read(record, { follow: wish.follow, tail, since, services: wish.services, isThere })
}

function requireService({ name }: WorkspaceRecord, service: string, names: readonly string[]): void {
  if (names.includes(service)) return
  const near = nearest(service, names)
  const none = names.length === 0
  const said = none ? 'it has no containers yet' : `there are ${names.join(', ')}`
  throw new NexusError('INVALID_ARGUMENT', `Workspace ${name} has no service ${JSON.stringify(service)}: ${said}.`, {
    hint: none
      ? `To make them, run \`nexus start ${name}\``
      : `To see one, run \`nexus logs ${name} ${near ?? names[0] ?? ''}\``,
    details: { service, services: names },
  })
}

/** Null for all lines. @throws {NexusError} INVALID_ARGUMENT */
export function parseTail(tail: string | undefined): number | null {
  if (tail === undefined || tail === 'all') return null
  if (/^\d{1,9}$/.test(tail)) return Number(tail)
  throw new NexusError('INVALID_ARGUMENT', `--tail ${JSON.stringify(tail)} is neither a number of lines nor \`all\`.`, {
    hint: 'To see the last 100, use `--tail 100`',
  })
}

/** Seconds since 1970 as text, '' for the beginning. @throws {NexusError} INVALID_ARGUMENT */
export function parseSince(since: string | undefined, now = Date.now()): string {
  if (since === undefined) return ''
  const seconds = (ms: number) => (ms / 1000).toFixed(3)
  if (/^(\d{1,6}[dhms])+$/.test(since)) return seconds(Math.max(0, now - (parseDuration(since) ?? 0)))
  const time = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(since)
    ? Date.parse(since)
    : Number.NaN
  if (!Number.isNaN(time)) return seconds(Math.max(0, time))
  throw new NexusError('INVALID_ARGUMENT', `--since ${JSON.stringify(since)} is neither a time nor how long ago.`, {
    hint: 'To see the last ten minutes, use `--since 10m`; from a time on, `--since 2026-11-26T08:00:00Z`',
  })
}

/** What hooks have said, oldest first; each run is a file whose name ends with when it ended. */
export async function readHookLogs(
  app: App,
  record: WorkspaceRecord,
  tail: string | undefined,
): Promise<readonly LogEntry[]> {
  const most = parseTail(tail)
  const folder = join(app.home.logs, record.id)
  const runs = (await listFolder(folder)).flatMap((file) => {
    const [, service = '', day = '', hour = '', minute = '', second = ''] =
      /^([a-z-]+)-(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)Z\.log$/.exec(file) ?? []
    return service === '' ? [] : [{ file, service, time: `${day}T${hour}:${minute}:${second}Z` }]
  })
  const sorted = runs.sort((a, b) => (a.time < b.time ? -1 : 1))
  const said = await Promise.all(
    sorted.map(async ({ file, service, time }) => {
      const text = (await readIfPresent(join(folder, file))) ?? ''
      const lines = text.replace(/\n$/, '').split('\n')
      return lines.map((line): LogEntry => ({ service, stream: 'stdout', time, text: line }))
    }),
  )
  const all = said.flat()
  return most === null ? all : all.slice(Math.max(0, all.length - most))
}
