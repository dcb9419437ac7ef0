/** serve: runs the server until it is interrupted. The only command that loads it; see scripts/build.mjs. */
import { parsePort } from '../../lib/api/entrance/checks.ts'
import { NexusError } from '../../lib/core/errors.ts'
import { serve as listen } from '../../lib/daemon/daemon.ts'
import { writeCrashLog } from '../../lib/system/store.ts'
import type { Run } from './command.ts'

export const serve: Run = async (call) => {
  const { app, version, cwd, program } = call
  const given = call.value('port')
  const port = given === undefined ? undefined : parsePort(given)
  const { home, env } = app
  const serving = await listen({ home, env, cwd, version, program, port })
  const tell = (text: string) => app.emit({ type: 'notice', text })
  tell(`serving at ${serving.socket}; Ctrl-C ends it`)
  if (serving.port !== null) {
    tell(`serving at http://127.0.0.1:${serving.port}; \`nexus api token show\` prints the token for it`)
  }
  // a bug beside one request is kept for whoever reports it, and ends nobody else's
  process.on('unhandledRejection', (error) => writeCrashLog(home.logs, error))
  const { signal } = app.interruption
  const interrupted = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }))
  await Promise.race([interrupted, serving.lost])
  const left = await serving.stop()
  if (left > 0) tell(`${left} operations did not end in time; the next command repairs what they left`)
  signal.throwIfAborted()
  throw new NexusError('BACKEND_UNAVAILABLE', `${serving.socket} is gone or another's, so this server has ended.`, {
    hint: 'To serve again, run `nexus serve`',
  })
}
