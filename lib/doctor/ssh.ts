/**
 * Checks of the user's SSH files: OpenSSH refuses files that others can write, and a setting may keep ssh from reaching
 * or verifying a workspace. They only report, as the files are the user's.
 */
import { existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { shellWord } from '../core/shell.ts'
import { capitalized } from '../core/words.ts'
import { describeClash, type IncludeInspection, inspectInclude } from '../workspace/ssh/ssh-include.ts'
import type { Scan } from './scan.ts'

export async function checkUserSsh({ app }: Scan): Promise<readonly Diagnosis[]> {
  const folder = join(app.env.HOME ?? homedir(), '.ssh')
  const files = [
    { path: folder, mode: '700' },
    { path: join(folder, 'config'), mode: '600' },
  ].filter(({ path }) => existsSync(path))
  const open = files.filter(({ path }) => (statSync(path).mode & 0o022) !== 0)
  if (open.length === 0) return [well(files.length === 0 ? 'there is no ~/.ssh' : 'only you can write your SSH files')]
  return open.map(({ path, mode }) =>
    failure({
      message: `${path} can be written by others.`,
      why: 'ssh refuses it with "Bad owner or permissions", and who writes it can run commands as you.',
      hint: `To close it, run \`chmod ${mode} ${shellWord(path)}\``,
    }),
  )
}

export async function checkInclude({ app }: Scan): Promise<readonly Diagnosis[]> {
  return describeInclude(await inspectInclude(app))
}

/** Not installed is fine: everything works with `ssh -F` and `nexus ssh`. */
export function describeInclude(seen: IncludeInspection): readonly Diagnosis[] {
  const { path, state, said = '', clashes, named } = seen
  switch (state) {
    case 'foreign-home':
      return [well(`HOME is ${said}, which ssh does not read, so ${path} was not looked at`)]
    case 'refused':
      return [
        failure({
          message: `ssh refuses its configuration: ${said.replace(/\.$/, '')}.`,
          why: 'No plain `ssh` works for you, whatever the host; `nexus ssh` and `nexus exec` do.',
          hint: 'To see it, run `ssh -G localhost`',
        }),
      ]
    case 'absent':
      return [
        well('the include is not installed; `nexus ssh-config install` makes `ssh <name>.nexus` work from every tool'),
      ]
    case 'conditional':
      return [
        warning({
          message: `${capitalized(said)}.`,
          why: 'For every other host, the aliases of workspaces among them, ssh does not read it.',
          hint: 'To put it where it holds, at the top, run `nexus ssh-config install`',
        }),
      ]
    case 'installed': {
      if (clashes.length > 0) return clashes.map((clash) => describe(path, clash))
      return [well([`the include is installed in ${path}`, ...named].join('; '))]
    }
  }
}

function describe(path: string, clash: IncludeInspection['clashes'][number]): Diagnosis {
  return warning({
    message: `${capitalized(describeClash(path, clash))}.`,
    why: 'The connection fails, leads elsewhere, or is not verified.',
    hint: `To leave Nexus's hosts out of a section, write \`Host * !*.nexus\` in place of \`Host *\`; to see what holds, run \`ssh -G ${clash.host}\``,
  })
}
