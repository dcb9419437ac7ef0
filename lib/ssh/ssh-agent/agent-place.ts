/**
 * Gives one connection to a workspace the agent that its record allows: none, the filter, or the user's own. An agent that is not
 * there, or hangs, never keeps anybody out: then the connection has none.
 */

import { basename, dirname } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { Emit } from '../../core/events.ts'
import type { WorkspaceId } from '../../core/names.ts'
import { type HomePaths, workspacePaths } from '../../core/paths.ts'
import type { AgentMode } from '../../core/ssh-agent-mode.ts'
import { escapePattern } from '../../core/words.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readPlain } from '../../system/read.ts'
import { requireOwnFolder } from '../../system/run-place.ts'
import { removeAbandoned } from '../../system/temporary.ts'
import { connectTo } from '../../system/unix-socket.ts'
import { type AgentLook, agentTrouble, lookAtAgent } from './agent-client.ts'
import { hostAgentFilter } from './agent-filter.ts'
import { type AllowedKeys, isAllowed, resolveAgentKeys } from './agent-keys.ts'
import { agentSocketPlace } from './agent-socket.ts'
import { type AgentSearch, findOwnAgent } from './own-agent.ts'

const CONNECT_TIMEOUT_MS = 500

type Whose = Pick<WorkspaceRecord, 'id' | 'name' | 'agentMode' | 'agentKeys'>

export interface AgentContext extends AgentSearch {
  readonly home: Pick<HomePaths, 'home' | 'run' | 'sshConfig'>
  readonly emit: Emit
}

export interface OpenAgent {
  /** For SSH_AUTH_SOCK, or ssh's IdentityAgent. */
  readonly socketPath: string
  close(): Promise<void>
}

/** For a connection over the alias, of which only the workspace's id is known. A record that cannot be read brings none. */
export async function openAliasAgent(
  context: AgentContext & { readonly home: HomePaths },
  id: WorkspaceId,
): Promise<OpenAgent | undefined> {
  try {
    const record = JSON.parse(`${readPlain(workspacePaths(context.home, id).record)}`) as WorkspaceRecord
    return await openAgent(context, record, true)
  } catch {
    return undefined // whoever works with records sees to it
  }
}

/**
 * With `shared`, at the path that all connections of the workspace have in common; else at one of this process's own.
 * @returns undefined where there is no agent to bring, which is said when it is not as it should be
 */
export async function openAgent(context: AgentContext, record: Whose, shared: boolean): Promise<OpenAgent | undefined> {
  const mode = record.agentMode
  const upstream = mode === 'off' ? undefined : await findOwnAgent(context)
  if (upstream === undefined) return undefined
  if (shared) return openShared(context, record, mode, upstream)
  const look = await lookAtAgent(upstream)
  // what is dead is as good as none: tmux and the like keep such a path for ever
  if (look.state === 'none' || look.state === 'dead') return undefined
  const trouble = agentTrouble(look)
  if (trouble !== undefined) {
    context.emit({
      type: 'warning',
      text: `${trouble.text}: nothing is forwarded to ${record.name}`,
      hint: trouble.hint,
    })
    return undefined
  }
  if (mode === 'full') return { socketPath: upstream, close: async () => undefined }
  const allowed = await resolveAgentKeys(record.agentKeys ?? [], context.env)
  tellMissing(context, record, look, allowed)
  return openFilter(context, record, { upstream, allowed, shared })
}

/** Nobody is kept waiting by an agent that may not even be used: the filter has time limits of its own. */
async function openShared(
  context: AgentContext,
  record: Whose,
  mode: AgentMode,
  upstream: string,
): Promise<OpenAgent | undefined> {
  if (mode !== 'proxy') return undefined
  const answers = await connectTo(upstream, CONNECT_TIMEOUT_MS)
  answers?.destroy()
  if (answers === undefined) return undefined
  const allowed = await resolveAgentKeys(record.agentKeys ?? [], context.env)
  return openFilter(context, record, { upstream, allowed, shared: true })
}

async function openFilter(
  { home, emit }: AgentContext,
  record: Whose,
  options: { readonly upstream: string; readonly allowed: AllowedKeys | undefined; readonly shared: boolean },
): Promise<OpenAgent | undefined> {
  try {
    const path = agentSocketPlace(home, record)
    const own = `${path}.${process.pid}`
    const sharedPath = options.shared ? path : undefined
    requireOwnFolder(dirname(path))
    // sockets of processes that were killed
    removeAbandoned(dirname(path), new RegExp(`^${escapePattern(basename(path))}\\.(\\d+)`))
    const { close } = await hostAgentFilter({ ...options, socketPath: own, sharedPath })
    return { socketPath: sharedPath ?? own, close }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const hint = error instanceof NexusError ? error.hint : `To see the folder, run \`ls -ld ${home.run}\``
    emit({ type: 'warning', text: `the ssh agent is not forwarded to ${record.name}: ${why}`, hint })
    return undefined
  }
}

function tellMissing({ emit }: AgentContext, { name }: Whose, look: AgentLook, allowed: AllowedKeys | undefined): void {
  if (allowed === undefined || look.identities.some((identity) => isAllowed(allowed, identity))) return
  const text = `the ssh agent holds none of the keys that ssh.agent_keys names for ${name}`
  emit({ type: 'warning', text, hint: 'To see what it holds, run `ssh-add -l`' })
}
