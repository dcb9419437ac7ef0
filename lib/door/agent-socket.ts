/** Where the filter before the user's agent is reached. Pure. */
import { basename, join } from 'node:path'
import { sha256 } from '../core/digest.ts'
import type { WorkspaceId } from '../core/names.ts'
import type { HomePaths } from '../core/paths.ts'

/** The kernel takes 107 bytes of a socket's path; a process adds its number to the name of its own. */
const PATH_MAX = 100 - '.4194304.at'.length

/** The path by which all connections over the alias reach it. It must be the same for whoever asks, so no variable decides. */
export function agentSocketPath(
  { home, run }: Pick<HomePaths, 'home' | 'run'>,
  { id }: { readonly id: WorkspaceId },
): string {
  const path = join(run, `${id}.agent`)
  if (Buffer.byteLength(path) <= PATH_MAX) return path
  return join('/tmp', `nexus-${process.getuid?.() ?? 0}-${sha256(home).slice(0, 8)}`, basename(path))
}
