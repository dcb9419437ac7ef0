/** The user's own SSH files, of which OpenSSH refuses those that others can write, and the agent. They are the user's, so they are only told. */
import { existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { shellWord } from '../core/shell.ts'
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

/** What would be forwarded. */
export async function checkUserAgent({ app }: Scan): Promise<readonly Diagnosis[]> {
  const { agentTrouble, lookAtAgent } = await import('../door/agent-client.ts')
  const look = await lookAtAgent(app.env.SSH_AUTH_SOCK)
  const trouble = agentTrouble(look)
  if (trouble !== undefined) {
    const why = 'nothing is forwarded into workspaces, and its keys open none.'
    return [warning({ message: `${trouble.text[0]?.toUpperCase()}${trouble.text.slice(1)}.`, why, hint: trouble.hint })]
  }
  const count = look.identities.length
  return [
    well(look.state === 'none' ? 'there is no ssh agent' : `the ssh agent holds ${count} key${count === 1 ? '' : 's'}`),
  ]
}
