/**
 * After a start, waits for the health checks of a project's services. A service that does not get well is told and changes
 * nothing: the workspace is up, and somebody will want to look.
 */
import type { Settings } from '../../config/load.ts'
import { parseDuration } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'

const POLL_MS = 100
/** What is waited for is told when it takes longer. */
const LONG_MS = 2_000
/** A check that fails in the first moments may pass the next time. */
const SECOND_CHANCE_MS = 10_000

export async function awaitHealth(app: App, record: WorkspaceRecord, settings: Settings): Promise<void> {
  if (record.docker?.stack === undefined && record.docker?.ready === undefined) return
  const limit = parseDuration(settings.compose.wait)
  if (limit === undefined) return
  const backend = await app.backend(record.backend)
  const began = performance.now()
  const deadline = began + limit
  let told = ''
  for (;;) {
    const seen = (await backend.lifecycle.observe()).get(record.id)
    const ill = seen?.unhealthy === true && performance.now() - began < SECOND_CHANCE_MS
    if (seen === undefined || (seen.settling !== true && !ill)) {
      if (seen !== undefined && seen.reason !== '')
        app.emit({ type: 'warning', text: seen.reason, hint: logsHint(record) })
      return
    }
    if (performance.now() > deadline) {
      const text = `${seen.reason} after ${settings.compose.wait}; the workspace is up all the same`
      return app.emit({ type: 'warning', text, hint: logsHint(record) })
    }
    app.interruption.signal.throwIfAborted()
    if (seen.reason !== told && performance.now() - began > LONG_MS) {
      told = seen.reason
      const until = ill ? 'its next check may pass' : `waiting for it up to ${settings.compose.wait}`
      app.emit({ type: 'progress', text: `${told}; ${until}` })
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
}

function logsHint(record: WorkspaceRecord): string {
  return `To see why, run \`nexus logs ${record.name}\``
}
