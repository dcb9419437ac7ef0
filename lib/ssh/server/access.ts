/**
 * A workspace's SSH server as it is reached from here: its address, its names, the control socket, and the real login that
 * proves readiness. What the server reads is in `files.ts`.
 */

import { NexusError } from '../../core/errors.ts'
import { labelInAlias } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { sshOf } from '../../core/reach.ts'
import { shellWord } from '../../core/shell.ts'
import type { SshInfo, WorkspaceRecord } from '../../core/workspace.ts'
import { noteServerReady } from '../../record/last-use.ts'
import type { WorkContext } from '../../system/context.ts'
import { sendsSshBanner } from '../../system/net.ts'
import { runPlace } from '../../system/run-place.ts'
import type { Address } from '../../system/splice.ts'
import { makeFolder, statIfPresent } from '../../system/store.ts'
import { createSsh, type Destination } from '../../tools/ssh.ts'
import { CONTROL_PATH_MAX } from '../client/control-path.ts'

/** A login that needs longer than this after the container started will not come. */
const READY_TIMEOUT_MS = 60_000
const POLL_MS = 3
const FIRST_PATIENCE_MS = 40
const LAST_PATIENCE_MS = 2_000
/** What no second try can change. */
const HOPELESS = /command-line|Bad configuration option|Host key verification failed/

const USER = 'nexus'

/** @param look where else to look when nobody is let in, as a part of a hint */
export function createSshAccess(context: WorkContext, look: string) {
  const { home } = context
  const ssh = createSsh(context.runner)
  let warned = false

  function destinationOf(record: WorkspaceRecord): Destination {
    const paths = workspacePaths(home, record.id)
    return {
      ...addressOf(record),
      user: USER,
      identityFile: home.sshKey,
      knownHosts: paths.knownHosts,
      hostKeyAlias: hostKeyAlias(record),
      controlPath: controlPath(record),
    }
  }

  /** None where its folder is not ours alone: what listens there may be anybody, so each connection is made anew. */
  function controlPath(record: WorkspaceRecord): string | undefined {
    try {
      return runPlace(home, { name: `${record.id}.ssh`, maxBytes: CONTROL_PATH_MAX })
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      if (!warned) context.emit({ type: 'warning', text: error.message, hint: error.hint })
      warned = true
      return undefined
    }
  }

  async function isOpen(record: WorkspaceRecord): Promise<boolean> {
    const path = controlPath(record)
    return path !== undefined && (await statIfPresent(path)) !== undefined
  }

  /**
   * Waits for one real login with Nexus's own key. The banner is only the trigger: Docker's proxy accepts connections
   * before anything listens inside.
   * @throws {NexusError} WORKSPACE_START_FAILED after a minute, or at once when ssh itself is at fault; with the last logs
   */
  async function awaitLogin(record: WorkspaceRecord, lastLogs: () => Promise<string>): Promise<void> {
    const destination = destinationOf(record)
    noteServerReady(home, record.id)
    await makeFolder(home.run)
    const deadline = performance.now() + READY_TIMEOUT_MS
    let said = ''
    // short waits first, then patient ones: a connection that came too early hangs in Docker's proxy for a second
    let patienceMs = FIRST_PATIENCE_MS
    while (performance.now() < deadline) {
      context.interruption.signal.throwIfAborted()
      if (await sendsSshBanner(destination, patienceMs)) {
        const { code, stderr } = await ssh.login(destination)
        if (code === 0) return
        said = stderr
        if (HOPELESS.test(said)) break
      }
      patienceMs = Math.min(patienceMs * 1.3, LAST_PATIENCE_MS)
      await new Promise((wake) => setTimeout(wake, POLL_MS))
    }
    throw new NexusError('WORKSPACE_START_FAILED', `The SSH server of ${record.name} lets nobody in.`, {
      hint: `To see every command, repeat with \`-V\`; ${look}`,
      output: [said.trim(), await lastLogs()].filter((text) => text !== '').join('\n'),
    })
  }

  function sshInfo(record: WorkspaceRecord): SshInfo {
    const host = record.address?.name ?? null
    const port = sshOf(record)?.port ?? null
    const [alias = record.id] = aliasesOf(record)
    return {
      workspaceId: record.id,
      enabled: true,
      host,
      port,
      user: USER,
      forwardAgent: record.forwardAgent,
      agentMode: record.agentMode,
      connectionCommand: port === null ? null : `ssh ${record.forwardAgent ? '-A ' : ''}${USER}@${host} -p ${port}`,
      verifiedCommand: `ssh -F ${shellWord(home.sshConfig)} ${alias}`,
      alias,
      hostKeyFingerprint: record.hostKeyFingerprint,
    }
  }

  /** Ends Nexus's own shared connection, where there can be one. */
  async function closeMaster(record: WorkspaceRecord): Promise<void> {
    if (hasSshAddress(record)) await ssh.closeMaster(destinationOf(record))
  }

  return { ssh, destinationOf, isOpen, awaitLogin, closeMaster, sshInfo }
}

/** `<name>.<repository>.nexus` always; `<name>.nexus` too while no other workspace had the name first. */
export function aliasesOf(record: WorkspaceRecord): readonly string[] {
  const long = `${record.name}.${labelInAlias(record)}.nexus`
  return record.shortAlias ? [`${record.name}.nexus`, long] : [long]
}

/** False for a workspace that has no ports yet: nothing leads into it. */
export function hasSshAddress(record: WorkspaceRecord): boolean {
  return sshOf(record) !== undefined
}

export function addressOf(record: WorkspaceRecord): Address {
  const reach = sshOf(record)
  if (reach === undefined) throw new Error(`${record.id} has no ssh port`)
  return { host: reach.host, port: reach.port }
}

export function hostKeyAlias(record: WorkspaceRecord): string {
  return `nexus-${record.id}`
}
