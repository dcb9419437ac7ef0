/**
 * Deletes a workspace, completely or not at all: refuses while something would be lost and lists it, keeps and names a
 * branch with commits found nowhere else, then removes parts, worktree, branch, lease and record in that order, so that
 * a delete cut short is found by the next command and finished. With `--force`, what would be lost goes to the trash; ignored
 * files and data of services go there always (`keeping.ts`).
 */

import { existsSync } from 'node:fs'
import type { Backend } from '../../backends/backend.ts'
import { NexusError } from '../../core/errors.ts'
import { kindOf } from '../../core/operations.ts'
import { localOf, worktreeOf } from '../../core/record-parts.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { refuseMounts } from '../foreign-files.ts'
import { refuseLock, refuseLoss } from '../git/losses.ts'
import { isForeign } from '../git/worktree-owner.ts'
import { observeOne } from '../observe.ts'
import { exclusively } from '../operation/operate.ts'
import { type Plan, planDelete } from '../operation/steps.ts'
import { beginOperation, walk } from '../operation/walk.ts'
import {
  type DeleteCarried,
  type Doomed,
  type DoomedBranch,
  deleteActions,
  findBranch,
  findPreDelete,
  volumesIn,
} from './delete-actions.ts'
import { causeOf, findKeeping, hasTrash, listData } from './keeping.ts'
import { formatData } from './kept-data.ts'
import type { TrashEntry } from './trash.ts'

export interface DeleteRequest {
  readonly force: boolean
  /** Also a worktree that `git worktree lock` keeps. */
  readonly locked?: boolean
  readonly deleteBranch: boolean
  readonly dryRun: boolean
  /** False: what would be kept is lost at once. */
  readonly trash: boolean
}

export interface DeleteResult {
  readonly record: WorkspaceRecord
  readonly plan: Plan
  /** The branch that stays, with the number of its commits that are found nowhere else. */
  readonly keptBranch: { readonly name: string; readonly uniqueCommits: number } | null
  /** What the trash has of it; null for nothing. */
  readonly trash: TrashEntry | null
  /** What else than work it keeps, or would in a dry run: ignored files and data of services, in words. */
  readonly data: string
  readonly changed: boolean
}

export async function deleteWorkspace(app: App, found: WorkspaceRecord, request: DeleteRequest): Promise<DeleteResult> {
  const body = async (record: WorkspaceRecord | undefined): Promise<DeleteResult> =>
    record === undefined
      ? { record: found, plan: [], keptBranch: null, trash: null, data: '', changed: false }
      : deleteLocked(app, record, request)
  return exclusively(app, found.id, body, { as: 'delete', dryRun: request.dryRun })
}

/** Under the workspace's lock; goes on with a delete that was cut off as that was asked for. */
export async function deleteLocked(app: App, found: WorkspaceRecord, given: DeleteRequest): Promise<DeleteResult> {
  // what somebody else put there was there before, and stays
  const record = isForeign(found) ? { ...found, local: { ...localOf(found), adopted: true } } : found
  const { makes = false, removes = false } = kindOf(record.operation) ?? {}
  const cut = removes ? (record.operation ?? undefined) : undefined
  const begun = cut === undefined ? undefined : await findBegun(app, record)
  const touched = begun !== undefined || (cut !== undefined && hasTouchedFiles(cut))
  const request = cut === undefined ? given : withOptions(given, cut, touched)
  const seenAt = Date.now()
  const { backend, branch, ignored, volumes } = await lookBefore(app, record, request, { touched, makes })
  const { force, trash } = request
  const wish = { force: force || touched, trash, begun, ignored, volumes, branchCommit: branch.delete?.unique }
  const keeping = await findKeeping(app, record, wish)
  const data = formatData(keeping?.data ?? [])
  // what was cut off has run it already, or was never there to be used
  const preDelete = record.operation === null ? await findPreDelete(app, record, request) : undefined
  const plan = planDelete({
    preDelete: preDelete?.command,
    name: record.name,
    worktree: worktreeOf(record),
    branch: record.branch,
    deleteBranchCause: branch.delete?.cause,
    trashCause: keeping === undefined ? undefined : causeOf(keeping),
    filesCause: keeping?.files === true ? 'in the trash' : undefined,
    keepsVolumes: volumesIn(keeping).length > 0,
    keepWorktree: record.local?.adopted === true,
    // also when the record knows none: a create may have been killed between lease and note
    portsLeased: backend.endpoints.leased !== undefined,
  })
  const keptBranch = branch.kept
  const keeps = await hasTrash(app, trash)
  if (request.dryRun) return { record, plan, keptBranch, trash: null, data, changed: false }
  const doomed: Doomed = {
    app,
    backend,
    keeping,
    preDelete,
    branch: branch.delete,
    ignored,
    seenAt,
    isInUse: !touched && !makes && (keeps || !force) && (record.desired !== 'stopped' || preDelete !== undefined),
    hasTrash: keeps,
    forgetAll: request.force && request.deleteBranch,
  }
  const noted = { ...record, operation: beginOperation('delete', optionsOf(request), cut) }
  const first = { record: noted, trash: null }
  const { trash: kept } = await walk<DeleteCarried>(app, first, { plan, actions: deleteActions(doomed) })
  await dropExpired(app, kept)
  return { record, plan, keptBranch, trash: kept, data, changed: true }
}

/**
 * What is there to lose, once the commits that can come back have come back and those inside are told.
 * @param state.touched a delete that was cut off has begun to remove files
 * @param state.makes what was cut off was a create: what it began to fill is nobody's data yet
 */
async function lookBefore(
  app: App,
  record: WorkspaceRecord,
  request: DeleteRequest,
  { touched, makes }: { readonly touched: boolean; readonly makes: boolean },
) {
  const isAdopted = record.local?.adopted === true
  const isPrivate = record.gitMode === 'private'
  const locked = request.locked === true
  if (!isAdopted && record.local !== null) refuseMounts(record.local.worktree)
  if (request.force && !isAdopted && !touched && !locked) refuseLock(record)
  // an adopted worktree stays, and a git dir of the workspace's own does not
  const mayLose = request.force || touched || (isAdopted && !isPrivate)
  const backend = await app.backend(record.backend)
  const told = tellGuests(app, record, backend)
  // what looks inside goes in itself
  if (isPrivate) await told
  const looked = mayLose ? saveCommits(app, record, request) : lookForLoss(app, record, locked)
  // what comes back first takes part in what is judged of the branch
  if (isPrivate) await looked
  const [branch, ignored, volumes] = await Promise.all([
    judgeBranch(app, record, request),
    looked,
    makes ? [] : listData(backend, record),
    told,
  ])
  return { backend, branch, ignored, volumes }
}

/** A git dir of the workspace's own may be as broken as whoever works inside makes it: then nothing comes back from it. */
async function lookForLoss(app: App, record: WorkspaceRecord, locked: boolean) {
  try {
    return await refuseLoss(app, record, locked)
  } catch (error) {
    const isUnknown = error instanceof NexusError && ['GIT_ERROR', 'TIMEOUT'].includes(error.code)
    if (!isUnknown || record.gitMode !== 'private') throw error
    const { code, message, details, output } = error
    throw new NexusError(code, `What would be lost of ${record.name} cannot be found out: ${message}`, {
      hint: `To delete it and keep all of it in the trash for a while, run \`nexus delete ${record.name} --force\``,
      details,
      output,
    })
  }
}

function optionsOf({ force, locked, deleteBranch, trash }: DeleteRequest): readonly string[] {
  const asked = { force, locked, 'delete-branch': deleteBranch, 'no-trash': !trash }
  return Object.entries(asked).flatMap(([option, is]) => (is === true ? [option] : []))
}

/**
 * Somebody may have worked there since: what is found now goes to the trash, unless this delete is against one as well. One that was to
 * lose all, and had not yet begun to, looks anew.
 */
function withOptions(request: DeleteRequest, { options = [] }: Operation, touched: boolean): DeleteRequest {
  const forced = options.includes('force') && (touched || !options.includes('no-trash'))
  return {
    ...request,
    force: request.force || forced,
    locked: request.locked === true || options.includes('locked'),
    deleteBranch: request.deleteBranch || options.includes('delete-branch'),
  }
}

/** What is missing from the worktree was removed by the delete itself. */
function hasTouchedFiles({ step, done }: Operation): boolean {
  return [step, ...done].some((one) => ['worktree-remove', 'branch-delete', 'forget'].includes(one))
}

/** The entry that a delete which was cut off had made in the trash; before that it has touched no file. */
async function findBegun(app: App, record: WorkspaceRecord): Promise<TrashEntry | undefined> {
  if (!existsSync(app.home.trash)) return undefined
  return (await import('./trash.ts')).findUnfinished(app, record)
}

/** What is old enough in the trash; it must not fail a delete that is done. */
async function dropExpired(app: App, made: TrashEntry | null): Promise<void> {
  if (!existsSync(app.home.trash)) return
  const trash = await import('./trash.ts')
  await trash.expireAfterDelete(app, made)
  if (made?.data !== undefined) await trash.makeRoom(app, made)
}

/** It is said before anything is taken away from whoever is in. */
async function tellGuests({ emit }: App, record: WorkspaceRecord, backend: Backend): Promise<void> {
  if (backend.data === undefined || record.desired !== 'running') return
  // who cannot be asked keeps nobody from deleting
  const guests = await backend.data.guests(record).catch(() => [])
  if (guests.length === 0) return
  const told = guests.slice(0, 5).join(', ')
  const more = guests.length > 5 ? ` and ${guests.length - 5} more` : ''
  emit({ type: 'warning', text: `somebody is in ${record.name}: ${told}${more}` })
}

/** Forced or not, commits that can come back do. */
async function saveCommits(app: App, record: WorkspaceRecord, { dryRun }: DeleteRequest): Promise<undefined> {
  if (record.gitMode !== 'private' || dryRun) return
  const running = (await observeOne(app, record)).state === 'running'
  await (await import('../git/bring-back.ts')).bringBackIfMoved(app, record, running)
}

interface BranchVerdict {
  /** `unique`: its tip again, where it has commits that are found nowhere else. */
  readonly delete: (DoomedBranch & { readonly unique?: string }) | undefined
  readonly kept: DeleteResult['keptBranch']
}

/** @throws {NexusError} WORKSPACE_DIRTY for `--delete-branch` without `--force` on a branch with commits of its own */
async function judgeBranch(app: App, record: WorkspaceRecord, request: DeleteRequest): Promise<BranchVerdict> {
  const { local, branch, branchCreated } = record
  const ref = await findBranch(app, record)
  if (ref === undefined || local === null) return { delete: undefined, kept: null }
  const { commit, uniqueCommits } = ref
  const kept = { delete: undefined, kept: { name: branch, uniqueCommits } }
  // a worktree that stays keeps its branch
  const stays = local.adopted && (!branchCreated || ref.worktree !== '')
  if (stays || (ref.worktree !== '' && ref.worktree !== local.worktree)) return kept
  if (!branchCreated && !request.deleteBranch) return kept
  const isAsMade = record.base === commit
  const cause = isAsMade ? 'still where it was made' : 'no commits of its own'
  if (uniqueCommits === 0) return { delete: { commit, cause, isHeld: true }, kept: null }
  if (isAsMade && record.fetched === true) return { delete: { commit, cause, isHeld: false }, kept: null }
  if (!request.deleteBranch) return kept
  if (request.force) {
    const forced = `--force, with ${uniqueCommits} commits of its own`
    return { delete: { commit, cause: forced, unique: commit, isHeld: false }, kept: null }
  }
  throw new NexusError(
    'WORKSPACE_DIRTY',
    `Branch ${branch} has ${uniqueCommits} commits that are found nowhere else.`,
    {
      hint: `To delete it and keep them in the trash for a while, run \`nexus delete ${record.name} --delete-branch --force\``,
      details: { branch, uniqueCommits },
    },
  )
}
