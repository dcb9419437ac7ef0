/**
 * The user's own public keys, from wherever they are: `~/.ssh/*.pub`, the files of `ssh.injection.sources`, the agent. Whatever is
 * wrong with one of them is told and left out; nobody is kept waiting by it.
 */

import { homedir } from 'node:os'
import { join } from 'node:path'
import type { WorkContext } from '../../system/context.ts'
import { requirePlain } from '../../system/read.ts'
import { listFolder, statIfPresent } from '../../system/store.ts'
import { agentTrouble, lookAtAgent } from '../ssh-agent/agent-client.ts'
import { keyLine } from '../ssh-agent/agent-protocol.ts'
import { findOwnAgent } from '../ssh-agent/own-agent.ts'

/** Whose public keys a workspace lets in, beside Nexus's own. */
export interface Injection {
  readonly enabled: boolean
  readonly includeAgentKeys: boolean
  /** Files with public keys. */
  readonly sources: readonly string[]
}

export interface UserKeys {
  /** Such as `~/.ssh/id_ed25519.pub`, or `agent`. */
  readonly source: string
  readonly from: 'file' | 'sources' | 'agent'
  readonly text: string
}

/** Far more than files with public keys have. */
const KEY_FILE_MAX = 256 * 1024

type Context = Pick<WorkContext, 'env' | 'emit' | 'home' | 'runner'>

export async function listUserKeys(context: Context, injection: Injection): Promise<readonly UserKeys[]> {
  const { env } = context
  const folder = join(env.HOME ?? homedir(), '.ssh')
  const names = (await namesIn(context, folder)).filter((name) => name.endsWith('.pub'))
  const files = names.sort().map((name): [string, UserKeys['from']] => [join(folder, name), 'file'])
  const sources = injection.sources.map((path): [string, UserKeys['from']] => [path, 'sources'])
  const [texts, agent] = await Promise.all([
    Promise.all([...files, ...sources].map(([path, from]) => readKeyFile(context, path, from))),
    injection.includeAgentKeys ? agentKeys(context) : [],
  ])
  return [...texts.flatMap((one) => one ?? []), ...agent]
}

async function namesIn({ emit }: Context, folder: string): Promise<readonly string[]> {
  try {
    return await listFolder(folder)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    const hint = `To see it, run \`ls -ld ${folder}\``
    emit({ type: 'warning', text: `no public keys are taken from ${folder}: it cannot be read (${why})`, hint })
    return []
  }
}

async function readKeyFile({ emit }: Context, path: string, from: UserKeys['from']): Promise<UserKeys | undefined> {
  const leaveOut = (why: string) => {
    const hint = `To see it, run \`ls -lL ${path}\``
    emit({ type: 'warning', text: `the public key file ${path} is left out: it ${why}`, hint })
    return undefined
  }
  try {
    const stat = await statIfPresent(path)
    if (stat === undefined) return from === 'file' ? undefined : leaveOut('does not exist')
    if (!stat.isFile()) return leaveOut('is not a file')
    if (stat.size > KEY_FILE_MAX) return leaveOut(`has ${stat.size} bytes, which no public key has`)
    return { source: path, from, text: requirePlain(path, { maxBytes: KEY_FILE_MAX })?.toString() ?? '' }
  } catch (error) {
    return leaveOut(`cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`)
  }
}

async function agentKeys(context: Context): Promise<readonly UserKeys[]> {
  const { emit } = context
  const look = await lookAtAgent(await findOwnAgent(context))
  const trouble = agentTrouble(look)
  if (trouble !== undefined)
    emit({ type: 'warning', text: `${trouble.text}: its keys are not let in`, hint: trouble.hint })
  return look.identities.map((identity) => ({ source: 'agent', from: 'agent', text: keyLine(identity) }))
}
