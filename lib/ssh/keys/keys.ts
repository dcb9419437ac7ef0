/**
 * Key pairs: the host key of each workspace, kept until it is deleted, and Nexus's own key. Private keys are made on this
 * machine and never enter a container, but for the host key, which its server reads.
 */

import { existsSync } from 'node:fs'
import { type WorkspacePaths, workspacePaths } from '../../core/paths.ts'
import { dockerOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WorkContext } from '../../system/context.ts'
import { withLock } from '../../system/lock.ts'
import { giveTo, makeFolder, readIfPresent } from '../../system/store.ts'
import { fingerprint } from '../../tools/public-keys.ts'
import { createSsh } from '../../tools/ssh.ts'
import { ensurePair, nextOf, OWN_KEY_LOST } from './key-pair.ts'

export function createKeys({ home, runner }: Pick<WorkContext, 'home' | 'runner'>) {
  const ssh = createSsh(runner)

  /** The workspace's host key and Nexus's own key, made when they are missing; returns the host key's fingerprint. */
  async function ensureKeys(record: WorkspaceRecord): Promise<string> {
    const paths = workspacePaths(home, record.id)
    await Promise.all([makeFolder(paths.sshDir), makeFolder(home.sshDir)])
    const [hostKey] = await Promise.all([ensureHostKey(record, paths), ensureOwnKey()])
    // its server reads them as the user inside, who may be another than we are; where it is that user's own, the host key too
    await giveTo(paths.sshDir, dockerOf(record))
    if (record.isolation === 'agent') await giveTo(paths.hostKey, dockerOf(record))
    return fingerprint(hostKey)
  }

  function ensureHostKey(record: WorkspaceRecord, paths: WorkspacePaths): Promise<string> {
    return ensurePair(ssh, paths.hostKey, {
      comment: `nexus-${record.id}`,
      hint: `To have a new pair, run \`rm ${shellWord(paths.hostKey)} && nexus start ${record.name}\``,
    })
  }

  async function ensureOwnKey(): Promise<void> {
    if ((await readIfPresent(`${home.sshKey}.pub`)) !== undefined && !existsSync(`${nextOf(home.sshKey)}.pub`)) return
    await withLock(home.sshKey, async () => {
      await ensurePair(ssh, home.sshKey, { comment: 'nexus', ...OWN_KEY_LOST })
    })
  }

  return { ensureKeys }
}
