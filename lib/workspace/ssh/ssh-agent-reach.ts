/**
 * How far the ssh agent reaches into a workspace is fixed when it is made. Who narrows the configuration is told which
 * workspaces go on with more.
 */

import { shellWord } from '../../core/shell.ts'
import { AGENT_MODES } from '../../core/ssh-agent-mode.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'

const KEYS = ['ssh.forward_agent', 'ssh.agent_keys']
/** So many are named. */
const NAMED_MAX = 10

export async function tellFurtherReach(app: App, key: string): Promise<void> {
  if (!KEYS.includes(key)) return
  const { ssh } = (await app.config()).settings
  const further = (await app.records.list()).filter((record) => reachesFurther(record, ssh))
  const [first] = further
  if (first === undefined) return
  const named = further.slice(0, NAMED_MAX).map(({ name, repo }) => `${name} (${repo})`)
  const more = further.length > NAMED_MAX ? `, and ${further.length - NAMED_MAX} more` : ''
  app.emit({
    type: 'warning',
    text: `the ssh agent reaches further into workspaces that were made before, and goes on to: ${named.join(', ')}${more}`,
    hint: `No command narrows it in one that is there; to make it anew, without its volumes, run \`nexus delete ${first.id}\` and \`nexus up ${first.name} --repo ${shellWord(first.repo)}\``,
  })
}

interface Reach {
  readonly forwardAgent: (typeof AGENT_MODES)[number]
  readonly agentKeys: readonly string[]
}

/** Exported for tests. */
export function reachesFurther(record: Pick<WorkspaceRecord, 'agentMode' | 'agentKeys'>, now: Reach): boolean {
  const mode = record.agentMode
  if (mode !== now.forwardAgent) return AGENT_MODES.indexOf(mode) > AGENT_MODES.indexOf(now.forwardAgent)
  // no keys: all of them
  if (mode !== 'proxy' || now.agentKeys.length === 0) return false
  return record.agentKeys === undefined || record.agentKeys.some((one) => !now.agentKeys.includes(one))
}
