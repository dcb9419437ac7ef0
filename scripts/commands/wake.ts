/** wake: the start behind a connection. Its answer is for nobody; whoever connects reads its narration. */
import { NexusError } from '../../lib/core/errors.ts'
import { type Client, wake as wakeWorkspace } from '../../lib/workspace/door/wake.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Run } from './command.ts'

export const wake: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const result = await wakeWorkspace(call.app, record, parseClient(call.value('client') ?? 'program'))
  return { data: { id: result.record.id, changed: result.changed }, text: '' }
}

function parseClient(kind: string): Client {
  if (kind === 'terminal' || kind === 'program') return kind
  throw new NexusError('INVALID_ARGUMENT', `--client ${JSON.stringify(kind)} is no kind of client.`, {
    hint: 'To start a workspace yourself, run `nexus start <name>`',
  })
}
