/** start: brings a stopped or broken workspace up again. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../frame/shared-fields.ts'
import { verb } from '../frame/verb.ts'
import { answerUp } from '../frame/words.ts'

const start = verb({
  name: 'start',
  group: 'everyday',
  effect: 'changes',
  summary: 'start a stopped or broken workspace',
  fields: { name: NAME, noHooks: NO_HOOKS, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus start feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const { start: startWorkspace } = await import('../workspace/create/up.ts')
    const record = await call.workspace(name, repo)
    return answerUp(call, await startWorkspace(call.app, record, { start: true, dryRun }), dryRun)
  },
})

export const verbs = [start]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => [
  via(start, {
    method: 'post',
    path: '/workspaces/{id}/start',
    operationId: 'startWorkspace',
    tag: 'workspaces',
    summary: 'Start a stopped or broken workspace; one that runs stays as it is',
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example: sample.WORKSPACE,
  }),
]
