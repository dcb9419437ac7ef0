/** The OpenAPI 3.1 document, made from the rows of the endpoints: what is documented is what is checked. Pure. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { type Endpoint, isOperation } from './endpoint.ts'
import { errorSchema, operationSchema } from './shapes.ts'

/** HTTP status -> when it comes. */
const FAILURES = {
  400: 'The request is not what is documented here',
  401: 'The token is missing or wrong (TCP)',
  403: 'A foreign Host or Origin, or a project that asks for what nobody approved',
  404: 'There is no such thing',
  405: 'Another method is meant; see `Allow`',
  408: 'The request took too long to come',
  409: 'It conflicts with what there is, or somebody else works on it',
  413: 'The body is larger than 1 MiB',
  414: 'The path is longer than 4096 characters',
  415: 'The body is not JSON',
  422: 'The configuration is invalid, or an Idempotency-Key came with another request',
  429: 'Too many wrong tokens; see `Retry-After`',
  431: 'The head of the request is larger than 16 KiB',
  500: 'It failed',
  501: 'The backend cannot do that',
  503: 'Something that is needed is not there: the engine, a tool, room; or it was cancelled',
  504: 'It took too long',
}

export function apiDocument(endpoints: readonly Endpoint[], version: string): unknown {
  const app = new OpenAPIHono()
  const scheme = { type: 'http', scheme: 'bearer', description: 'Needed over TCP; see `nexus api token show`' } as const
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', scheme)
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } }
  const when = Object.entries(FAILURES).map(([status, meaning]) => `- ${status}: ${meaning}`)
  const description = ['It failed, and `error` says how.', '', ...when].join('\n')
  app.openAPIRegistry.registerComponent('responses', 'Failure', { description, content })
  app.openAPIRegistry.register('Error', errorSchema)
  for (const endpoint of endpoints) app.openAPIRegistry.registerPath(routeOf(endpoint))
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Nexus',
      version,
      license: { name: 'MIT' },
      description: [
        'Workspaces by HTTP, over a unix socket or the loopback address; the same use cases as the command line.',
        'Errors are one object, by the codes of the command line.',
      ].join(' '),
    },
    servers: [
      {
        url: 'http://localhost/api/v1',
        description: 'Over the unix socket `run/api.sock` of NEXUS_HOME, or with the port of `nexus serve --port`',
      },
    ],
    tags: [...new Set(endpoints.map(({ tag }) => tag))].map((name) => ({ name })),
    security: [{ token: [] }, {}],
  })
}

const JSON_MEDIA = 'application/json'

function routeOf(endpoint: Endpoint) {
  const { method, path, operationId, tag, summary, description, params, query, body, status = 200 } = endpoint
  const { answer, example } = endpoint
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const content = { schema: answer, example }
  const media = Object.fromEntries(
    (endpoint.media ?? [JSON_MEDIA]).map((type) => [
      type,
      type === JSON_MEDIA || endpoint.media?.length === 1 ? content : { schema: z.string() },
    ]),
  )
  const done = { description: 'Done', content: media }
  const later = {
    description: 'It runs; `Location` leads to the operation',
    content: json(operationSchema),
  }
  return createRoute({
    method,
    path,
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    request: {
      params,
      query,
      headers: method === 'get' ? endpoint.headers : headersOf(endpoint),
      ...(body === undefined ? {} : { body: { content: json(body), required: !body.safeParse({}).success } }),
    },
    responses: {
      200: done,
      ...(status === 201 ? { 201: { ...done, description: 'Made; `Location` leads to it' } } : {}),
      ...(isOperation(endpoint) ? { 202: later } : {}),
      default: { $ref: '#/components/responses/Failure' },
    },
  })
}

function headersOf(endpoint: Endpoint) {
  const prefer = z.string().optional().openapi({ description: '`respond-async` answers at once with an operation' })
  const key = z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({ description: 'The same key with the same body has one answer' })
  return z.object({
    ...(isOperation(endpoint) ? { Prefer: prefer } : {}),
    ...(endpoint.idempotent ? { 'Idempotency-Key': key } : {}),
  })
}
