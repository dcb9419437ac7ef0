/**
 * What guards a workspace, decided once at create from the user's configuration, as the contract's table of isolation levels
 * has it. A project's file may only tighten. Pure.
 */
import type { Settings } from '../config/load.ts'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'

export type Guards = Pick<
  WorkspaceRecord,
  'isolation' | 'sudo' | 'gitMode' | 'network' | 'networkAllow' | 'forwardAgent'
>

/** In `agent` nothing is left of sudo and agent forwarding, whatever else is configured. */
export function guardsOf(settings: Settings): Guards {
  const { isolation, git, network, sudo, ssh } = settings
  const agent = isolation === 'agent'
  const mode = network.mode ?? (agent ? 'allowlist' : 'open')
  return {
    isolation,
    sudo: sudo && !agent,
    gitMode: git.mode ?? (agent ? 'private' : 'shared'),
    network: mode,
    ...(mode === 'allowlist' ? { networkAllow: network.allow } : {}),
    forwardAgent: ssh.forwardAgent && !agent,
  }
}

/** @throws {NexusError} UNSUPPORTED for a guard that is not built yet: none is pretended */
export function refuseUnbuilt({ isolation, network }: Guards): void {
  const missing = isolation === 'agent' ? 'isolation "agent"' : `network "${network}"`
  if (isolation === 'standard' && network === 'open') return
  throw new NexusError(
    'UNSUPPORTED',
    `The ${missing} is not built yet; Nexus pretends no guard that it does not have.`,
    {
      hint: 'To go on without it, leave the option out and run `nexus config unset isolation`',
    },
  )
}
