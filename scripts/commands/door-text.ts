/** How a workspace is shown to people: where it is and how to get in. Pure. */
import type { WorkspaceResource } from '../../lib/core/workspace.ts'

type Field = readonly [string, string]

export function describeDoor(resource: WorkspaceResource): readonly Field[] {
  const { ssh } = resource
  const fields: Field[] = [
    ['branch', resource.branch],
    ['worktree', resource.worktree ?? 'not on this machine'],
  ]
  if (ssh.connectionCommand !== null) {
    fields.push(['ssh', ssh.connectionCommand])
    fields.push(['', `${ssh.verifiedCommand ?? ''}   (host key verified: ${ssh.hostKeyFingerprint ?? 'not made yet'})`])
  }
  for (const port of resource.ports.filter(({ name }) => name !== 'ssh')) {
    const place = port.url ?? (port.host === null ? `port ${port.container} inside` : `localhost:${port.host}`)
    fields.push([port.name, `${place}   (${port.container} inside)`])
  }
  return fields
}
