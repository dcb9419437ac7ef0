/**
 * The list of all workspaces as it was a moment ago, for many who ask at once: one look serves all that come while it is at most
 * 250 ms old, and its JSON text is made once. It is thrown away (`drop`) at each event and after each change of our own, and what
 * was asked after that is never answered from before it.
 *
 * Under steady load the next look begins before the present one is too old, so that nobody waits for it.
 */
import type { WorkspaceResource } from '../../core/workspace.ts'
import type { App } from '../../workspace/app.ts'
import { listWorkspaces } from '../../workspace/status/list.ts'

/** Age, counted from when the look began, up to which it is an answer. */
const MAX_AGE_MS = 250
/** From then on an answer sets the next look going. */
const RENEW_AGE_MS = 130

export interface Look {
  readonly resources: readonly WorkspaceResource[]
  /** `{"workspaces":[...]}` of one repository, or of all. */
  json(repo?: string): string
}

export interface Snapshot {
  /** @throws {NexusError} what the look itself throws; nothing is kept of such a one */
  look(): Promise<Look>
  /** What was seen until now is no answer any more. */
  drop(): void
}

export function createSnapshot(app: App): Snapshot {
  let current: { readonly look: Look; readonly began: number } | undefined
  let generation = 0
  /** The look that runs, and the one that waits for its end because it must not be answered by it. */
  let running: { readonly generation: number; readonly done: Promise<Look> } | undefined

  async function take(): Promise<Look> {
    const [mine, began] = [generation, performance.now()]
    const look = lookOf(await listWorkspaces(app, { repo: undefined, dirty: false, size: false }))
    if (mine === generation) current = { look, began }
    return look
  }

  function renew(): Promise<Look> {
    if (running?.generation === generation) return running.done
    const before = running?.done
    const mine = generation
    const done = (async () => {
      // one at a time: a burst of events must not become a burst of looks
      if (before !== undefined) await before.catch(() => undefined) // told to those who waited for it
      return take()
    })().finally(() => {
      if (running?.done === done) running = undefined
    })
    running = { generation: mine, done }
    return done
  }

  return {
    look: async () => {
      const age = current === undefined ? Number.POSITIVE_INFINITY : performance.now() - current.began
      if (current === undefined || age > MAX_AGE_MS) return renew()
      if (age > RENEW_AGE_MS) renew().catch(() => undefined) // whoever comes when it is too old asks again, and is told
      return current.look
    },
    drop: () => {
      generation++
      current = undefined
    },
  }
}

function lookOf(resources: readonly WorkspaceResource[]): Look {
  const texts = new Map<string | undefined, string>()
  return {
    resources,
    json: (repo) => {
      const known = texts.get(repo)
      if (known !== undefined) return known
      const some = repo === undefined ? resources : resources.filter((one) => one.repo === repo)
      const text = JSON.stringify({ workspaces: some })
      texts.set(repo, text)
      return text
    },
  }
}
