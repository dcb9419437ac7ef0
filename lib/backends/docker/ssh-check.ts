/** That ssh can read the configuration that Nexus generates; a file that it cannot read is written anew. */
import { existsSync } from 'node:fs'
import { type Check, failure, well } from '../../core/finding.ts'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { BackendContext } from '../registry.ts'

const TIMEOUT_MS = 5_000

export function sshConfigCheck(context: BackendContext, records: readonly WorkspaceRecord[]): Check {
  const { home, runner } = context
  async function run() {
    if (!existsSync(home.sshConfig)) return [well('no workspace has an SSH alias yet')]
    // -G prints what would hold for a host and connects to none
    const argv = ['ssh', '-G', '-F', home.sshConfig, '--', 'nexus-doctor.invalid']
    const { code, stderr } = await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS })
    if (code === 0) return [well(`ssh reads ${home.sshConfig}`)]
    return [
      failure({
        message: `ssh cannot read ${home.sshConfig}: ${stderr.trim().split('\n')[0] ?? ''}.`,
        why: 'No alias such as <name>.nexus works, and with an Include of it no ssh at all.',
        hint: 'To write it anew, run `nexus doctor --fix`',
        fix: async () => {
          const { createDoorFiles } = await import('./door-files.ts')
          const files = createDoorFiles(context)
          const made = records.filter(({ id }) => existsSync(`${workspacePaths(home, id).hostKey}.pub`))
          for (const record of made) await files.writeClientFiles(record)
        },
      }),
    ]
  }
  return { name: 'ssh-alias', run }
}
