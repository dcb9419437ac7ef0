/** What runs in a server, to look at it and to end it, for programs. */
import type { Endpoints } from '../api/kit.ts'

async function unknown(id: string): Promise<Error> {
  const { Refusal } = await import('../api/failure.ts')
  const message = `There is no operation ${JSON.stringify(id)}; a server forgets them when it ends, or after an hour.`
  return new Refusal(404, message, {
    hint: 'To see what runs, run `nexus api /operations`; what a workspace is at, `nexus list --all`',
  })
}

export const endpoints: Endpoints = ({ z, endpoint, operationSchema, sample }) => {
  const params = z.strictObject({ id: z.string().min(1).max(100).openapi({ example: 'op-1f0c3a9b7d' }) })
  return [
    endpoint({
      method: 'get',
      path: '/operations',
      operationId: 'listOperations',
      tag: 'operations',
      summary: 'List what runs in this server, and what ran lately',
      answer: z.object({ operations: z.array(operationSchema) }).openapi('Operations'),
      example: { operations: [sample.OPERATION] },
      run: async ({ api }) => ({ operations: api.operations.list() }),
    }),
    endpoint({
      method: 'get',
      path: '/operations/{id}',
      operationId: 'getOperation',
      tag: 'operations',
      summary: 'Show one operation, with what happened in it',
      params,
      answer: operationSchema,
      example: sample.OPERATION,
      run: async ({ api, params: { id } }) => {
        const found = api.operations.find(id)
        if (found === undefined) throw await unknown(id)
        return found
      },
    }),
    endpoint({
      method: 'delete',
      path: '/operations/{id}',
      operationId: 'cancelOperation',
      tag: 'operations',
      summary: 'End an operation; what it began is undone, and the answer comes when that is done',
      quick: true,
      params,
      answer: operationSchema,
      example: {
        ...sample.OPERATION,
        status: 'cancelled',
        endedAt: '2026-11-23T08:00:04Z',
        error: {
          code: 'BACKEND_UNAVAILABLE',
          message: 'The operation was cancelled; what was begun is undone.',
          hint: 'To see what there is now, run `nexus list --all`',
          retryable: true,
          details: { cancelled: true },
        },
      },
      run: async ({ api, params: { id } }) => {
        const ended = await api.operations.cancel(id)
        if (ended === undefined) throw await unknown(id)
        return ended
      },
    }),
  ]
}
