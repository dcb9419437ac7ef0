/** watch: tells what a rebuild would do when a workspace's files change, and with --apply does it; ends by Ctrl-C. */

import { requireWorkspace } from '../../lib/workspace/find.ts'
import { formatPlan } from '../../lib/workspace/steps.ts'
import { watchInputs } from '../../lib/workspace/watch.ts'
import type { Run } from './command.ts'

export const watch: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const rounds = await watchInputs(call.app, record, {
    apply: call.flag('apply'),
    onChange: (files, { plan, record: { name } }) => {
      const next = call.flag('apply') ? '' : `\n\`nexus rebuild ${name}\` does it`
      call.app.emit({ type: 'notice', text: `${files.join(', ')} changed\n${formatPlan(plan).join('\n')}${next}` })
    },
  })
  return { data: { changes: rounds }, text: '' }
}
