/** How a workspace is shown to people: where it is and how to get in. */
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import type { Call } from './command.ts'

type Field = readonly [string, string]

/** Whether plain `ssh <alias>` works now; not looked at for a program, which is given what always works. */
export async function byAlias({ app, json }: Call): Promise<boolean> {
  return !json && (await (await import('../../lib/workspace/door/ssh-installed.ts')).opensByAlias(app))
}

/** `isShort`: as `byAlias` says. */
export function describeDoor(resource: WorkspaceResource, isShort: boolean): readonly Field[] {
  const { ssh } = resource
  const verified = isShort && ssh.alias !== null ? `ssh ${ssh.alias}` : (ssh.verifiedCommand ?? '')
  const fields: Field[] = [
    ['branch', resource.branch],
    ['worktree', resource.worktree ?? 'not on this machine'],
  ]
  if (ssh.connectionCommand !== null) {
    fields.push(['ssh', ssh.connectionCommand])
    fields.push(['', `${verified}   (host key verified: ${ssh.hostKeyFingerprint ?? 'not made yet'})`])
  }
  for (const port of resource.ports.filter(({ name }) => name !== 'ssh')) {
    const place = port.url ?? (port.host === null ? `port ${port.container} inside` : `localhost:${port.host}`)
    fields.push([port.name, `${place}   (${port.container} inside)`])
  }
  return fields
}
