/**
 * What an endpoint is: one row from which the route, the checks of what comes in and the page of the OpenAPI document are
 * made. Types, and the function that makes a row. A row calls one use case and shapes its answer; it knows nothing of HTTP.
 */
import { z } from '@hono/zod-openapi'
import type { App } from '../workspace/app.ts'
import type { ApiContext, RequestSettings } from './context.ts'

export type Method = 'get' | 'post' | 'put' | 'delete'
export type Tag =
  | 'workspaces'
  | 'inside'
  | 'work'
  | 'network'
  | 'trash'
  | 'configuration'
  | 'care'
  | 'operations'
  | 'about'

/** Query parameters and path parameters are text; their schemas say what of. */
type Fields = z.ZodObject

export interface Asked<P, Q, B> {
  /** Made for this request alone. */
  readonly app: App
  readonly api: ApiContext
  readonly params: P
  readonly query: Q
  readonly body: B
  /** The value of a header. */
  readonly header: (name: string) => string | undefined
  /** Says which workspace the operation works on, once that is known. */
  readonly concerns: (workspaceId: string) => void
  /** Ends when the request is cancelled, whatever the app's own interruption is used for. */
  readonly cancelled: AbortSignal
}

export interface About {
  readonly method: Method
  /** Below `/api/v1`, with `{id}` and the like. */
  readonly path: string
  readonly operationId: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** Verbs of the command line that are the same use case. */
  readonly verbs?: readonly string[]
  /** 201 for what makes something, unless it is a plan. */
  readonly status?: 200 | 201
  readonly answer: z.ZodType
  /** An answer, for the document; a test holds it to `answer`. */
  readonly example: unknown
  /** What it answers, where that is not JSON alone. */
  readonly media?: readonly string[]
  /** Answers in milliseconds and is never an operation of its own, though it changes something. */
  readonly quick?: true
  /** Takes `Idempotency-Key`. */
  readonly idempotent?: true
  /** Where what was made can be read, below `/api/v1`. */
  readonly location?: (answer: unknown) => string
}

export interface Spec<P extends Fields, Q extends Fields, B extends z.ZodType> extends About {
  readonly params?: P
  readonly query?: Q
  /** Headers that it reads, for the document. */
  readonly headers?: z.ZodObject
  readonly body?: B
  /** What query and body give in place of options that stand for configuration keys. */
  readonly settings?: (given: Readonly<Record<string, unknown>>) => RequestSettings
  readonly run: (asked: Asked<z.output<P>, z.output<Q>, z.output<B>>) => Promise<unknown>
}

/** A row without its types, as the tables hold it. */
export interface Endpoint extends About {
  readonly params: Fields
  readonly query: Fields
  readonly headers: Fields
  readonly body: z.ZodType | undefined
  readonly settings: (given: Readonly<Record<string, unknown>>) => RequestSettings
  readonly run: (asked: Asked<unknown, unknown, unknown>) => Promise<unknown>
}

const NOTHING = z.strictObject({})
const NO_SETTINGS: RequestSettings = { flags: {}, names: {} }

export function endpoint<P extends Fields, Q extends Fields, B extends z.ZodType>(spec: Spec<P, Q, B>): Endpoint {
  const { run } = spec
  return {
    ...spec,
    params: spec.params ?? NOTHING,
    query: spec.query ?? NOTHING,
    headers: spec.headers ?? NOTHING,
    body: spec.body,
    settings: spec.settings ?? (() => NO_SETTINGS),
    run: (asked) => run(asked as Asked<z.output<P>, z.output<Q>, z.output<B>>),
  }
}

/** Whether it may be asked for as an operation that goes on after the answer. */
export function isOperation({ method, quick }: Endpoint): boolean {
  return method !== 'get' && quick !== true
}
