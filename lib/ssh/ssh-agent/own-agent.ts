/**
 * Where the user's own ssh agent listens. As for ssh itself, an `IdentityAgent` that holds for every host comes before SSH_AUTH_SOCK:
 * password managers are set up by that alone. ssh is asked for it, and only where the user's file speaks of agents, or brings
 * other files in. Imports little: each connection through an alias loads it.
 */

import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { HomePaths } from '../../core/paths.ts'
import type { Runner } from '../../system/exec.ts'
import { readPlain } from '../../system/read.ts'

/** A host that nothing in particular is said of, and that is not looked up. */
const ANY_HOST = ['-o', 'CanonicalizeHostname=no', '--', 'any-host.invalid']
const TIMEOUT_MS = 5_000

export interface AgentSearch {
  readonly home: Pick<HomePaths, 'sshConfig'>
  readonly env: NodeJS.ProcessEnv
  readonly runner: Pick<Runner, 'run'>
  /** Another file than the one that ssh reads by itself. */
  readonly configFile?: string
}

/** Undefined where there is none, or none is to be used. */
export async function findOwnAgent({ home, env, runner, configFile }: AgentSearch): Promise<string | undefined> {
  const given = env.SSH_AUTH_SOCK || undefined
  if (!namesAgents(home, configFile)) return given
  const argv = ['ssh', '-G', ...(configFile === undefined ? [] : ['-F', configFile]), ...ANY_HOST]
  // a configuration that ssh refuses is told by ssh itself, and by `nexus doctor`
  const { stdout } = await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS })
  const [, value = 'SSH_AUTH_SOCK'] = /^identityagent (.*)$/m.exec(stdout) ?? []
  if (value === 'SSH_AUTH_SOCK') return given
  if (value === 'none') return undefined
  return value.startsWith('$') ? env[value.slice(1)] || undefined : value
}

/** Whether the user's ssh configuration may say where an agent is. */
export function namesAgents(home: AgentSearch['home'], configFile?: string): boolean {
  const text = readPlain(configFile ?? join(userInfo().homedir, '.ssh', 'config'))?.toString('latin1') ?? ''
  const includes = text.match(/^[ \t"]*include\b.*$/gim) ?? []
  return /^[ \t"]*identityagent\b/im.test(text) || includes.some((line) => !line.includes(home.sshConfig))
}
