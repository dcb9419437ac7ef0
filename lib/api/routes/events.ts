/** The endpoint that tells what happens, for as long as one listens. */
import { z } from '@hono/zod-openapi'
import { requireWorkspace } from '../../workspace/look/find.ts'
import { Streamed } from '../answers.ts'
import { checkedRepo } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { eventStream } from './event-stream.ts'
import { REPO, text } from './schemas.ts'

const events = endpoint({
  method: 'get',
  path: '/events',
  operationId: 'followEvents',
  tag: 'about',
  summary: 'Follow what happens to workspaces, whoever does it',
  description:
    'Server-Sent Events that go on until the client goes. Each has an id; who comes back with it in Last-Event-ID gets what was missed, or one event `reset`, which means: list anew.',
  verbs: ['events'],
  query: z.strictObject({
    workspace: text('Only what is about this workspace: its id or name', 300).optional(),
    repo: REPO,
  }),
  headers: z.object({
    'Last-Event-ID': z.string().max(100).optional().openapi({ description: 'Id of the last event that one has' }),
  }),
  media: ['text/event-stream'],
  answer: z.string(),
  run: async ({ app, api, query, header }) => {
    const repo = query.repo === undefined ? undefined : await checkedRepo(app, query.repo)
    const workspaceId =
      query.workspace === undefined ? undefined : (await requireWorkspace(app, query.workspace, repo)).id
    const subscription = api.live.hub.subscribe({ after: header('last-event-id'), workspaceId })
    return new Streamed('text/event-stream', eventStream(subscription))
  },
})

export const EVENTS: readonly Endpoint[] = [events]
