/** Names the process that listens on a port, for messages. Looks once; never fails. */
import type { Runner } from '../system/exec.ts'

/** Such as `node (pid 4711)`; undefined when it cannot be told (another user's process, no `ss`). */
export async function describePortOwner(runner: Runner, port: number): Promise<string | undefined> {
  try {
    const { stdout } = await runner.run(['ss', '-Hltnp', `sport = :${port}`], { okCodes: 'any', timeoutMs: 3_000 })
    const match = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout)
    return match === null ? undefined : `${match[1]} (pid ${match[2]})`
  } catch {
    return undefined // a message without a name is still a message
  }
}
