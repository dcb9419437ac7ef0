/** pause and resume: the containers of a workspace frozen in memory, and running on. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { answerChange } from '../verb-form/words.ts'

const fields = { name: NAME, noHooks: { ...NO_HOOKS, side: 'http' }, repo: REPO, dryRun: DRY_RUN } as const

const pause = verb({
  name: 'pause',
  group: 'care',
  effect: 'changes',
  summary: 'freeze a running workspace in memory',
  fields,
  example: 'nexus pause feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/lifecycle/stop-pause.ts')
    const result = await down.pause(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'paused')
  },
})

const resume = verb({
  name: 'resume',
  group: 'care',
  effect: 'changes',
  summary: 'let a paused workspace run on',
  fields,
  example: 'nexus resume feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/lifecycle/stop-pause.ts')
    const result = await down.resume(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'running')
  },
})

export const verbs = [pause, resume]

export const endpoints: Endpoints = ({ changing, sample }) => [
  changing(pause, undefined, { ...sample.WORKSPACE, state: 'paused' }),
  changing(resume),
]
