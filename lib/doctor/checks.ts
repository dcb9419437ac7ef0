/** The checks of `doctor`, as one table in the order in which they are told. */
import type { Check, Diagnosis } from '../core/finding.ts'
import { checkChangedGitConfig } from './git-config.ts'
import { checkLocks, checkOwnership, checkStateFiles } from './home.ts'
import { checkLeftovers } from './leftovers.ts'
import { checkClock, checkDisk, checkInotify, checkNames, checkPortRange } from './machine.ts'
import { checkSetIdFiles, checkWorktreeFolders } from './other-users.ts'
import { checkFolders, checkLeases, checkOperations, checkSubnets } from './records.ts'
import type { Scan } from './scan.ts'
import { checkInclude, checkUserSsh } from './ssh.ts'
import { checkUserAgent } from './ssh-agent.ts'
import { checkPorts, checkPublished, checkStates } from './states.ts'
import { checkConfiguration, checkTools } from './tools.ts'
import { checkWorktrees } from './worktrees.ts'

const CHECKS: readonly (readonly [string, (scan: Scan) => Promise<readonly Diagnosis[]>])[] = [
  ['tools', checkTools],
  ['configuration', checkConfiguration],
  ['home', checkOwnership],
  ['state-files', checkStateFiles],
  ['locks', checkLocks],
  ['operations', checkOperations],
  ['workspaces', checkStates],
  ['folders', checkFolders],
  ['leases', checkLeases],
  ['subnets', checkSubnets],
  ['ports', checkPorts],
  ['published', checkPublished],
  ['port-range', checkPortRange],
  ['worktrees', checkWorktrees],
  ['worktree-folders', checkWorktreeFolders],
  ['set-id-files', checkSetIdFiles],
  ['git-config', checkChangedGitConfig],
  ['ssh', checkUserSsh],
  ['ssh-agent', checkUserAgent],
  ['ssh-include', checkInclude],
  ['names', checkNames],
  ['disk', checkDisk],
  ['inotify', checkInotify],
  ['clock', checkClock],
  ['leftovers', checkLeftovers],
]

export async function listChecks(scan: Scan): Promise<readonly Check[]> {
  const ours = CHECKS.map(([name, run]) => ({ name, run: () => run(scan) }))
  const theirs = await Promise.all(
    scan.backends.map(async (backend) => (await backend.upkeep?.())?.checks(scan.records) ?? []),
  )
  return [...ours, ...theirs.flat()]
}
