/** pause: freezes the containers of a workspace. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../frame/shared-fields.ts'
import { verb } from '../frame/verb.ts'
import { answerChange } from '../frame/words.ts'

const pause = verb({
  name: 'pause',
  group: 'care',
  effect: 'changes',
  summary: 'freeze a running workspace in memory',
  fields: { name: NAME, noHooks: { ...NO_HOOKS, side: 'http' }, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus pause feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/change/down.ts')
    const result = await down.pause(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'paused')
  },
})

export const verbs = [pause]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => [
  via(pause, {
    method: 'post',
    path: '/workspaces/{id}/pause',
    operationId: 'pauseWorkspace',
    tag: 'workspaces',
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example: { ...sample.WORKSPACE, state: 'paused' },
  }),
]
