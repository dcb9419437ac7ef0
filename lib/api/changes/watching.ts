/**
 * What makes events of the world: the engine's own events and the files of the home say that something may have changed, whoever did
 * it, the CLI and plain `docker compose` included; then one look tells what it is, by the difference to the look before. Bursts become
 * few looks, and no change no event.
 */
import { basename, dirname, join } from 'node:path'
import { watch } from 'chokidar'
import { isWorkspaceId } from '../../core/names.ts'
import type { WorkspaceResource } from '../../core/workspace.ts'
import { makeFolder } from '../../system/store.ts'
import type { App } from '../../workspace/app.ts'
import type { Hub } from './hub.ts'
import type { Snapshot } from './snapshot.ts'

/** So that what comes together is one look. */
const SETTLE_MS = 5
/** Between the beginnings of two looks: a create is a hundred events, and must not pay for them. */
const GAP_MS = 80

export interface Watching {
  /** Something was changed by this very process: what was seen is thrown away, and one looks. */
  changed(): void
  close(): Promise<void>
}

/** Returns when everything that happens from now on will be seen. */
export async function startWatching(app: App, snapshot: Snapshot, hub: Hub): Promise<Watching> {
  const ending = new AbortController()
  const backends = createBackendWatch(app, ending.signal, {
    onChange: () => looks.note(),
    onReach: (backend, trouble, first) => {
      if (trouble !== null) hub.publish({ type: 'engine.down', backend, reason: trouble })
      else if (!first) hub.publish({ type: 'engine.up', backend })
      looks.note()
    },
  })
  let known: ReadonlyMap<string, Known> | undefined
  const looks = createLooks(snapshot, async () => {
    const { resources } = await snapshot.look()
    await backends.follow(resources)
    const now = new Map(resources.map((one) => [one.id as string, { resource: one, text: JSON.stringify(one) }]))
    if (known !== undefined) publishDifference(hub, known, now)
    known = now
  })
  const files = await watchFiles(app, looks.note, (error) => warn(app, error))
  looks.onFailure((error) => warn(app, error))
  await looks.first()
  return {
    changed: looks.note,
    close: async () => {
      looks.end()
      ending.abort()
      await Promise.all([files.close(), backends.ended()])
    },
  }
}

interface Known {
  readonly resource: WorkspaceResource
  readonly text: string
}

function publishDifference(hub: Hub, before: ReadonlyMap<string, Known>, now: ReadonlyMap<string, Known>): void {
  for (const [id, { resource, text }] of now) {
    const was = before.get(id)
    if (was === undefined) hub.publish({ type: 'workspace.created', workspace: resource })
    else if (was.text !== text) hub.publish({ type: 'workspace.changed', workspace: resource })
  }
  for (const [id, { resource }] of before) {
    const { name, repo } = resource
    if (!now.has(id)) hub.publish({ type: 'workspace.removed', workspace: { id: resource.id, name, repo } })
  }
}

function warn(app: App, error: unknown): void {
  app.emit({ type: 'warning', text: `the workspaces could not be looked at: ${(error as Error).message}` })
}

/** Turns notes into looks: never two at once, not too often, and always one that begins after the last note. */
function createLooks(snapshot: Snapshot, look: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined
  let running = false
  let noted = false
  let over = false
  let began = 0
  let fail: (error: unknown) => void = () => undefined
  const run = async () => {
    timer = undefined
    noted = false
    running = true
    began = performance.now()
    try {
      await look()
    } catch (error) {
      if (!over) fail(error)
    } finally {
      running = false
      if (noted) plan()
    }
  }
  const plan = () => {
    if (timer !== undefined || running || over) return
    timer = setTimeout(run, Math.max(SETTLE_MS, began + GAP_MS - performance.now()))
  }
  return {
    note: () => {
      if (over) return
      noted = true
      snapshot.drop()
      plan()
    },
    first: async () => {
      snapshot.drop()
      running = true
      try {
        await look()
      } finally {
        running = false
        if (noted) plan()
      }
    },
    onFailure: (told: (error: unknown) => void) => {
      fail = told
    },
    end: () => {
      over = true
      clearTimeout(timer)
    },
  }
}

/**
 * Records, and the mock backend's state. Raw events too: of two changes of a file within 50 ms chokidar tells the first alone.
 */
async function watchFiles({ home }: App, note: () => void, onError: (error: unknown) => void) {
  const state = dirname(home.instance)
  await Promise.all([makeFolder(home.workspaces), makeFolder(state)])
  const isWanted = (path: string) => {
    if (path === home.workspaces || path === state || path === join(state, 'mock.json')) return true
    if (dirname(path) === home.workspaces) return isWorkspaceId(basename(path))
    return basename(path) === 'workspace.json' && dirname(dirname(path)) === home.workspaces
  }
  const options = { ignoreInitial: true, atomic: false, depth: 1, ignored: (path: string) => !isWanted(path) }
  const watcher = watch([home.workspaces, state], options)
  watcher.on('error', onError)
  watcher.on('all', note)
  watcher.on('raw', (_event, path) => {
    if (['workspace.json', 'mock.json'].includes(basename(path ?? ''))) note()
  })
  await new Promise<void>((done) => watcher.once('ready', done))
  return watcher
}

interface BackendTold {
  readonly onChange: () => void
  readonly onReach: (backend: string, trouble: string | null, first: boolean) => void
}

/** A backend is watched from its first workspace on: one that nobody uses need not be there. */
function createBackendWatch(app: App, signal: AbortSignal, told: BackendTold) {
  const watches = new Map<string, Promise<void>>()
  async function start(name: string): Promise<void> {
    const backend = await app.backend(name)
    let first = true
    const onReach = (trouble: string | null) => {
      told.onReach(name, trouble, first)
      first = false
    }
    await backend.lifecycle.watch({ onChange: told.onChange, onReach }, signal)
  }
  return {
    follow: async (resources: readonly WorkspaceResource[]) => {
      for (const { backend } of resources) {
        if (watches.has(backend) || signal.aborted) continue
        watches.set(
          backend,
          start(backend).catch((error) => warn(app, error)),
        )
      }
    },
    ended: () => Promise.all(watches.values()),
  }
}
