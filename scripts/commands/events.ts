/** events: follows what happens to one workspace or to all, until Ctrl-C. */
import { type ApiEvent, createHub } from '../../lib/api/changes/hub.ts'
import { createSnapshot } from '../../lib/api/changes/snapshot.ts'
import { startWatching } from '../../lib/api/changes/watching.ts'
import { printable } from '../../lib/core/visible.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Run } from './command.ts'

export const events: Run = async (call) => {
  const { app } = call
  const name = call.args[0]
  const workspaceId = name === undefined ? undefined : (await requireWorkspace(app, name, call.value('repo'))).id
  const hub = createHub()
  const watching = await startWatching(app, createSnapshot(app), hub)
  const subscription = hub.subscribe({ workspaceId })
  app.interruption.signal.addEventListener('abort', subscription.close, { once: true })
  if (app.interruption.signal.aborted) subscription.close()
  app.emit({ type: 'notice', text: `following the events of ${name ?? 'all workspaces'}; Ctrl-C ends` })
  let count = 0
  try {
    for await (const event of subscription) {
      count++
      const line = call.json ? JSON.stringify(event) : lineOf(event)
      if (!(await call.print('stdout', `${line}\n`))) break
    }
  } finally {
    await watching.close()
  }
  app.interruption.signal.throwIfAborted()
  return { data: { events: count }, text: '' }
}

function lineOf(event: ApiEvent): string {
  return printable([event.time, event.type, ...subjectOf(event)].filter((word) => word !== '').join(' '))
}

function subjectOf(event: ApiEvent): readonly string[] {
  if (event.type === 'workspace.removed') return [event.workspace.name]
  if ('workspace' in event) {
    const { name, state, reason } = event.workspace
    return [name, state, reason === '' ? '' : `(${reason})`]
  }
  if ('operation' in event) return [event.operation.id]
  if ('backend' in event) return [event.backend, 'reason' in event ? event.reason : '']
  return [event.reason]
}
