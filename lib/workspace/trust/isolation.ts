/**
 * What guards a workspace and what limits it, decided once at create from the user's configuration, as the contract's table
 * of isolation levels has it. A project's file may only tighten, and so may what it says later. Pure.
 */
import type { Settings } from '../../config/load.ts'
import { NETWORK_MODES, type NetworkMode } from '../../core/modes.ts'
import type { AgentMode } from '../../core/ssh-agent-mode.ts'
import type { DockerPart, WorkspaceRecord } from '../../core/workspace.ts'

export type Guards = Pick<DockerPart, 'sudo'> &
  Pick<WorkspaceRecord, 'isolation' | 'gitMode' | 'network' | 'forwardAgent' | 'agentMode' | 'agentKeys'>
export type ResourceLimits = Pick<WorkspaceRecord, 'cpus' | 'memory' | 'pids'>
/** What limits are measured by: the user's own settings, or the workspace as it is. */
type Bound = { readonly [key in keyof ResourceLimits]?: ResourceLimits[key] | undefined }
type Owner = Pick<DockerPart, 'uid' | 'gid'>

/** From open to shut. */
const NETWORKS: readonly NetworkMode[] = NETWORK_MODES

/**
 * Stands in for root in isolation `agent`: a server that lets people in without any capability cannot run as uid 0. No
 * distribution gives this number to anybody, nor does systemd.
 */
export const STAND_IN: Owner = { uid: 65_532, gid: 65_532 }

/**
 * In `agent` nothing is left of sudo and agent forwarding, whatever else is configured.
 * @param own the user's settings alone, which a project's file must not loosen
 */
export function guardsOf(settings: Settings, own: Settings): Guards {
  const { isolation, git, sudo, ssh } = settings
  const agent = isolation === 'agent'
  return {
    isolation,
    sudo: sudo && !agent,
    gitMode: git.mode ?? (agent ? 'private' : 'shared'),
    network: stricter(networkOf(settings), networkOf(own)),
    ...agentGuards(agent ? 'off' : ssh.forwardAgent, own.ssh.agentKeys),
  }
}

function agentGuards(
  agentMode: AgentMode,
  agentKeys: readonly string[],
): Pick<WorkspaceRecord, 'forwardAgent' | 'agentMode' | 'agentKeys'> {
  const forwardAgent = agentMode !== 'off'
  return { forwardAgent, agentMode, ...(forwardAgent && agentKeys.length > 0 ? { agentKeys } : {}) }
}

function networkOf({ isolation, network }: Settings): NetworkMode {
  return network.mode ?? (isolation === 'agent' ? 'allowlist' : 'open')
}

function stricter(one: NetworkMode, other: NetworkMode): NetworkMode {
  return NETWORKS.indexOf(one) > NETWORKS.indexOf(other) ? one : other
}

/** In `agent` never above what the user alone says, or what the workspace has already. */
export function limitsOf(isolation: WorkspaceRecord['isolation'], settings: Settings, bound: Bound): ResourceLimits {
  const { cpus = null, memory = null, pids } = settings.workspace
  if (isolation !== 'agent') return { cpus: cpus ?? bound.cpus ?? null, memory: memory ?? bound.memory ?? null, pids }
  return {
    cpus: lower(cpus, bound.cpus ?? null),
    memory: lower(memory, bound.memory ?? null),
    pids: Math.min(pids, bound.pids ?? pids),
  }
}

function lower(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : Math.min(one, other)
}

/** The user inside. */
export function userInside(owner: Owner, isolation: WorkspaceRecord['isolation']): Owner {
  return isolation === 'agent' && owner.uid === 0 ? STAND_IN : owner
}
