/**
 * What has moved in a workspace's own git dir since it was last looked at, found by reading a few files: so cheap that every
 * `exec` can ask. What was seen is kept beside the git dir, where nobody inside can reach it.
 */
import { existsSync } from 'node:fs'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent, writeGenerated } from '../../system/store.ts'
import { readPrivateBranches, readPrivateTags } from '../../tools/private-refs.ts'
import type { App } from '../app.ts'
import { privateHead, privatePlace } from '../current-branch.ts'

/** Branches inside and the commits they name, tags and notes (`tags/v1`) and what they name, and a detached HEAD. */
export interface SeenRefs {
  readonly branches: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
  readonly detached: string | null
}

const NOTHING: SeenRefs = { branches: {}, tags: {}, detached: null }

/** What of it has moved since the last time. */
export async function findMoved(app: App, record: WorkspaceRecord): Promise<SeenRefs | undefined> {
  const place = privatePlace(app.home, record)
  if (place === undefined || !existsSync(place.path)) return undefined
  const seen = await loadSeen(app, record)
  const head = privateHead(app.home, record)?.commit ?? null
  const branches = changed(readPrivateBranches(place.path), seen.branches)
  const tags = changed(readPrivateTags(place.path), seen.tags)
  const detached = head !== seen.detached ? head : null
  if (Object.keys({ ...branches, ...tags }).length === 0 && detached === null) return undefined
  return { branches, tags, detached }
}

function changed(now: ReadonlyMap<string, string>, seen: Readonly<Record<string, string>>) {
  return Object.fromEntries([...now].filter(([name, id]) => seen[name] !== id))
}

async function loadSeen(app: App, record: WorkspaceRecord): Promise<SeenRefs> {
  const text = await readIfPresent(workspacePaths(app.home, record.id).broughtBack)
  if (text === undefined) return NOTHING
  try {
    return { ...NOTHING, ...(JSON.parse(text) as Partial<SeenRefs>) }
  } catch {
    return NOTHING // all is fetched again, which costs a moment and loses nothing
  }
}

/** What came back need not come again. */
export async function saveSeen(app: App, record: WorkspaceRecord, moved: SeenRefs): Promise<void> {
  const seen = await loadSeen(app, record)
  await noteSeen(app, record, {
    branches: { ...seen.branches, ...moved.branches },
    tags: { ...seen.tags, ...moved.tags },
    detached: moved.detached ?? seen.detached,
  })
}

/** What the git dir began with need not come back. */
export async function noteBeginning(app: App, record: WorkspaceRecord): Promise<void> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return
  const branches = Object.fromEntries(readPrivateBranches(place.path))
  const tags = Object.fromEntries(readPrivateTags(place.path))
  await noteSeen(app, record, { branches, tags, detached: null })
}

async function noteSeen(app: App, record: WorkspaceRecord, seen: SeenRefs): Promise<void> {
  await writeGenerated(workspacePaths(app.home, record.id).broughtBack, `${JSON.stringify({ schema: 1, ...seen })}\n`)
}
