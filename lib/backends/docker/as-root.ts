/**
 * What only root may do to a folder of this machine: files that root made inside a workspace belong to root here too, and their
 * user can neither remove nor move them. It is done by a container that sees the folder above and nothing else, has no network
 * and only the rights that it takes, and does one thing to one exact path.
 */
import { basename, dirname } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'

const PLACE = '/nexus-folder'
/** To enter and change what belongs to others. */
const CAPABILITIES = ['DAC_OVERRIDE', 'FOWNER', 'CHOWN']

export function createRootHelper(
  docker: Docker,
  context: BackendContext,
  imageOf: (record: WorkspaceRecord) => Promise<string>,
) {
  /** Removes a folder with all that is in it, following no link and leaving what is mounted in it. */
  const removeFolder = (record: WorkspaceRecord, path: string) =>
    act(record, path, (place) => ['rm', '-rf', '--one-file-system', '--', place])

  /** Gives a folder, without what is in it, to the workspace's user, who can move it then. */
  const ownFolder = (record: WorkspaceRecord, path: string) =>
    act(record, path, (place) => ['chown', '--no-dereference', `${record.uid}:${record.gid}`, '--', place])

  async function act(record: WorkspaceRecord, path: string, argv: (place: string) => readonly string[]): Promise<void> {
    const name = basename(path)
    if (name === '' || name === '.' || name === '..') throw new Error(`${path} names no folder`)
    try {
      await docker.runOnce(await imageOf(record), options(dirname(path)), argv(`${PLACE}/${name}`))
    } catch (error) {
      if (!(error instanceof NexusError)) throw error
      throw new NexusError(error.code, `${path} holds files of another user, which need a container to remove.`, {
        hint: `To go on, start the engine with \`make setup\` and repeat, or run \`sudo rm -rf ${shellWord(path)}\``,
        output: [error.message, error.output].filter(Boolean).join('\n'),
        details: { path },
        cause: error,
      })
    }
  }

  function options(folder: string): readonly string[] {
    const labels = [`dev.nexus.instance=${context.instance}`, 'dev.nexus.helper=files']
    return [
      ...labels.flatMap((label) => ['--label', label]),
      ...['--network', 'none', '--user', '0:0', '--read-only', '--cap-drop', 'ALL'],
      ...CAPABILITIES.flatMap((one) => ['--cap-add', one]),
      ...['--security-opt', 'no-new-privileges'],
      // a row of CSV, in which a path may hold a comma
      ...['--mount', `type=bind,"source=${folder.replaceAll('"', '""')}",target=${PLACE}`],
    ]
  }

  return { removeFolder, ownFolder }
}
