/** watch: tells what a rebuild would do when a workspace's files change, and with --apply does it; ends by Ctrl-C. */
import { flag } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const watch = verb({
  name: 'watch',
  group: 'care',
  effect: 'changes',
  summary: 'tell when the files change that a workspace is made from',
  fields: { name: NAME, apply: flag('rebuild it then'), repo: REPO },
  example: 'nexus watch feature-auth --apply',
  endless: true,
  run: async (call, { name, apply, repo }) => {
    const { watchInputs } = await import('../workspace/lifecycle/watch.ts')
    const { formatPlan } = await import('../workspace/operation/steps.ts')
    const rounds = await watchInputs(call.app, await call.workspace(name, repo), {
      apply,
      onChange: (files, { plan, record }) => {
        const next = apply ? [] : [`\`nexus rebuild ${record.name}\` does it`]
        const lines = [`${files.join(', ')} changed`, ...formatPlan(plan), ...next]
        for (const text of lines) call.app.emit({ type: 'notice', text })
      },
    })
    return { data: { changes: rounds }, text: '' }
  },
})

export const verbs = [watch]

export const withoutEndpoint = {
  watch: 'events tell of every change, and POST /workspaces/{id}/rebuild does what --apply does',
}
