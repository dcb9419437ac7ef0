/** The server with the endpoints of all verbs: the only file that loads it; see scripts/build.mjs. */
import { parsePort } from '../lib/api/entrance/checks.ts'
import { type RunningDaemon, serve } from '../lib/daemon/daemon.ts'
import { ENDPOINTS } from '../lib/verbs/all-endpoints.ts'
import type { App } from '../lib/workspace/app.ts'

interface Listening {
  readonly app: App
  readonly version: string
  readonly program: readonly string[]
  readonly port: string | undefined
}

export async function listen({
  app: { home, env, cwd },
  version,
  program,
  port: given,
}: Listening): Promise<RunningDaemon> {
  const port = given === undefined ? undefined : parsePort(given)
  return serve({ home, env, cwd, version, program, port, endpoints: ENDPOINTS })
}
