/** start, stop and restart a workspace; everything of it is kept. */
import type { Endpoints } from '../api/kit.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { answerChange, answerUp } from '../verb-form/words.ts'

const fields = { name: NAME, noHooks: NO_HOOKS, repo: REPO, dryRun: DRY_RUN }

const start = verb({
  name: 'start',
  group: 'everyday',
  effect: 'changes',
  summary: 'start a stopped or broken workspace',
  fields,
  example: 'nexus start feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const { start: startWorkspace } = await import('../workspace/lifecycle/up.ts')
    const record = await call.workspace(name, repo)
    return answerUp(call, await startWorkspace(call.app, record, { start: true, dryRun }), dryRun)
  },
})

const stop = verb({
  name: 'stop',
  group: 'everyday',
  effect: 'changes',
  aliases: ['down'],
  summary: 'stop a workspace and keep everything of it',
  fields,
  example: 'nexus stop feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/lifecycle/stop-pause.ts')
    const result = await down.stop(call.app, await call.workspace(name, repo), dryRun)
    return answerChange(call, result, dryRun, 'stopped')
  },
})

const restart = verb({
  name: 'restart',
  group: 'everyday',
  effect: 'changes',
  summary: 'stop a workspace and start it again',
  fields,
  example: 'nexus restart feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const down = await import('../workspace/lifecycle/stop-pause.ts')
    return answerUp(call, await down.restart(call.app, await call.workspace(name, repo), dryRun), dryRun)
  },
})

export const verbs = [start, stop, restart]

export const endpoints: Endpoints = ({ changing, sample }) => [
  changing(start, 'Start a stopped or broken workspace; one that runs stays as it is'),
  changing(stop, undefined, sample.STOPPED),
  changing(restart),
]
