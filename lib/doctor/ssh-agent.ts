/** Checks whether the user's ssh agent answers. */
import { type Diagnosis, warning, well } from '../core/finding.ts'
import { capitalized } from '../core/words.ts'
import type { Scan } from './scan.ts'

export async function checkUserAgent({ app }: Scan): Promise<readonly Diagnosis[]> {
  const { agentTrouble, lookAtAgent } = await import('../ssh/ssh-agent/agent-client.ts')
  const { findOwnAgent } = await import('../ssh/ssh-agent/own-agent.ts')
  const look = await lookAtAgent(await findOwnAgent(app))
  const trouble = agentTrouble(look)
  if (trouble !== undefined) {
    const message = `${capitalized(trouble.text)}.`
    const why = 'nothing is forwarded into workspaces, and its keys open none.'
    return [warning({ message, why, hint: trouble.hint })]
  }
  const count = look.identities.length
  const held = `the ssh agent holds ${count} key${count === 1 ? '' : 's'}`
  return [well(look.state === 'none' ? 'there is no ssh agent' : held)]
}
