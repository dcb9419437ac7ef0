/** The repositories that a server knows, for programs. */
import type { Endpoints } from '../api/kit.ts'

export const endpoints: Endpoints = ({ z, endpoint, sample }) => [
  endpoint({
    method: 'get',
    path: '/repositories',
    operationId: 'listRepositories',
    tag: 'about',
    summary:
      'List the repositories that are known: by workspaces, by an alias, or because the server was started in them',
    answer: z
      .object({
        repositories: z.array(z.object({ path: z.string(), aliases: z.array(z.string()), workspaces: z.int() })),
      })
      .openapi('Repositories'),
    example: { repositories: [{ path: sample.PLACE.repo, aliases: ['app'], workspaces: 1 }] },
    run: async ({ api, app }) => {
      const { listRepositories } = await import('../api/context.ts')
      return { repositories: await listRepositories(api, app) }
    },
  }),
]
