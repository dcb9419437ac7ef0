/**
 * One snapshot: records, what each backend sees (one call per backend, however many workspaces), and what git's files say.
 * The state of a workspace is decided here, and only here, by the contract's rules.
 */

import { existsSync } from 'node:fs'
import { sshInfo } from '../backends/facets.ts'
import { NexusError } from '../core/errors.ts'
import { nameFromHere } from '../core/named.ts'
import type { WorkspaceId } from '../core/names.ts'
import { KINDS, kindOf } from '../core/operations.ts'
import { urlOf } from '../core/reach.ts'
import { worktreeOf } from '../core/record-parts.ts'
import { hasUrl } from '../core/urls.ts'
import type { Observation, WorkspaceRecord, WorkspaceResource, WorkspaceState } from '../core/workspace.ts'
import { isAlive } from '../system/process.ts'
import { findHere } from '../tools/repository.ts'
import type { App } from './app.ts'
import { currentBranch } from './current-branch.ts'
import { type Drift, findDrift } from './drift.ts'

export interface Seen {
  readonly record: WorkspaceRecord
  readonly state: WorkspaceState
  readonly reason: string
  /** What the backend saw; undefined when the workspace has no parts. */
  readonly observation: Observation | undefined
  readonly worktreePresent: boolean
  /** The branch that the worktree is on now. */
  readonly branch: string
}

/** Looks once at all the given workspaces. A backend that cannot be asked makes its own `unknown` and delays no other. */
export async function observeAll(app: App, records: readonly WorkspaceRecord[]): Promise<readonly Seen[]> {
  const names = [...new Set(records.map((record) => record.backend))]
  const views = new Map(await Promise.all(names.map(async (name) => [name, await viewOf(app, name)] as const)))
  return Promise.all(
    records.map((record) => {
      const view = views.get(record.backend)
      const observation = view instanceof Map ? view.get(record.id) : (view as Observation | undefined)
      return judgeNow(app, record, observation)
    }),
  )
}

/** A process notes the end of its operation before it ends: what looks cut off may have ended since the record was read. */
async function judgeNow(app: App, record: WorkspaceRecord, observation: Observation | undefined): Promise<Seen> {
  const seen = judge(app, record, observation)
  if (record.operation === null || isAlive(record.operation)) return seen
  const now = await app.records.load(record.id)
  if (now === undefined) return { ...seen, state: 'deleting', reason: '' }
  return now.operation?.startedAt === record.operation.startedAt ? seen : judge(app, now, observation)
}

export async function observeOne(app: App, record: WorkspaceRecord): Promise<Seen> {
  const [seen] = await observeAll(app, [record])
  if (seen === undefined) throw new Error('one record gives one view')
  return seen
}

/** @throws {NexusError} BACKEND_UNAVAILABLE when the backend could not be asked */
export function requireEngine(seen: Seen): void {
  if (seen.state !== 'unknown') return
  throw new NexusError('BACKEND_UNAVAILABLE', seen.reason, {
    hint: 'To see what is wrong with the engine, run `nexus doctor`',
  })
}

/** For what needs a workspace that runs: that this one does not, and the command that changes it. */
export function notRunning({ record, state, reason }: Pick<Seen, 'record' | 'state' | 'reason'>): NexusError {
  const verb = state === 'paused' ? 'resume' : 'start'
  const works = state === 'creating' || state === 'deleting'
  return new NexusError(
    'WORKSPACE_NOT_RUNNING',
    `Workspace ${record.name} is ${state}${reason === '' ? '' : `: ${reason}`}.`,
    {
      hint: works
        ? `To see how far that is, run \`nexus status ${record.name}\``
        : `To ${verb} it, run \`nexus ${verb} ${record.name}\``,
      details: { state },
    },
  )
}

type View = ReadonlyMap<WorkspaceId, Observation> | Observation

async function viewOf(app: App, name: string): Promise<View> {
  try {
    return await (await app.backend(name)).lifecycle.observe()
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    return { state: 'unknown', reason: error.message }
  }
}

/** The view of one workspace, from what its backend saw. */
export function judge(app: App, record: WorkspaceRecord, observation: Observation | undefined): Seen {
  const drift = findDrift(record, app.cwd)
  const gone = drift?.kind === 'worktree-gone' || drift?.kind === 'worktree-moved'
  const worktreePresent = record.local === null || (!gone && existsSync(record.local.worktree))
  const now = currentBranch(app.home, record)
  const branch = now === undefined ? record.branch : (now ?? '(detached)')
  const { state, reason } = stateOf(record, observation, drift)
  return { record, state, reason: toldFromHere(app, record, reason), observation, worktreePresent, branch }
}

const TOLD_VERBS = ['up', 'delete', 'repair', 'start', 'stop', 'logs']

/** What is told of one workspace among those of many repositories: its commands mean it from the current folder. */
export function toldFromHere(app: App, { id, name, repo }: WorkspaceRecord, text: string): string {
  if (app.named === undefined || !text.includes('`') || findHere(app.cwd)?.root === repo) return text
  return nameFromHere(text, [{ name, repo, word: id }], TOLD_VERBS)
}

/** Exported for tests: the state of one workspace from everything that is known of it. */
export function stateOf(
  record: WorkspaceRecord,
  observation: Observation | undefined,
  drift: Drift | undefined,
): { readonly state: WorkspaceState; readonly reason: string } {
  const { operation } = record
  const works = operation !== null && isAlive(operation)
  const { state = null, finishedBy = null } = kindOf(operation) ?? {}
  if (works && state !== null) return { state, reason: describe(record) }
  if (observation?.state === 'unknown') return observation
  const cut = operation !== null && !works ? operation.kind : undefined
  const repair = `${cut} was interrupted; `
  if (cut !== undefined && finishedBy !== null)
    return { state: 'error', reason: `${repair}\`nexus ${finishedBy} ${record.name}\` finishes it` }
  if (drift?.broken === true) return { state: 'error', reason: `${drift.text}; \`${drift.command}\` mends it` }
  const seen = observation ?? {
    state: 'stopped' as const,
    reason: record.desired === 'stopped' ? '' : 'it has no containers',
  }
  // half-way through a start or a stop, parts that do not run yet or any more are no error
  if (works) return { state: seen.state === 'error' ? 'stopped' : seen.state, reason: describe(record) }
  if (cut === undefined && record.docker?.portsMoved === true && seen.state === 'running') {
    return { state: 'error', reason: `its containers publish other ports; \`nexus up ${record.name}\` makes them anew` }
  }
  if (cut === undefined && seen.reason === '' && drift?.kind === 'branch-gone')
    return { state: seen.state, reason: `${drift.text}; \`${drift.command}\` makes it again` }
  return cut === undefined
    ? { state: seen.state, reason: seen.reason }
    : { state: seen.state, reason: `${repair}the next command finishes it` }
}

/** What runs on a workspace right now: `being started since 2026-11-30T12:00:05Z`. */
export function describe({ operation }: WorkspaceRecord): string {
  return operation === null ? '' : `being ${KINDS[operation.kind].participle} since ${operation.startedAt}`
}

/** The public resource of the API and `--json`. */
export async function toResource(app: App, seen: Seen): Promise<WorkspaceResource> {
  const { record } = seen
  const backend = await app.backend(record.backend)
  return {
    id: record.id,
    name: record.name,
    displayName: record.displayName,
    repo: record.repo,
    branch: seen.branch,
    worktree: worktreeOf(record),
    backend: record.backend,
    host: record.host,
    state: seen.state,
    reason: seen.reason,
    createdAt: record.createdAt,
    ports: record.ports.map(({ canonical: _, offset: __, ...port }) => {
      const url = hasUrl(port) ? urlOf(backend.endpoints.reach(record, port)) : undefined
      return url === undefined ? port : { ...port, url }
    }),
    ssh: sshInfo(backend, record),
    isolation: record.isolation,
    gitMode: record.gitMode,
    network: record.network,
    idleTimeout: record.idleTimeout,
  }
}
