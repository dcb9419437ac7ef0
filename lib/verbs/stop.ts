/** stop: ends the containers of a workspace and keeps everything. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../frame/shared-fields.ts'
import { verb } from '../frame/verb.ts'
import { answerChange } from '../frame/words.ts'

const stop = verb({
  name: 'stop',
  group: 'everyday',
  effect: 'changes',
  aliases: ['down'],
  summary: 'stop a workspace and keep everything of it',
  fields: { name: NAME, noHooks: NO_HOOKS, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus stop feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/change/down.ts')
    const result = await down.stop(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'stopped')
  },
})

export const verbs = [stop]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => [
  via(stop, {
    method: 'post',
    path: '/workspaces/{id}/stop',
    operationId: 'stopWorkspace',
    tag: 'workspaces',
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example: sample.STOPPED,
  }),
]
