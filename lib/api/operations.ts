/**
 * What runs in this server, and what ran lately: whoever asked for an operation may look at it, hear of it and cancel it.
 * It is memory and nothing more: a killed server forgets it, and the record of the workspace tells what was going on.
 */
import { randomBytes } from 'node:crypto'
import { type ErrorBody, Interrupted } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import { timestamp } from '../core/time.ts'

/** Ended ones that are kept, and for how long. */
const KEPT_MAX = 200
const KEPT_MS = 60 * 60_000
/** Events of one that are kept, the latest ones. */
const EVENTS_MAX = 200
/** Characters of the results that are kept, all together. */
const RESULTS_MAX = 16 * 1024 * 1024
/** Characters of a progress line. */
const TEXT_MAX = 2_000

export type OperationStatus = 'running' | 'succeeded' | 'failed' | 'cancelled'

export interface OperationEvent {
  readonly time: string
  readonly type: string
  readonly [field: string]: unknown
}

/** The public resource. */
export interface OperationResource {
  readonly id: string
  /** operationId of the endpoint. */
  readonly kind: string
  readonly workspaceId: string | null
  readonly status: OperationStatus
  readonly startedAt: string
  readonly endedAt: string | null
  /** What happened, the latest last; at most 200 are kept. */
  readonly events: readonly OperationEvent[]
  /** What the endpoint would have answered; null where it did answer. */
  readonly result: unknown
  readonly error: ErrorBody['error'] | null
}

export interface Running {
  readonly id: string
  readonly interruption: Interruption
  emit(event: Event): void
  concerns(workspaceId: string): void
  readonly cancelled: AbortSignal
  /** Resolves when it ended, well or not. */
  readonly ended: Promise<void>
}

export type OperationListener = (operation: OperationResource, event: OperationEvent | null) => void

export interface Operations {
  begin(kind: string, interruption: Interruption, work: (running: Running) => Promise<OperationOutcome>): Running
  list(): readonly OperationResource[]
  find(id: string): OperationResource | undefined
  /** What runs on a workspace. */
  on(workspaceId: string): string | undefined
  /** Ends one; what was begun is undone. Resolves when that is done; undefined for one that is not known. */
  cancel(id: string): Promise<OperationResource | undefined>
  /** Ends all, or lets go of those that need longer. */
  cancelAll(patienceMs: number): Promise<number>
  /** Hears of every event and every end (event null); returns how to stop. */
  listen(listener: OperationListener): () => void
}

export type OperationOutcome =
  | { readonly result: unknown }
  | { readonly error: ErrorBody['error']; readonly cancelled: boolean }

interface Entry {
  resource: OperationResource
  readonly interruption: Interruption
  readonly cancelling: AbortController
  ended: Promise<void>
  /** Characters of its result. */
  size: number
}

export function createOperations(now: () => number = Date.now): Operations {
  const entries = new Map<string, Entry>()
  const listeners = new Set<OperationListener>()

  function change(entry: Entry, change: Partial<OperationResource>, event: OperationEvent | null = null): void {
    entry.resource = { ...entry.resource, ...change }
    for (const listener of listeners) listener(entry.resource, event)
  }

  function begin(
    kind: string,
    interruption: Interruption,
    work: (running: Running) => Promise<OperationOutcome>,
  ): Running {
    forget()
    const id = `op-${randomBytes(5).toString('hex')}`
    const resource: OperationResource = {
      id,
      kind,
      workspaceId: null,
      status: 'running',
      startedAt: timestamp(),
      endedAt: null,
      events: [],
      result: null,
      error: null,
    }
    const cancelling = new AbortController()
    const entry: Entry = { resource, interruption, cancelling, ended: Promise.resolve(), size: 0 }
    entries.set(id, entry)
    const running = {
      id,
      interruption,
      cancelled: cancelling.signal,
      emit: (event: Event) => {
        const told = tell(event)
        if (told === undefined) return
        change(entry, { events: [...entry.resource.events, told].slice(-EVENTS_MAX) }, told)
      },
      concerns: (workspaceId: string) => change(entry, { workspaceId }),
    }
    entry.ended = work({ ...running, ended: Promise.resolve() }).then((outcome) => {
      const end = { endedAt: timestamp() }
      if ('result' in outcome) {
        entry.size = JSON.stringify(outcome.result)?.length ?? 0
        change(entry, { ...end, status: 'succeeded', result: outcome.result })
        forget()
      } else change(entry, { ...end, status: outcome.cancelled ? 'cancelled' : 'failed', error: outcome.error })
    })
    return { ...running, ended: entry.ended }
  }

  /** The oldest ended ones go first; what runs stays. */
  function forget(): void {
    const ended = [...entries.values()].filter(({ resource }) => resource.status !== 'running')
    let size = ended.reduce((sum, entry) => sum + entry.size, 0)
    let count = ended.length
    for (const entry of ended) {
      const old = now() - Date.parse(entry.resource.endedAt ?? '') > KEPT_MS
      // the last one is there for whoever asked for it
      if (!old && (count === 1 || (count <= KEPT_MAX && size <= RESULTS_MAX))) continue
      entries.delete(entry.resource.id)
      size -= entry.size
      count--
    }
  }

  async function cancel(id: string): Promise<OperationResource | undefined> {
    const entry = entries.get(id)
    if (entry === undefined) return undefined
    if (entry.resource.status === 'running') {
      entry.cancelling.abort()
      entry.interruption.abort(new Interrupted('SIGINT'))
    }
    await entry.ended
    return entry.resource
  }

  const running = () => [...entries.values()].filter(({ resource }) => resource.status === 'running')

  async function cancelAll(patienceMs: number): Promise<number> {
    const ends = running().map(({ resource }) => cancel(resource.id))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((done) => {
      timer = setTimeout(done, patienceMs)
    })
    await Promise.race([Promise.all(ends), late])
    clearTimeout(timer)
    return running().length
  }

  return {
    begin,
    list: () => {
      forget()
      return [...entries.values()].map(({ resource }) => resource)
    },
    find: (id) => entries.get(id)?.resource,
    on: (workspaceId) => running().find(({ resource }) => resource.workspaceId === workspaceId)?.resource.id,
    cancel,
    cancelAll,
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Commands are left out: their arguments are nobody's business and there are hundreds. */
function tell(event: Event): OperationEvent | undefined {
  if (event.type === 'command') return undefined
  const text = 'text' in event ? { text: event.text.slice(0, TEXT_MAX) } : {}
  return { time: timestamp(), ...event, ...text }
}
