/** Where the filter before the user's agent is reached. */
import type { WorkspaceId } from '../../core/names.ts'
import type { HomePaths } from '../../core/paths.ts'
import { runPath, runPlace, type Wanted } from '../../system/run-place.ts'

/** The kernel takes 107 bytes of a socket's path; a process adds its number to the name of its own. */
const PATH_MAX = 100 - '.4194304.at'.length

type Home = Pick<HomePaths, 'home' | 'run'>
type Whose = { readonly id: WorkspaceId }

const wanted = ({ id }: Whose): Wanted => ({ name: `${id}.agent`, maxBytes: PATH_MAX })

/** The path by which all connections over the alias reach it. It must be the same for whoever asks, so no variable decides. */
export function agentSocketPath(home: Home, whose: Whose): string {
  return runPath(home, wanted(whose))
}

/**
 * The same where it is used.
 * @throws {NexusError} PERMISSION_DENIED when its folder is not this user's alone
 */
export function agentSocketPlace(home: Home, whose: Whose): string {
  return runPlace(home, wanted(whose))
}
