/** That ssh can read the configuration that Nexus generates, knows all host keys, and calls what is there; else it is written anew. */
import { existsSync } from 'node:fs'
import { type Check, type Diagnosis, failure, well } from '../../core/finding.ts'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WorkContext } from '../../system/context.ts'
import { readIfPresent } from '../../system/store.ts'
import { OWN_KEY_LOST } from '../keys/key-pair.ts'
import { programOf } from './proxy-script.ts'

export function sshConfigCheck(context: WorkContext, records: readonly WorkspaceRecord[]): Check {
  const { home, runner } = context
  const made = records.filter(({ id }) => existsSync(`${workspacePaths(home, id).hostKey}.pub`))

  async function run(): Promise<readonly Diagnosis[]> {
    if (made.length === 0 && !existsSync(home.sshConfig)) return [well('no workspace has an SSH alias yet')]
    if (made.length > 0 && !existsSync(home.sshKey)) return [lostKey()]
    if (!existsSync(home.sshConfig)) return [trouble(`${home.sshConfig} is missing.`)]
    const { resolveHost } = await import('./resolved.ts')
    const { refusal } = await resolveHost(runner, ['-F', home.sshConfig], 'nexus-doctor.invalid')
    if (refusal !== undefined) return [trouble(`ssh cannot read ${home.sshConfig}: ${refusal.replace(/\.$/, '')}.`)]
    const { knowsHostKeys } = await import('./alias-file.ts')
    for (const { id, name } of made) {
      if (!(await knowsHostKeys(home, id))) return [trouble(`${home.knownHosts} lacks the host key of ${name}.`)]
    }
    const missing = made.length === 0 ? [] : await listMissing()
    if (missing.length > 0) return [trouble(`What the aliases call is not there: ${missing.join(', ')}.`)]
    return [well(`ssh reads ${home.sshConfig}`)]
  }

  /** After another Node came, or the checkout was moved. */
  async function listMissing(): Promise<readonly string[]> {
    const program = programOf((await readIfPresent(home.sshProxy)) ?? '')
    return program === undefined ? [home.sshProxy] : Object.values(program).filter((path) => !existsSync(path))
  }

  function lostKey() {
    return failure({
      message: `${home.sshKey} is missing.`,
      why: 'It is the key that Nexus and the aliases come in with: no workspace can be started or reached by ssh.',
      ...OWN_KEY_LOST,
    })
  }

  function trouble(message: string) {
    return failure({
      message,
      why: 'Aliases such as <name>.nexus, or `ssh nexus@localhost -p <port>`, do not work; with an Include of a broken file no ssh does.',
      hint: 'To write it anew, run `nexus doctor --fix`',
      fix: async () => {
        const { createSshFiles } = await import('../server/files.ts')
        const files = createSshFiles(context)
        for (const record of made) await files.writeClientFiles(record)
      },
    })
  }

  return { name: 'ssh-alias', run }
}
