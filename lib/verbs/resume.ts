/** resume: ends a pause. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../frame/shared-fields.ts'
import { verb } from '../frame/verb.ts'
import { answerChange } from '../frame/words.ts'

const resume = verb({
  name: 'resume',
  group: 'care',
  effect: 'changes',
  summary: 'let a paused workspace run on',
  fields: { name: NAME, noHooks: { ...NO_HOOKS, side: 'http' }, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus resume feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/change/down.ts')
    const result = await down.resume(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'running')
  },
})

export const verbs = [resume]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => [
  via(resume, {
    method: 'post',
    path: '/workspaces/{id}/resume',
    operationId: 'resumeWorkspace',
    tag: 'workspaces',
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example: sample.WORKSPACE,
  }),
]
