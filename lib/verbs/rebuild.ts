/** rebuild: makes the containers of a workspace anew from its files. */
import type { Endpoints } from '../api/kit.ts'
import { APPROVE, DRY_RUN, NAME, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { answerUp } from '../verb-form/words.ts'

const rebuild = verb({
  name: 'rebuild',
  group: 'care',
  effect: 'changes',
  summary: 'make a workspace anew from what its files say now; worktree, volumes and ports stay',
  fields: { name: NAME, approve: APPROVE, noHooks: NO_HOOKS, repo: REPO, dryRun: DRY_RUN },
  example: 'nexus rebuild feature-auth',
  run: async (call, { name, repo, dryRun }) => {
    const { rebuild: rebuildWorkspace } = await import('../workspace/lifecycle/rebuild.ts')
    return answerUp(call, await rebuildWorkspace(call.app, await call.workspace(name, repo), dryRun), dryRun)
  },
})

export const verbs = [rebuild]

export const endpoints: Endpoints = ({ changing }) => [changing(rebuild)]
