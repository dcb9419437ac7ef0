/**
 * Repairs what a killed Nexus left: ends the commands that it had started, then finishes its operation from what there is,
 * by the same plan made again. What cannot be finished is taken back: a create goes, except for what would be lost; any other
 * operation is over, and what is there is what the next command starts from.
 */
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { KINDS, type OperationKind } from '../core/operations.ts'
import { workspacePaths } from '../core/paths.ts'
import type { Operation, WorkspaceRecord } from '../core/workspace.ts'
import { endOrphans } from '../system/orphans.ts'
import { isAlive, isOwn, sharesLocks } from '../system/process.ts'
import { removeAbandoned } from '../system/temporary.ts'
import type { App } from './app.ts'
import { rebuildLocked } from './lifecycle/rebuild.ts'
import { changeLocked } from './lifecycle/stop-pause.ts'
import { startLocked } from './lifecycle/up.ts'
import { busy } from './operation/operate.ts'
import { settle } from './operation/walk.ts'
import { deleteLocked } from './trash/delete.ts'

/** Neither forwards nor back is possible without; tried again by the next command. */
const UNREACHABLE: ReadonlySet<string> = new Set(['BACKEND_UNAVAILABLE', 'TOOL_MISSING', 'DISK_FULL', 'WORKSPACE_BUSY'])

/**
 * Under the workspace's lock. With `next`, what that operation's own plan covers is left to it.
 * @returns the workspace as it is now; undefined when it was removed
 * @throws {NexusError} WORKSPACE_BUSY when the operation's process lives after all; what stands in the way of both directions
 */
export async function recover(
  app: App,
  record: WorkspaceRecord,
  next?: OperationKind,
): Promise<WorkspaceRecord | undefined> {
  const { operation } = record
  if (operation === null) return record
  // in another network namespace the lock does not keep it out; else it was left by an operation of a server that lives on
  const lives = isAlive(operation)
  if (lives && !isOwn(operation) && !sharesLocks(operation)) throw busy(record, operation)
  // that server's commands are those of its other operations
  if (!lives) await endOrphans(operation)
  for (const folder of writtenFolders(app, record)) removeAbandoned(folder)
  const where = operation.step === '' ? '' : ` at ${operation.step}`
  const found = `the ${operation.kind} of ${record.name} was cut off${where}`
  const covered: readonly string[] = next === undefined ? [] : KINDS[next].covers
  if (covered.includes(operation.kind)) {
    app.emit({ type: 'notice', text: found })
    return record
  }
  app.emit({ type: 'notice', text: `${found}; it is finished first` })
  return FINISH[operation.kind](app, record, operation)
}

/** Where the killed process may have been writing; other folders are looked after by the next write into them. */
function writtenFolders({ home }: App, { id }: WorkspaceRecord): readonly string[] {
  const { dir, sshDir } = workspacePaths(home, id)
  return [dir, sshDir, join(home.logs, id), dirname(home.leases), home.cache, home.sshDir]
}

type Finish = (app: App, record: WorkspaceRecord, operation: Operation) => Promise<WorkspaceRecord | undefined>

/** How each kind is finished: by the plan of its own verb, made again from what there is. */
const FINISH: Readonly<Record<OperationKind, Finish>> = {
  create: forward((app, record) => startLocked(app, record, { dryRun: false, start: record.desired === 'running' })),
  start: forward((app, record, { options = [] }) =>
    startLocked(app, record, { dryRun: false, start: !options.includes('no-start') }),
  ),
  stop: forward((app, record) => changeLocked(app, record, 'stop', false)),
  pause: forward((app, record) => changeLocked(app, record, 'pause', false)),
  resume: forward((app, record) => changeLocked(app, record, 'resume', false)),
  rebuild: forward((app, record) => rebuildLocked(app, record, false)),
  delete: (app, record) => removeUnlessLost(app, record),
}

type Forward = (
  app: App,
  record: WorkspaceRecord,
  operation: Operation,
) => Promise<{ readonly record: WorkspaceRecord }>

/** What cannot be finished is over; a workspace that was being made is taken back. */
function forward(finish: Forward): Finish {
  return async (app, record, operation) => {
    try {
      return (await finish(app, record, operation)).record
    } catch (error) {
      if (!(error instanceof NexusError) || UNREACHABLE.has(error.code)) throw error
      const now = await app.records.load(record.id)
      if (now === undefined) return undefined
      app.emit({ type: 'warning', text: `${operation.kind}: ${error.message}`, hint: error.hint })
      // it is up, and what failed was a hook
      if (now.operation === null) return now
      return KINDS[operation.kind].makes ? takeBack(app, now) : settle(app, now, now.desired)
    }
  }
}

/** What a create made goes, unless somebody has worked in it meanwhile. */
async function takeBack(app: App, record: WorkspaceRecord): Promise<WorkspaceRecord | undefined> {
  app.emit({ type: 'notice', text: `${record.name} cannot be finished; what its create made is taken back` })
  return removeUnlessLost(app, record)
}

/** A delete that was cut off before it touched any file refuses again what would be lost by now. */
async function removeUnlessLost(app: App, record: WorkspaceRecord): Promise<WorkspaceRecord | undefined> {
  try {
    const wish = { force: false, deleteBranch: false, dryRun: false, trash: true }
    const { data, trash } = await deleteLocked(app, record, wish)
    if (trash !== null && data !== '') app.emit({ type: 'notice', text: `in the trash: ${data}` })
    return undefined
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'WORKSPACE_DIRTY') throw error
    app.emit({ type: 'warning', text: `${error.message} It is kept.`, hint: error.hint })
    return settle(app, record, 'stopped')
  }
}
