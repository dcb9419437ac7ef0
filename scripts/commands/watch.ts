/** watch: tells what a rebuild would do when a workspace's files change, and with --apply does it; ends by Ctrl-C. */

import { watchInputs } from '../../lib/workspace/change/watch.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import { formatPlan } from '../../lib/workspace/operation/steps.ts'
import type { Run } from './command.ts'

export const watch: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const rounds = await watchInputs(call.app, record, {
    apply: call.flag('apply'),
    onChange: (files, { plan, record: { name } }) => {
      const next = call.flag('apply') ? [] : [`\`nexus rebuild ${name}\` does it`]
      const lines = [`${files.join(', ')} changed`, ...formatPlan(plan), ...next]
      for (const text of lines) call.app.emit({ type: 'notice', text })
    },
  })
  return { data: { changes: rounds }, text: '' }
}
