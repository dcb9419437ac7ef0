/**
 * The REST API as one function from request to answer, without a socket: what tests call by `app.request()`. It routes, and
 * turns answers into JSON. Who may come in is decided before it, by `checks.ts`.
 */
import { type Context, Hono } from 'hono'
import { type HttpAnswer, JsonText, Streamed } from './answers.ts'
import type { ApiContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import { failureOf, Refusal } from './failure.ts'
import { createIdempotency } from './idempotency.ts'
import { apiDocument } from './openapi.ts'
import { type Performing, perform } from './perform.ts'

export const BASE = '/api/v1'

export interface ApiOptions {
  readonly logOf: (error: unknown) => string
  readonly endpoints: readonly Endpoint[]
  /** For tests: what is answered is held to what is documented. */
  readonly checkAnswers?: boolean
}

const JSON_HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
}

export function createApi(api: ApiContext, options: ApiOptions): Hono {
  const { logOf, endpoints, checkAnswers = false } = options
  const performing: Performing = { api, idempotency: createIdempotency(), logOf, checkAnswers }
  const hono = new Hono({ strict: true })
  let document: unknown
  const fixed: Readonly<Record<string, () => unknown>> = {
    '/healthz': () => ({
      status: 'ok',
      version: api.version,
      uptimeSeconds: Math.floor((Date.now() - api.startedAt) / 1000),
    }),
    [`${BASE}/openapi.json`]: () => {
      document ??= apiDocument(endpoints, api.version)
      return document
    },
  }
  for (const [path, answer] of Object.entries(fixed)) hono.get(path, (c) => send(c, ok(answer())))
  for (const endpoint of endpoints) {
    const path = `${BASE}${endpoint.path.replace(/\{(\w+)\}/g, ':$1')}`
    hono.on(endpoint.method.toUpperCase(), path, async (c) => {
      return send(c, await perform(performing, endpoint, c.req.raw, c.req.param()))
    })
  }
  const methods = methodsByPath([
    ...endpoints.map(({ method, path }) => [method, `${BASE}${path}`] as const),
    ...Object.keys(fixed).map((path) => ['get', path] as const),
  ])
  hono.notFound((c) => send(c, failureOf(notFound(c, methods), logOf)))
  hono.onError((error, c) => send(c, failureOf(error, logOf)))
  return hono
}

function ok(body: unknown): HttpAnswer {
  return { status: 200, headers: {}, body }
}

/** JSON in one piece: who is gone by then costs nothing. */
function send(c: Context, { status, headers, body }: HttpAnswer): Response {
  if (body instanceof Streamed) {
    const isHead = c.req.method === 'HEAD'
    if (isHead) void body.body.cancel() // nobody reads it, and it would go on
    return new Response(isHead ? null : body.body, {
      status,
      headers: { ...JSON_HEADERS, ...headers, 'Content-Type': body.contentType },
    })
  }
  const text = body instanceof JsonText ? body.text : JSON.stringify(body)
  return new Response(`${text}\n`, { status, headers: { ...JSON_HEADERS, ...headers } })
}

const EXEC_PATH = /^\/api\/v1\/workspaces\/[^/]+\/exec$/

type Methods = readonly (readonly [pattern: RegExp, methods: readonly string[]])[]

function methodsByPath(rows: readonly (readonly [method: string, path: string])[]): Methods {
  const paths = [...new Set(rows.map(([, path]) => path))]
  return paths.map((path) => {
    const own = rows.filter((row) => row[1] === path).map(([method]) => method.toUpperCase())
    const pattern = new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`)
    return [pattern, own.includes('GET') ? [...own, 'HEAD'] : own]
  })
}

function notFound(c: Context, methods: Methods): Refusal {
  const path = new URL(c.req.url).pathname
  const allowed = [...new Set(methods.flatMap(([pattern, own]) => (pattern.test(path) ? own : [])))]
  if (allowed.length === 0) return new Refusal(404, `There is nothing at ${path.slice(0, 200)}.`)
  const socket = EXEC_PATH.test(path) ? ', and GET with an upgrade to a WebSocket' : ''
  return new Refusal(
    405,
    `${c.req.method} is not answered at ${path.slice(0, 200)}; ${allowed.join(', ')} is${socket}.`,
    {
      headers: { Allow: allowed.join(', ') },
    },
  )
}
