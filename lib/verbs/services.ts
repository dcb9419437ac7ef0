/** The services of a workspace, for programs; people see them by `status`. */
import type { Endpoints } from '../api/kit.ts'

export const endpoints: Endpoints = ({ z, endpoint, idParams, sample, scopedQuery, serviceSchema, workspaceOf }) => [
  endpoint({
    method: 'get',
    path: '/workspaces/{id}/services',
    operationId: 'listServices',
    tag: 'inside',
    summary: 'List the services of a workspace as the engine sees them',
    params: idParams,
    query: scopedQuery,
    answer: z.object({ services: z.array(serviceSchema) }).openapi('Services'),
    example: { services: [sample.SERVICE] },
    run: async (asked) => {
      const record = await workspaceOf(asked)
      return { services: (await (await asked.app.backend(record.backend)).services?.list(record)) ?? [] }
    },
  }),
]
