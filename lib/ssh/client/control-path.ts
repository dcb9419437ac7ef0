/**
 * Where ssh keeps the connection that a user's own `ControlMaster` shares. All workspaces are this machine, so that a `ControlPath` of
 * the user's which names the host alone would take one's open connection for another's: each server has a path of its own in `run/`. Pure.
 */
import { join } from 'node:path'
import type { WorkspaceId } from '../../core/names.ts'
import type { HomePaths } from '../../core/paths.ts'
import { withoutTokens } from '../../tools/ssh.ts'

/** ssh appends 17 characters while it binds the socket; the kernel's limit is 108. */
export const CONTROL_PATH_MAX = 88
/** Longer than any port, and the user that a server lets in. */
const LONGEST = { '%p': '65535', '%r': 'nexus' }

/** For the alias. By another remote user's name nobody shall come in over a connection of the one that is let in. */
export function aliasControlPath(home: Pick<HomePaths, 'run'>, id: WorkspaceId): string {
  return controlPathValue(home, `${id}.%r.mux`)
}

/** For the raw line, which knows nothing but its port. */
export function rawControlPath(home: Pick<HomePaths, 'run'>): string {
  return controlPathValue(home, 'localhost-%p.mux')
}

/** Whether a file in `run/` is a shared connection to a workspace at that port. */
export function isControlSocket(name: string, id: WorkspaceId, port: number): boolean {
  return (name.startsWith(`${id}.`) && name.endsWith('.mux')) || name === `localhost-${port}.mux`
}

/** What ssh reads: with its tokens, and `none`, which shares nothing, in a home whose path is too long for a socket. */
function controlPathValue({ run }: Pick<HomePaths, 'run'>, name: string): string {
  const longest = join(
    run,
    name.replace(/%[pr]/, (token) => LONGEST[token as keyof typeof LONGEST]),
  )
  return Buffer.byteLength(longest) <= CONTROL_PATH_MAX ? join(withoutTokens(run), name) : 'none'
}
