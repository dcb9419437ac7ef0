/**
 * Gives back what no workspace needs: parts and images on the backends, old logs, what unfinished builds left. What it removes
 * it looks for again. Work of people is never among it, but for what lies in the trash and whose time is up.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../backends/backend.ts'
import type { Leftover } from '../backends/housekeeping.ts'
import { NexusError } from '../core/errors.ts'
import { isWorkspaceId } from '../core/names.ts'
import { sumSizes } from '../core/sizes.ts'
import { maySpend } from '../system/reserve.ts'
import { listFolder, removeTree } from '../system/store.ts'
import { measureFolder } from '../tools/disk.ts'
import type { App } from '../workspace/app.ts'
import { expireTrash } from '../workspace/trash/trash.ts'
import { findNeeded } from './leftovers.ts'
import { scan, thisMachine } from './scan.ts'

const LOGS_KEPT_MS = 30 * 24 * 60 * 60_000
/** No build takes so long. */
const BUILD_MS = 24 * 60 * 60_000

export interface GcRequest {
  /** Also caches, prepared and shared data of repositories that have no workspaces, and images that the next one would use. */
  readonly all: boolean
  readonly dryRun: boolean
}

export interface GcItem {
  readonly kind: string
  readonly name: string
  readonly cause: string
  /** Null where it could not be measured. */
  readonly bytes: number | null
}

export interface GcResult {
  /** What was removed; in a dry run what would be. */
  readonly items: readonly GcItem[]
  /** What is still there after all. */
  readonly kept: readonly GcItem[]
}

export async function collectGarbage(app: App, { all, dryRun }: GcRequest): Promise<GcResult> {
  if (!dryRun) maySpend(app.home.reserve)
  const { backends } = await scan(app, thisMachine)
  const stores = await Promise.all(backends.map((backend) => cleanBackend(app, backend, all, dryRun)))
  const results = [...stores, await cleanFiles(app, dryRun), await cleanTrash(app, dryRun)]
  return { items: results.flatMap(({ items }) => items), kept: results.flatMap(({ kept }) => kept) }
}

async function cleanBackend(app: App, backend: Backend, all: boolean, dryRun: boolean): Promise<GcResult> {
  try {
    const keeping = await backend.upkeep?.()
    if (keeping === undefined) return { items: [], kept: [] }
    const look = (sizes: boolean) => keeping.leftovers(() => findNeeded(app, all), sizes)
    const found = await look(true)
    if (dryRun || found.length === 0) return { items: found.map(toItem), kept: [] }
    await keeping.remove(found)
    const left = new Set((await look(false)).map(keyOf))
    return {
      items: found.filter((one) => !left.has(keyOf(one))).map(toItem),
      kept: found.filter((one) => left.has(keyOf(one))).map(toItem),
    }
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({ type: 'warning', text: `${backend.name} could not be looked at: ${error.message}`, hint: error.hint })
    return { items: [], kept: [] }
  }
}

const keyOf = ({ kind, name }: Leftover) => `${kind} ${name}`
const toItem = ({ kind, name, cause, bytes }: Leftover): GcItem => ({ kind, name, cause, bytes })

async function cleanFiles(app: App, dryRun: boolean): Promise<GcResult> {
  const [logs, builds] = await Promise.all([findOldLogs(app), findOldBuilds(app)])
  const paths = [...logs, ...builds]
  const items = await Promise.all(
    paths.map(async ({ path, ...item }) => ({ ...item, name: path, bytes: await measureFolder(app.runner, path) })),
  )
  if (dryRun) return { items, kept: [] }
  for (const { path } of paths) await removeTree(path)
  return { items: items.filter(({ name }) => !existsSync(name)), kept: items.filter(({ name }) => existsSync(name)) }
}

/** Every delete drops what is too old as well; this is for those who delete rarely. */
async function cleanTrash(app: App, dryRun: boolean): Promise<GcResult> {
  const expired = await expireTrash(app, true)
  const items = await Promise.all(
    expired.map(async ({ key, record, files, data = [] }) => {
      const sizes = data.filter(({ volume }) => volume !== undefined).map((one) => one.bytes)
      const bytes = sumSizes([files === null ? 0 : await measureFolder(app.runner, files), ...sizes])
      return { kind: 'trash', name: key, cause: `${record.name}, whose time is up`, bytes }
    }),
  )
  if (dryRun) return { items, kept: [] }
  const removed = new Set((await expireTrash(app, false)).map(({ key }) => key))
  return { items: items.filter(({ name }) => removed.has(name)), kept: items.filter(({ name }) => !removed.has(name)) }
}

interface OldFile {
  readonly kind: string
  readonly path: string
  readonly cause: string
}

async function findOldLogs({ home }: App): Promise<readonly OldFile[]> {
  const ids = new Set(await listFolder(home.workspaces))
  return (await listFolder(home.logs)).flatMap((name) => {
    const path = join(home.logs, name)
    const owner = name.split('.').find((word) => isWorkspaceId(word))
    if (owner !== undefined && !ids.has(owner)) return [{ kind: 'log', path, cause: `workspace ${owner} is gone` }]
    return isOlder(path, LOGS_KEPT_MS) ? [{ kind: 'log', path, cause: 'not written to for 30 days' }] : []
  })
}

async function findOldBuilds({ home }: App): Promise<readonly OldFile[]> {
  const folder = join(home.cache, 'image')
  return (await listFolder(folder))
    .map((name) => join(folder, name))
    .filter((path) => isOlder(path, BUILD_MS))
    .map((path) => ({ kind: 'build folder', path, cause: 'a build that never ended' }))
}

function isOlder(path: string, ms: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Date.now() - stat.mtimeMs > ms
}
