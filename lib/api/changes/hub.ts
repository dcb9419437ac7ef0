/**
 * Events for whoever listens: typed data with ids that only grow, the newest kept for those who come back. A listener that does not
 * keep up is dropped, and comes back by the last id it has; where that is too old, or of another run of the server, it gets one
 * `reset`, which means: list anew. Nothing here looks at anything; `watching.ts` and the operations publish.
 */
import { randomBytes } from 'node:crypto'
import { createQueue } from '../../core/queue.ts'
import type { WorkspaceResource } from '../../core/workspace.ts'

/** Events that are kept for listeners who come back. */
const KEPT = 1_000
/** Events that a listener may be behind. */
const BEHIND_MAX = 500

/** An operation as its resource shows it, without what it answers. */
export interface OperationView {
  readonly id: string
  readonly workspaceId: string | null
  readonly [field: string]: unknown
}

export type EventBody =
  | { readonly type: 'workspace.created' | 'workspace.changed'; readonly workspace: WorkspaceResource }
  | {
      readonly type: 'workspace.removed'
      readonly workspace: Pick<WorkspaceResource, 'id' | 'name' | 'repo'>
    }
  | {
      readonly type: 'operation.started' | 'operation.ended'
      readonly operation: OperationView
    }
  | {
      readonly type: 'operation.progress'
      readonly operation: OperationView
      readonly progress: { readonly type: string; readonly [field: string]: unknown }
    }
  | { readonly type: 'engine.up'; readonly backend: string }
  | { readonly type: 'engine.down'; readonly backend: string; readonly reason: string }
  | { readonly type: 'reset'; readonly reason: 'too-old' | 'other-run' }

export type ApiEvent = EventBody & {
  /** `<run of the server>-<number>`. */
  readonly id: string
  readonly time: string
}

export interface Subscription extends AsyncIterable<ApiEvent> {
  /** Of the last event before the first that it will get. */
  readonly startId: string
  /** It was too far behind and gets no more. */
  readonly dropped: boolean
  close(): void
}

export interface SubscribeOptions {
  /** Id of the last event that the listener has. */
  readonly after?: string | undefined
  /** Only what is about this workspace, and about the engine. */
  readonly workspaceId?: string | undefined
}

export interface Hub {
  publish(body: EventBody): void
  subscribe(options?: SubscribeOptions): Subscription
  readonly listeners: number
  /** Ends every subscription. */
  close(): void
}

export function createHub(): Hub {
  const run = randomBytes(4).toString('hex')
  const kept: ApiEvent[] = []
  const readers = new Set<Reader>()
  let last = 0
  let closed = false
  const idOf = (number: number) => `${run}-${number}`
  const eventOf = (body: EventBody): ApiEvent => ({ id: idOf(last), time: new Date().toISOString(), ...body })

  /** What one who has `after` has missed. */
  function missed(after: string): readonly ApiEvent[] {
    const number = Number(
      /^([0-9a-f]+)-(\d{1,15})$/.exec(after)?.[1] === run ? after.slice(run.length + 1) : Number.NaN,
    )
    if (!(number <= last)) return [eventOf({ type: 'reset', reason: 'other-run' })]
    if (number < last - kept.length) return [eventOf({ type: 'reset', reason: 'too-old' })]
    return kept.slice(kept.length - (last - number))
  }

  return {
    publish: (body) => {
      last++
      const event = eventOf(body)
      kept.push(event)
      if (kept.length > KEPT) kept.shift()
      for (const reader of readers) reader.put(event)
    },
    subscribe: ({ after, workspaceId } = {}) => {
      const first = after === undefined || after === '' ? [] : missed(after)
      const reader = createReader(
        (event) => isAbout(event, workspaceId),
        first,
        (gone) => readers.delete(gone),
      )
      if (closed) reader.end()
      else readers.add(reader)
      return Object.assign(reader.subscription, { startId: idOf(last) })
    },
    get listeners() {
      return readers.size
    },
    close: () => {
      closed = true
      for (const reader of readers) reader.end()
    },
  }
}

function isAbout(event: ApiEvent, workspaceId: string | undefined): boolean {
  if (workspaceId === undefined) return true
  if ('workspace' in event) return event.workspace.id === workspaceId
  if ('operation' in event) return event.operation.workspaceId === workspaceId
  return true
}

interface Reader {
  put(event: ApiEvent): void
  end(): void
  readonly subscription: Omit<Subscription, 'startId'>
}

function createReader(
  wanted: (event: ApiEvent) => boolean,
  first: readonly ApiEvent[],
  onEnd: (reader: Reader) => void,
): Reader {
  const queue = createQueue(first.filter(wanted))
  let over = false
  let dropped = false
  const end = () => {
    over = true
    onEnd(reader)
    queue.end()
  }
  async function* events(): AsyncGenerator<ApiEvent> {
    try {
      yield* queue.read()
    } finally {
      end()
    }
  }
  const reader: Reader = {
    put: (event) => {
      if (over || !wanted(event)) return
      if (queue.size < Math.max(BEHIND_MAX, first.length)) return queue.put(event)
      dropped = true
      queue.clear()
      end()
    },
    end,
    subscription: {
      get dropped() {
        return dropped
      },
      close: end,
      [Symbol.asyncIterator]: events,
    },
  }
  return reader
}
