/** events: follows what happens to one workspace or to all, until Ctrl-C. */
import type { ApiEvent } from '../api/changes/hub.ts'
import type { Endpoints } from '../api/kit.ts'
import { printable } from '../core/visible.ts'
import { MAYBE_NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const events = verb({
  name: 'events',
  group: 'look',
  effect: 'looks',
  summary: 'follow what happens to the workspaces, whoever does it; with --json a JSON line for each event',
  fields: { name: MAYBE_NAME, repo: REPO },
  example: 'nexus events feature-auth',
  endless: true,
  run: async (call, { name, repo }) => {
    const { app } = call
    const { createHub } = await import('../api/changes/hub.ts')
    const { createSnapshot } = await import('../api/changes/snapshot.ts')
    const { startWatching } = await import('../api/changes/watching.ts')
    const workspaceId = name === undefined ? undefined : (await call.workspace(name, repo)).id
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
  },
})

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

export const verbs = [events]

export const endpoints: Endpoints = ({ z, endpoint, repoSchema: repository, sample, text }) => [
  endpoint({
    method: 'get',
    path: '/events',
    operationId: 'followEvents',
    tag: 'about',
    summary: 'Follow what happens to workspaces, whoever does it',
    description: [
      'Server-Sent Events that go on until the client goes.',
      'Each has an id; who comes back with it in Last-Event-ID gets what was missed, or one event `reset`, which means: list anew.',
    ].join(' '),
    verbs: ['events'],
    query: z.strictObject({
      workspace: text('Only what is about this workspace: its id or name', 300).optional(),
      repo: repository,
    }),
    headers: z.object({
      'Last-Event-ID': z.string().max(100).optional().openapi({ description: 'Id of the last event that one has' }),
    }),
    media: ['text/event-stream'],
    answer: z.string(),
    example: `id: ${sample.EVENT.id}\nevent: ${sample.EVENT.type}\ndata: ${JSON.stringify(sample.EVENT)}\n\n`,
    run: async ({ app, api, query, header }) => {
      const { Streamed } = await import('../api/answers.ts')
      const { checkedRepo } = await import('../api/context.ts')
      const { eventStream } = await import('../api/event-stream.ts')
      const { requireWorkspace } = await import('../workspace/names/find.ts')
      const repo = query.repo === undefined ? undefined : await checkedRepo(app, query.repo)
      const workspaceId =
        query.workspace === undefined ? undefined : (await requireWorkspace(app, query.workspace, repo)).id
      const subscription = api.live.hub.subscribe({ after: header('last-event-id'), workspaceId })
      return new Streamed('text/event-stream', eventStream(subscription))
    },
  }),
]
