/**
 * What keeps a server's answers current: the snapshot of all workspaces, the events, and the watch over both. Without the watch (in
 * tests of single requests) answers are at most a quarter of a second old, and never from before a change of the server's own.
 */
import type { WorkspaceResource } from '../../core/workspace.ts'
import type { App } from '../../workspace/app.ts'
import { type ListRequest, listWorkspaces } from '../../workspace/status/list.ts'
import { JsonText } from '../answers.ts'
import type { OperationResource, Operations } from '../operations.ts'
import { createHub, type Hub } from './hub.ts'
import { createSnapshot } from './snapshot.ts'
import { startWatching, type Watching } from './watching.ts'

export interface Live {
  readonly hub: Hub
  list(request: ListRequest): Promise<readonly WorkspaceResource[]>
  /** `{"workspaces":[...]}`, of one repository or of all. */
  listText(repo: string | undefined): Promise<JsonText>
  /** This server changed something. */
  changed(): void
  start(operations: Operations): Promise<void>
  /** Listeners are sent away. */
  stop(): Promise<void>
}

export function createLive(appFor: () => App): Live {
  const hub = createHub()
  // one for as long as the server runs: what a backend has loaded stays loaded
  const app = appFor()
  const snapshot = createSnapshot(app)
  let watching: Watching | undefined
  let deafen = () => {}
  return {
    hub,
    list: async (request) => {
      if (request.dirty || request.size) return listWorkspaces(appFor(), request)
      const { resources } = await snapshot.look()
      return request.repo === undefined ? resources : resources.filter(({ repo }) => repo === request.repo)
    },
    listText: async (repo) => new JsonText((await snapshot.look()).json(repo)),
    changed: () => {
      snapshot.drop()
      watching?.changed()
    },
    start: async (operations) => {
      watching = await startWatching(app, snapshot, hub)
      deafen = tellOperations(operations, hub)
    },
    stop: async () => {
      deafen()
      hub.close()
      await watching?.close()
    },
  }
}

/** Without what it answers and all that it told before: who wants that asks for the operation. */
function viewOf({ id, kind, workspaceId, status, startedAt, endedAt, error }: OperationResource) {
  return { id, kind, workspaceId, status, startedAt, endedAt, error }
}

function tellOperations(operations: Operations, hub: Hub): () => void {
  const running = new Set<string>()
  return operations.listen((resource, progress) => {
    const operation = viewOf(resource)
    if (!running.has(resource.id)) {
      running.add(resource.id)
      hub.publish({ type: 'operation.started', operation })
    }
    if (progress !== null) hub.publish({ type: 'operation.progress', operation, progress })
    if (resource.status === 'running') return
    running.delete(resource.id)
    hub.publish({ type: 'operation.ended', operation })
  })
}
