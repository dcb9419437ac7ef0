/** current: which workspace a folder belongs to. */
import { resolve } from 'node:path'
import type { Endpoints } from '../api/kit.ts'
import { optionalWord } from '../verb-form/fields.ts'
import { verb } from '../verb-form/verb.ts'

const current = verb({
  name: 'current',
  group: 'look',
  effect: 'looks',
  summary: 'show which workspace a folder belongs to; exit code 3 for none',
  fields: { folder: optionalWord('default: the current one') },
  example: 'nexus current .worktree/feature-auth',
  // the name alone needs no engine; `--json` tells the state, too
  run: async (call, { folder = '.' }) => {
    const { requireCurrent } = await import('../workspace/names/current.ts')
    const record = await requireCurrent(call.app, resolve(call.cwd, folder))
    if (!call.json) return { data: null, text: record.name }
    const { describeWorkspace } = await import('../workspace/status/list.ts')
    return { data: await describeWorkspace(call.app, record), text: record.name }
  },
})

export const verbs = [current]

export const endpoints: Endpoints = ({ z, via, sample, workspaceSchema }) => [
  via(current, {
    http: 'GET /current',
    operationId: 'getCurrent',
    tag: 'workspaces',
    summary: 'Show the workspace whose worktree a folder of this machine lies in',
    query: ['folder'],
    own: { folder: z.string().regex(/^\//).max(4_096).openapi({ description: 'Absolute' }) },
    answer: workspaceSchema,
    example: sample.WORKSPACE,
  }),
]
