/**
 * One operation on one workspace: the lock that serialises operations across processes. Whoever comes second waits a little and is then
 * told who works, since when, on what. Whoever finds an operation whose process is dead has it repaired first (`app.recover`).
 */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceId } from '../../core/names.ts'
import { KINDS, type OperationKind } from '../../core/operations.ts'
import type { Operation, WorkspaceRecord } from '../../core/workspace.ts'
import { withLock } from '../../system/lock.ts'
import { reopenFolder } from '../../system/modes.ts'
import { isAlive } from '../../system/process.ts'
import { maySpend } from '../../system/reserve.ts'
import type { App } from '../app.ts'
import { describe } from '../observe.ts'

/** How long a second operation waits for the first before it answers WORKSPACE_BUSY. */
const BUSY_WAIT_MS = 10_000
/** Its holder runs single git commands without a checkout. */
const REPOSITORY_WAIT_MS = 5 * 60_000

/** What a command is about to do with a workspace that an operation may have been cut off on. */
export interface Claim {
  /** Takes the place of what was cut off, where its plan covers that; else that is finished first. */
  readonly as?: OperationKind
  /** Changes nothing, so it repairs nothing. */
  readonly dryRun?: boolean
  /** How long it waits for another operation. */
  readonly waitMs?: number
}

/**
 * Runs `body` while no other process works on the workspace, with its record as it is now: repaired, and undefined when there is none
 * (any more).
 * @throws {NexusError} WORKSPACE_BUSY, naming the other process, its step and when it began
 */
export async function exclusively<T>(
  app: App,
  id: WorkspaceId,
  body: (record: WorkspaceRecord | undefined) => Promise<T>,
  claim: Claim = {},
): Promise<T> {
  if (claim.as !== undefined && KINDS[claim.as].freesRoom) maySpend(app.home.reserve)
  const onWait = () => app.emit({ type: 'notice', text: 'waiting for another operation on this workspace' })
  const repaired = async () => {
    const record = await app.records.load(id)
    if (record?.local != null) reopenFolder(record.local.worktree)
    if (record === undefined || record.operation === null || claim.dryRun === true) return body(record)
    return body(await app.recover(app, record, claim.as))
  }
  try {
    return await withLock(join(app.home.locks, id), repaired, {
      waitMs: claim.waitMs ?? BUSY_WAIT_MS,
      onWait,
      signal: app.interruption.signal,
    })
  } catch (error) {
    const lock = error instanceof NexusError && error.code === 'WORKSPACE_BUSY' ? error.details?.lock : undefined
    if (lock !== `${join(app.home.locks, id)}.lock`) throw error
    const record = await app.records.load(id)
    if (!record?.operation || !isAlive(record.operation)) throw error
    throw busy(record, record.operation)
  }
}

export function busy(record: WorkspaceRecord, operation: Operation): NexusError {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(operation.startedAt)) / 1000))
  const { name } = record
  const who = `another command (pid ${operation.pid}, step ${operation.step})`
  const text = `Workspace ${name} is busy for ${seconds} s: ${describe(record)} by ${who}.`
  return new NexusError('WORKSPACE_BUSY', text, {
    hint: `To see when it is done, run \`nexus status ${name}\``,
    details: { workspaceId: record.id, operation, seconds },
  })
}

/** Serialises what changes one repository's worktrees and branches, also between homes: the lock lies in its git dir. */
export function withRepository<T>(app: App, gitDir: string, body: () => Promise<T>): Promise<T> {
  return withLock(join(gitDir, 'nexus-worktrees'), body, {
    waitMs: REPOSITORY_WAIT_MS,
    signal: app.interruption.signal,
  })
}
