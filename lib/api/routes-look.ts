/** Endpoints that look at workspaces and change nothing. */
import { z } from '@hono/zod-openapi'
import { findRepo } from '../workspace/find.ts'
import { describeWorkspace } from '../workspace/list.ts'
import { checkedRepo, listRepositories } from './context.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import { workspaceOf } from './routes-workspaces.ts'
import { flag, idParams, portSchema, REPO, scopedQuery, sshSchema, workspaceSchema } from './schemas.ts'

const list = endpoint({
  method: 'get',
  path: '/workspaces',
  operationId: 'listWorkspaces',
  tag: 'workspaces',
  summary: 'List workspaces',
  verbs: ['list'],
  query: z.strictObject({
    repo: REPO,
    dirty: flag('Also ask git for uncommitted changes'),
    size: flag('Also measure what each takes on the disk'),
  }),
  answer: z.object({ workspaces: z.array(workspaceSchema) }).openapi('Workspaces'),
  run: async ({ app, api, query }) => {
    const repo = query.repo === undefined ? undefined : (await findRepo(app, await checkedRepo(app, query.repo))).root
    if (query.dirty !== true && query.size !== true) return api.live.listText(repo)
    const workspaces = await api.snapshot.list({ repo, dirty: query.dirty === true, size: query.size === true })
    return { workspaces }
  },
})

const show = endpoint({
  method: 'get',
  path: '/workspaces/{id}',
  operationId: 'getWorkspace',
  tag: 'workspaces',
  summary: 'Show one workspace',
  verbs: ['status'],
  params: idParams,
  query: scopedQuery,
  answer: workspaceSchema,
  run: async (asked) => describeWorkspace(asked.app, await workspaceOf(asked)),
})

const ssh = endpoint({
  method: 'get',
  path: '/workspaces/{id}/ssh',
  operationId: 'getSshInfo',
  tag: 'inside',
  summary: 'Show how to get in by SSH',
  verbs: ['ssh'],
  params: idParams,
  query: scopedQuery,
  answer: sshSchema,
  run: async (asked) => {
    const record = await workspaceOf(asked)
    return (await asked.app.backend(record.backend)).sshInfo(record)
  },
})

const ports = endpoint({
  method: 'get',
  path: '/workspaces/{id}/ports',
  operationId: 'listPorts',
  tag: 'inside',
  summary: 'Show where the ports of a workspace are published',
  verbs: ['ports'],
  params: idParams,
  query: scopedQuery,
  answer: z.object({ ports: z.array(portSchema) }).openapi('Ports'),
  run: async (asked) => ({ ports: (await describeWorkspace(asked.app, await workspaceOf(asked))).ports }),
})

const repositories = endpoint({
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
  run: async ({ app }) => ({ repositories: await listRepositories(app) }),
})

export const LOOK: readonly Endpoint[] = [list, show, ssh, ports, repositories]
