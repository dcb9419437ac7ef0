/**
 * What a delete keeps in the trash. With `--force`, whatever it would have refused for, with all files of the worktree. With or without,
 * ignored files that are found nowhere else and the data of services, as far as `trash.budget` has room: the worktree is renamed, the
 * volumes stay, nothing is copied. What is not kept is said.
 */

import type { Backend } from '../../backends/backend.ts'
import type { DataVolume } from '../../backends/making.ts'
import { NexusError } from '../../core/errors.ts'
import { localOf } from '../../core/record-parts.ts'
import { formatSize } from '../../core/sizes.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { withData } from '../../project/ignored-work.ts'
import type { App } from '../app.ts'
import { findLosses, type Losses, NO_LOSSES } from '../git/losses.ts'
import { readNotes } from '../status/restoring.ts'
import { chooseData, formatData, type Keeping, type KeptData, keptFile } from './kept-data.ts'
import type { TrashEntry } from './trash.ts'

export interface KeepingFacts {
  readonly force: boolean
  readonly trash: boolean
  /** What a delete that was cut off had begun to keep. */
  readonly begun: TrashEntry | undefined
  /** As they were found before, where nothing was refused; undefined where nobody looked. */
  readonly ignored: Losses['ignored'] | undefined
  readonly volumes: readonly DataVolume[]
  readonly branchCommit: string | undefined
}

/** False where what would be kept is lost at once: by this delete's own wish, or by the configuration. */
export async function hasTrash(app: App, asked: boolean): Promise<boolean> {
  return asked && (await app.config()).settings.trash.keep !== 'off'
}

/** Undefined where nothing would be lost. */
export async function findKeeping(
  app: App,
  record: WorkspaceRecord,
  facts: KeepingFacts,
): Promise<Keeping | undefined> {
  const { branchCommit, begun } = facts
  if (begun !== undefined) {
    const { data = [], files, lost } = begun
    const whole = lost.length + data.length > 0 ? lost : ['what an interrupted delete began to keep']
    return { lost: whole, data, files: files !== null, dropped: [], branchCommit }
  }
  const { budget } = (await app.config()).settings.trash
  const keeps = await hasTrash(app, facts.trash)
  const owns = record.local !== null && !record.local.adopted
  const looks = facts.force && keeps && (owns || record.gitMode === 'private')
  const { refused, ignored: listed } = looks
    ? await lossesByForce(app, record)
    : { refused: [], ignored: facts.ignored ?? NO_LOSSES.ignored }
  const lost = [...refused, ...(looks && branchCommit !== undefined ? [`commits of branch ${record.branch}`] : [])]
  // beside what was refused for, the files go to the trash whatever they take
  const folders = facts.volumes.filter(({ isFolder }) => isFolder)
  const places = folders.map(({ name }) => name)
  const ignored = owns ? await withData(listed, localOf(record).worktree, record.repo, places) : listed
  const ownerOf = (path: string) => folders.find((one) => `${one.name}/` === `${record.local?.worktree}/${path}`)?.of
  const files = lost.length > 0 ? [] : ignored.work.map((work) => keptFile(work, ownerOf(work.path)))
  const volumes = facts.volumes.filter(({ nameless, isFolder }) => !nameless && isFolder !== true).map(keptVolume)
  tellNameless(app, facts)
  const data = [...files, ...volumes]
  if (lost.length + data.length === 0) return undefined
  if (!keeps) {
    if (facts.trash) tellLeft(app, data, 'trash.keep is off')
    return undefined
  }
  const { kept, left } = chooseData(data, budget, await readNotes<TrashEntry>(app))
  if (left.length > 0) tellLeft(app, left, `it does not fit into trash.budget (${formatSize(budget)})`)
  if (lost.length + kept.length === 0) return undefined
  const keepsFiles = owns && (lost.length > 0 || kept.flatMap(pathOf).length > 0)
  const dropped = lost.length > 0 ? [] : [...ignored.dropped, ...left.flatMap(pathOf)]
  return { lost, data: kept, files: keepsFiles, dropped, branchCommit }
}

function pathOf({ volume, what }: KeptData): readonly string[] {
  return volume === undefined ? [what] : []
}

function keptVolume({ name, of, bytes }: DataVolume): KeptData {
  return { what: of, bytes, volume: name }
}

function tellLeft({ emit }: App, data: readonly KeptData[], why: string): void {
  const hint = 'To keep more, run `nexus config set trash.budget 50g`; for how long, `nexus config set trash.keep 7d`'
  if (data.length > 0) emit({ type: 'warning', text: `not kept: ${formatData(data)}, as ${why}`, hint })
}

/** No later container would find it. */
function tellNameless({ emit }: App, { volumes, trash }: KeepingFacts): void {
  const data = volumes.filter(({ nameless }) => nameless).map(keptVolume)
  if (data.length === 0 || !trash) return
  const text = `not kept: ${formatData(data)}, as it is in a volume without a name`
  emit({ type: 'warning', text, hint: 'To have it kept from now on, name a volume for it in the compose file' })
}

/** Where git cannot look, everything counts. */
async function lossesByForce(app: App, record: WorkspaceRecord): Promise<Losses> {
  try {
    return await findLosses(app, record, false)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    return { ...NO_LOSSES, refused: [`everything in ${record.local?.worktree}: ${error.message}`] }
  }
}

/** As a plan says it. */
export function causeOf({ lost, data }: Keeping): string {
  const [first = '', ...more] = lost
  const lines = lost.length === 0 ? [] : [more.length === 0 ? first : `${first} and ${more.length} more`]
  return `kept for a while: ${[...lines, ...(data.length === 0 ? [] : [formatData(data)])].join('; ')}`
}

/** What a delete asks a backend before it takes anything away; a backend that has none of it answers nothing. */
export async function listData(backend: Backend, record: WorkspaceRecord): Promise<readonly DataVolume[]> {
  return (await backend.data?.list(record)) ?? []
}
