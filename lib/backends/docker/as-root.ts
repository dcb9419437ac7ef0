/**
 * What only root may do to a folder of this machine: files that root made inside a workspace belong to root here too, and their
 * user can neither remove nor move them. A helper of Nexus's own does it, which sees this one folder and nothing beside it.
 */

import { lstatSync } from 'node:fs'
import { NexusError } from '../../core/errors.ts'
import { dockerOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Helpers } from './own-container.ts'

const PLACE = '/nexus-folder'

export function createRootHelper(helpers: Helpers) {
  /** Removes all that is in a folder, following no link and leaving what is mounted in it. The folder itself stays. */
  const emptyFolder = (record: WorkspaceRecord, path: string) =>
    act(record, path, ['DAC_OVERRIDE', 'FOWNER'], ['/usr/bin/find', PLACE, '-xdev', '-mindepth', '1', '-delete'])

  /** Gives a folder, without what is in it, to the workspace's user, who can move it then. */
  const ownFolder = (record: WorkspaceRecord, path: string) => {
    const { uid, gid } = dockerOf(record)
    return act(record, path, ['CHOWN'], ['/bin/chown', '--no-dereference', `${uid}:${gid}`, PLACE])
  }

  async function act(
    record: WorkspaceRecord,
    path: string,
    capabilities: readonly string[],
    argv: readonly string[],
  ): Promise<void> {
    // Docker would mount what a link leads to
    if (!lstatSync(path).isDirectory()) throw new Error(`${path} is no folder`)
    const labels = { 'dev.nexus.helper': 'files' }
    const mounts = [{ type: 'bind', source: path, target: PLACE } as const]
    try {
      await helpers.run(record, { user: '0:0', capabilities, mounts, labels, argv })
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      throw new NexusError(error.code, `${path} holds files of another user, which need a container to remove.`, {
        hint: `To go on, start the engine (\`nexus doctor\` says how) and repeat, or run \`sudo rm -rf ${shellWord(path)}\``,
        output: [error.message, error.output].filter(Boolean).join('\n'),
        details: { path },
        cause: error,
      })
    }
  }

  return { emptyFolder, ownFolder }
}
