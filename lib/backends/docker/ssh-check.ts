/**
 * That ssh can read the configuration that Nexus generates, and that what the aliases call is there; what is not so is written anew.
 */
import { existsSync } from 'node:fs'
import { type Check, type Diagnosis, failure, well } from '../../core/finding.ts'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { programOf } from '../../door/proxy-script.ts'
import { readIfPresent } from '../../system/store.ts'
import type { BackendContext } from '../registry.ts'

const TIMEOUT_MS = 5_000

export function sshConfigCheck(context: BackendContext, records: readonly WorkspaceRecord[]): Check {
  const { home, runner } = context
  const made = records.filter(({ id }) => existsSync(`${workspacePaths(home, id).hostKey}.pub`))

  async function run(): Promise<readonly Diagnosis[]> {
    if (!existsSync(home.sshConfig)) return [well('no workspace has an SSH alias yet')]
    return [await checkSyntax(), ...(made.length === 0 ? [] : [await checkProgram()])]
  }

  async function checkSyntax(): Promise<Diagnosis> {
    // -G prints what would hold for a host and connects to none
    const argv = ['ssh', '-G', '-F', home.sshConfig, '--', 'nexus-doctor.invalid']
    const { code, stderr } = await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS })
    if (code === 0) return well(`ssh reads ${home.sshConfig}`)
    return failure({
      message: `ssh cannot read ${home.sshConfig}: ${stderr.trim().split('\n')[0] ?? ''}.`,
      why: 'No alias such as <name>.nexus works, and with an Include of it no ssh at all.',
      hint: 'To write it anew, run `nexus doctor --fix`',
      fix: writeAnew,
    })
  }

  /** Another Node, or a checkout that was moved. */
  async function checkProgram(): Promise<Diagnosis> {
    const script = await readIfPresent(home.sshProxy)
    const program = programOf(script ?? '')
    const missing = program === undefined ? [home.sshProxy] : Object.values(program).filter((path) => !existsSync(path))
    if (missing.length === 0) return well('what the aliases call is there')
    return failure({
      message: `What the aliases of the workspaces call is not there: ${missing.join(', ')}.`,
      why: 'Connections by <name>.nexus fail, or use whatever node is found.',
      hint: 'To write it anew, run `nexus doctor --fix`',
      fix: writeAnew,
    })
  }

  async function writeAnew(): Promise<void> {
    const { createDoorFiles } = await import('./door-files.ts')
    const files = createDoorFiles(context)
    for (const record of made) await files.writeClientFiles(record)
  }

  return { name: 'ssh-alias', run }
}
