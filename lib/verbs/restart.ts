/** restart: a stop and a start. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../frame/shared-fields.ts'
import { verb } from '../frame/verb.ts'
import { answerUp } from '../frame/words.ts'

const restart = verb({
  name: 'restart',
  group: 'everyday',
  effect: 'changes',
  summary: 'stop a workspace and start it again',
  fields: { name: NAME, noHooks: NO_HOOKS, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus restart feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/change/down.ts')
    return answerUp(call, await down.restart(call.app, await call.workspace(name, repo), dryRun), dryRun)
  },
})

export const verbs = [restart]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => [
  via(restart, {
    method: 'post',
    path: '/workspaces/{id}/restart',
    operationId: 'restartWorkspace',
    tag: 'workspaces',
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example: sample.WORKSPACE,
  }),
]
