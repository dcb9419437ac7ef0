/**
 * Lists workspaces: one look per backend, no git process; `dirty` asks git too, side by side and for two seconds at most;
 * `size` measures for ten.
 */

import { existsSync } from 'node:fs'
import type { WorkspaceRecord, WorkspaceResource } from '../../core/workspace.ts'
import { changedInputs } from '../../project/inputs.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'
import { findDrift } from '../drift.ts'
import { observeAll, observeOne, type Seen, toldFromHere, toResource } from '../observe.ts'

const DIRTY_TIMEOUT_MS = 2_000

export interface ListRequest {
  /** Main worktree whose workspaces are meant; undefined for all repositories. */
  readonly repo: string | undefined
  readonly dirty: boolean
  readonly size: boolean
}

export async function listWorkspaces(app: App, request: ListRequest): Promise<readonly WorkspaceResource[]> {
  const all = await app.records.list()
  const records = request.repo === undefined ? all : all.filter((record) => record.repo === request.repo)
  const [seen, sizes] = await Promise.all([
    observeAll(app, records),
    request.size ? (await import('./size.ts')).measureAll(app, records) : undefined,
  ])
  const dirty = request.dirty ? await Promise.all(seen.map((one) => isDirty(app, one))) : undefined
  const resources = await Promise.all(seen.map((one) => toResource(app, one)))
  return resources.map((resource, i) => {
    const size = sizes?.[i]
    return {
      ...resource,
      ...(dirty === undefined ? {} : { dirty: dirty[i] ?? null }),
      ...(size === undefined ? {} : { size }),
    }
  })
}

/** One workspace, also by whether it runs on what its files say now. */
export async function describeWorkspace(app: App, record: WorkspaceRecord): Promise<WorkspaceResource> {
  const resource = await toResource(app, await observeOne(app, record))
  const { local, inputs } = record
  const drift = findDrift(record)
  // what is worse stands in the state's reason
  const text = drift?.kind !== 'branch' ? undefined : `${drift.text}; \`${drift.command}\` takes it over`
  const note = text === undefined ? {} : { drift: toldFromHere(app, record, text) }
  if (local === null || inputs === undefined || !existsSync(local.worktree)) return { ...resource, ...note }
  return { ...resource, ...note, outdated: changedInputs(local.worktree, inputs) }
}

/** Null when it cannot be told: no local files, a broken worktree, or git needs longer than two seconds. */
async function isDirty(app: App, { record }: Seen): Promise<boolean | null> {
  if (record.local === null || !existsSync(record.local.worktree)) return null
  try {
    const { listChanges } = await import('../git/losses.ts')
    return (await listChanges(app, record, DIRTY_TIMEOUT_MS)).length > 0
  } catch {
    return null // one broken worktree must not hide the others
  }
}

/** The resource of a workspace whose operation has just ended as wanted, without looking again. */
export function resourceOf(app: App, record: WorkspaceRecord): Promise<WorkspaceResource> {
  const state = record.desired
  return toResource(app, {
    record,
    state,
    reason: '',
    observation: { state, reason: '' },
    worktreePresent: true,
    branch: record.local === null ? record.branch : (currentBranch(app.home, record) ?? '(detached)'),
  })
}
