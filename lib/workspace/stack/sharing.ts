/**
 * Two workspaces of a repository that write the same data outside of them, such as a database in an external volume: the second start is
 * refused until the user says that both may. One start at a time looks and begins, so that none comes in between.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import type { Settings } from '../../config/load.ts'
import { sha256 } from '../../core/digest.ts'
import { kindOf } from '../../core/operations.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { type OutsideData, outsideData, sharedData } from '../../stack/outside-data.ts'
import { withLock } from '../../system/lock.ts'
import { realPathOf } from '../../system/real-path.ts'
import { makeFinding } from '../../trust/findings.ts'
import type { App } from '../app.ts'
import { admit } from '../trust/admit.ts'

/** Another start that writes the same may build and pull. */
const WAIT_MS = 10 * 60_000
const WORKING = new Set(['running', 'paused', 'restarting'])

interface Clash {
  readonly data: OutsideData
  /** Name of the workspace that writes it now. */
  readonly by: string
}

export interface Sharing {
  readonly record: WorkspaceRecord
  readonly backend: Backend
  readonly settings: Settings
  /** What is about to start. */
  readonly model: ComposeModel
}

/**
 * Runs `start` while no other workspace of the repository begins to write the same data.
 * @throws {NexusError} APPROVAL_REQUIRED where one that runs writes it already; WORKSPACE_BUSY
 */
export async function startAlone(app: App, sharing: Sharing, start: () => Promise<void>): Promise<void> {
  const { record, model } = sharing
  const own = writtenBy(app, record, model)
  if (own.length === 0) return start()
  const lock = join(app.home.locks, `outside-${sha256(record.repo).slice(0, 16)}`)
  const onWait = () =>
    app.emit({ type: 'notice', text: 'waiting for another workspace that starts and writes outside of itself' })
  const body = async () => {
    const found = await findClashes(app, sharing, own)
    if (found.length === 0) await start()
    return found
  }
  const clashes = await withLock(lock, body, { waitMs: WAIT_MS, onWait, signal: app.interruption.signal })
  if (clashes.length === 0) return
  await admitClashes(app, sharing, clashes)
  for (const { data, by } of clashes)
    app.emit({ type: 'warning', text: `${record.name} and ${by} both write the ${data.text}, as you approved` })
  await start()
}

function writtenBy(app: App, record: WorkspaceRecord, model: ComposeModel): readonly OutsideData[] {
  const { local, repo } = record
  if (local === null) return []
  return outsideData(record, model, {
    worktree: local.worktree,
    repo,
    home: app.env.HOME,
    realpath: realPathOf,
    isFolder,
  })
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false
  } catch {
    return true // it cannot be looked at, and may be one
  }
}

/** What a container that runs writes of it: what stands still writes nothing. */
async function findClashes(
  app: App,
  { record, backend }: Sharing,
  own: readonly OutsideData[],
): Promise<readonly Clash[]> {
  const all = await app.records.list()
  const others = all.filter(
    ({ id, repo, backend }) => id !== record.id && repo === record.repo && backend === record.backend,
  )
  const found = await Promise.all(
    others.map(async (other) => {
      const model = other.docker?.stack === undefined ? undefined : await backend.stack?.startedModel(other)
      const theirs = model === undefined ? [] : writtenBy(app, other, model)
      if (sharedData(own, theirs).length === 0) return []
      const services = (await backend.services?.list(other)) ?? []
      const working = new Set(services.filter(({ state }) => WORKING.has(state)).map(({ name }) => name))
      const written = theirs.filter(({ service }) => working.has(service))
      return sharedData(own, written).map((data) => ({ data, by: other.name }))
    }),
  )
  // several services may mount the same
  return [...new Map(found.flat().map((clash) => [`${clash.data.path} ${clash.by}`, clash])).values()]
}

/** @throws {NexusError} APPROVAL_REQUIRED with the ways on */
async function admitClashes(app: App, { record, settings }: Sharing, clashes: readonly Clash[]): Promise<void> {
  const findings = clashes.map(({ data, by }) => {
    const why = `${by} runs and writes it: what two databases write at once is lost`
    return makeFinding(data.path, `${data.text}, written by two workspaces at once`, why)
  })
  const told = clashes.map((clash) => toldOf(clash, record)).join('; ')
  const others = [...new Set(clashes.map(({ by }) => `nexus stop ${by}`))].join(' && ')
  await admit(app, record, settings, findings, {
    message: `${told.replace(/^w/, 'W')}.`,
    toAllow: `${hintToCopy(app, record, clashes)} stop the other, run \`${others}\`; to let both write`,
  })
}

/** A volume can be copied; a folder is named by the compose files, which can name another one. */
function hintToCopy({ asking }: App, { name, operation }: WorkspaceRecord, clashes: readonly Clash[]): string {
  if (clashes.some(({ data }) => data.kind !== 'external volume')) return 'To'
  const again = kindOf(operation)?.makes === true ? (asking?.line ?? `nexus up ${name}`) : `nexus rebuild ${name}`
  return `To give each workspace a copy, run \`nexus config set compose.external private && ${again}\`; to`
}

function toldOf({ data, by }: Clash, { name }: WorkspaceRecord): string {
  return `workspace ${by} is running and writes the ${data.text}, which ${name} would write too`
}
