/**
 * All that is worth knowing of one workspace: its resource, its services one by one, how its branch and files stand, when it was
 * last used. All looks run side by side, each with a time limit; what cannot be told is null.
 */
import { existsSync } from 'node:fs'
import { NexusError } from '../../core/errors.ts'
import type { ServiceResource, WorkspaceOperation, WorkspaceStatus } from '../../core/status.ts'
import { timestamp } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { orderByIdleness } from '../../record/last-use.ts'
import { isAlive } from '../../system/process.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'
import { standingOf } from '../git/git-standing.ts'
import { describeWorkspace } from './list.ts'

export async function statusOf(app: App, record: WorkspaceRecord, wanted: { size: boolean }): Promise<WorkspaceStatus> {
  const now = currentBranch(app.home, record)
  // what a git dir of its own is detached at, nobody here may know
  const branch = now === null && record.gitMode !== 'private' ? null : (now ?? record.branch)
  const services = servicesOf(app, record)
  // where the git of a git dir of its own has to run depends on whether the workspace does, which its services tell
  const running =
    record.gitMode === 'private' ? services.then((some) => mainRuns(record, some)) : Promise.resolve(false)
  const git = running.then((runs) => standingOf(app, record, branch, runs))
  const [resource, listed, standing, size] = await Promise.all([
    describeWorkspace(app, record),
    services,
    git,
    wanted.size ? (await import('./size.ts')).measureAll(app, [record]) : undefined,
  ])
  const use = orderByIdleness(app.home, [record])[0]
  return {
    ...resource,
    services: listed,
    git: standing,
    lastActivity: use === undefined ? null : timestamp(new Date(use.lastUsed)),
    connected: existsSync('/proc/net/tcp') ? (use?.connected ?? null) : null,
    operation: operationOf(record),
    stopped: record.stopped ?? null,
    dirty: dirtyOf(standing),
    ...(size?.[0] === undefined ? {} : { size: size[0] }),
  }
}

function dirtyOf(git: WorkspaceStatus['git']): boolean | null {
  if (git === null || git.modified === null || git.untracked === null) return null
  return git.modified + git.untracked + (git.conflicts ?? 0) > 0
}

async function servicesOf(app: App, record: WorkspaceRecord): Promise<readonly ServiceResource[] | null> {
  try {
    return (await (await app.backend(record.backend)).services?.list(record)) ?? null
  } catch (error) {
    if (error instanceof NexusError) return null // the state says that the engine cannot be asked, and why
    throw error
  }
}

function mainRuns({ docker }: WorkspaceRecord, services: readonly ServiceResource[] | null): boolean {
  const mains = ['workspace', docker?.stack?.main]
  return services?.some(({ name, state }) => mains.includes(name) && state === 'running') === true
}

function operationOf({ operation }: WorkspaceRecord): WorkspaceOperation | null {
  if (operation === null) return null
  const { kind, step, startedAt } = operation
  return { kind, step, startedAt, running: isAlive(operation) }
}
