/** wake: the start behind a connection. Its answer is for nobody; whoever connects reads its narration. */
import { NexusError } from '../core/errors.ts'
import { option } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import type { Client } from '../workspace/ssh/wake.ts'

const wake = verb({
  name: 'wake',
  group: 'inside',
  effect: 'changes',
  hidden: true,
  summary: 'start a workspace because a client connects to it; the aliases of ssh call it',
  fields: { name: NAME, client: option('kind', 'terminal or program; default: program'), repo: REPO },
  example: 'nexus wake feature-auth --client terminal',
  run: async (call, { name, client = 'program', repo }) => {
    const { wake: wakeWorkspace } = await import('../workspace/ssh/wake.ts')
    const result = await wakeWorkspace(call.app, await call.workspace(name, repo), parseClient(client))
    return { data: { id: result.record.id, changed: result.changed }, text: '' }
  },
})

function parseClient(kind: string): Client {
  if (kind === 'terminal' || kind === 'program') return kind
  throw new NexusError('INVALID_ARGUMENT', `--client ${JSON.stringify(kind)} is no kind of client.`, {
    hint: 'To start a workspace yourself, run `nexus start <name>`',
  })
}

export const verbs = [wake]

export const withoutEndpoint = {
  wake: 'the aliases of ssh call it; for everybody else there is POST /workspaces/{id}/start',
}
