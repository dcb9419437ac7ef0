/** Endpoints of what runs in this server: to look at it, and to end it. */
import { z } from '@hono/zod-openapi'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refusal } from '../failure.ts'
import { operationSchema } from './schemas.ts'

const params = z.strictObject({ id: z.string().min(1).max(100).openapi({ example: 'op-1f0c3a9b7d' }) })

function unknown(id: string): Refusal {
  return new Refusal(
    404,
    `There is no operation ${JSON.stringify(id)}; a server forgets them when it ends, or after an hour.`,
    {
      hint: 'To see what runs, run `nexus api /operations`; what a workspace is at, `nexus list --all`',
    },
  )
}

const list = endpoint({
  method: 'get',
  path: '/operations',
  operationId: 'listOperations',
  tag: 'operations',
  summary: 'List what runs in this server, and what ran lately',
  answer: z.object({ operations: z.array(operationSchema) }).openapi('Operations'),
  run: async ({ api }) => ({ operations: api.operations.list() }),
})

const show = endpoint({
  method: 'get',
  path: '/operations/{id}',
  operationId: 'getOperation',
  tag: 'operations',
  summary: 'Show one operation, with what happened in it',
  params,
  answer: operationSchema,
  run: async ({ api, params: { id } }) => {
    const found = api.operations.find(id)
    if (found === undefined) throw unknown(id)
    return found
  },
})

const cancel = endpoint({
  method: 'delete',
  path: '/operations/{id}',
  operationId: 'cancelOperation',
  tag: 'operations',
  summary: 'End an operation; what it began is undone, and the answer comes when that is done',
  quick: true,
  params,
  answer: operationSchema,
  run: async ({ api, params: { id } }) => {
    const ended = await api.operations.cancel(id)
    if (ended === undefined) throw unknown(id)
    return ended
  },
})

export const OPERATIONS: readonly Endpoint[] = [list, show, cancel]
