/** Endpoints that look at workspaces and change nothing. */
import { z } from '@hono/zod-openapi'
import { sshInfo } from '../../backends/facets.ts'
import { requireCurrent } from '../../workspace/look/current.ts'
import { findRepo } from '../../workspace/look/find.ts'
import { describeWorkspace } from '../../workspace/look/list.ts'
import { statusOf } from '../../workspace/look/status.ts'
import { topAll, topOne } from '../../workspace/look/top.ts'
import { checkedRepo, listRepositories } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { flag, idParams, portSchema, REPO, scopedQuery, sshSchema, workspaceSchema } from './schemas.ts'
import { loadSchema, processSchema, statusSchema } from './status-schemas.ts'
import { workspaceOf } from './workspaces.ts'

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
  summary: 'Show one workspace: its services, how its branch and files stand, when it was last used',
  verbs: ['status'],
  params: idParams,
  query: z.strictObject({ repo: REPO, size: flag('Also measure what it takes on the disk') }),
  answer: statusSchema,
  run: async (asked) => statusOf(asked.app, await workspaceOf(asked), { size: asked.query.size === true }),
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
    return sshInfo(await asked.app.backend(record.backend), record)
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

const current = endpoint({
  method: 'get',
  path: '/current',
  operationId: 'getCurrent',
  tag: 'workspaces',
  summary: 'Show the workspace whose worktree a folder of this machine lies in',
  verbs: ['current'],
  query: z.strictObject({ folder: z.string().regex(/^\//).max(4_096).openapi({ description: 'Absolute' }) }),
  answer: workspaceSchema,
  run: async ({ app, query }) => describeWorkspace(app, await requireCurrent(app, query.folder)),
})

const top = endpoint({
  method: 'get',
  path: '/top',
  operationId: 'listLoads',
  tag: 'inside',
  summary: 'Show what running workspaces use at this moment',
  verbs: ['top'],
  query: scopedQuery,
  answer: z.object({ workspaces: z.array(loadSchema) }).openapi('Loads'),
  run: async ({ app, query }) => {
    const repo = query.repo === undefined ? undefined : (await findRepo(app, await checkedRepo(app, query.repo))).root
    const records = await app.records.list()
    return { workspaces: await topAll(app, repo === undefined ? records : records.filter((one) => one.repo === repo)) }
  },
})

const topOfOne = endpoint({
  method: 'get',
  path: '/workspaces/{id}/top',
  operationId: 'getLoad',
  tag: 'inside',
  summary: 'Show what one running workspace uses at this moment, with its processes',
  verbs: ['top'],
  params: idParams,
  query: scopedQuery,
  answer: loadSchema.extend({ list: z.array(processSchema) }).openapi('LoadWithProcesses'),
  run: async (asked) => topOne(asked.app, await workspaceOf(asked)),
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
  run: async ({ api, app }) => ({ repositories: await listRepositories(api, app) }),
})

export const LOOK: readonly Endpoint[] = [list, show, current, ssh, ports, top, topOfOne, repositories]
