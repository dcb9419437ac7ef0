/**
 * Starts a workspace because somebody connects to it. A person at a terminal always gets it. A client without one (an editor that
 * reconnects for ever, a job) is not to undo what a person did, nor to keep a workspace awake that nobody uses: it does not start
 * what was stopped by hand a moment ago, and not a fourth time when three starts were of no use. `ssh.wake: false` is for
 * those who want no start at all. Whoever is refused is told why, and which command starts it.
 */
import { type ErrorCode, NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { noteUnusedStart, takeBackUnusedStart, unusedStarts } from '../../record/last-use.ts'
import type { App } from '../app.ts'
import { changeLocked } from '../lifecycle/stop-pause.ts'
import { start, startThere, type UpResult } from '../lifecycle/up.ts'
import { notRunning, observeOne, requireEngine } from '../observe.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { projectOf } from '../trust/choice.ts'

/** Who connects: a person at a terminal, or whatever else. */
export type Client = 'terminal' | 'program'

/** So long, what a person stopped stays stopped for clients without a terminal. */
export const BY_HAND_MS = 10 * 60_000
/** Starts that nobody used; then clients without a terminal start nothing more. */
export const UNUSED_STARTS_MAX = 3
/** What keeps a start from beginning: a client that comes while the engine is down has not had anything started. */
const BEFORE_ANY_START = new Set<ErrorCode>([
  'BACKEND_UNAVAILABLE',
  'TOOL_MISSING',
  'APPROVAL_REQUIRED',
  'CONFIG_INVALID',
])
/** A workspace that is being made, or started for somebody else, is waited for. */
const WAIT_MS = 60_000

export interface WakeFacts {
  readonly client: Client
  /** `ssh.wake`. */
  readonly wanted: boolean
  readonly stopped: WorkspaceRecord['stopped']
  /** Starts by clients without a terminal that were of no use. */
  readonly unused: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Why this client does not get it started, as the end of "Workspace x "; undefined when it does. */
export function refusal({ client, wanted, stopped, unused, now }: WakeFacts): string | undefined {
  if (!wanted) return 'does not run, and `ssh.wake` is off'
  if (client === 'terminal') return undefined
  const sinceMs = stopped?.by === 'user' ? now - Date.parse(stopped.at) : Number.POSITIVE_INFINITY
  // a clock that was set back says nothing
  if (sinceMs >= 0 && sinceMs < BY_HAND_MS) {
    return `was stopped by hand ${ago(sinceMs)}, and is not started by a client without a terminal for ten minutes`
  }
  if (unused >= UNUSED_STARTS_MAX) {
    return `was started ${unused} times for clients without a terminal that did not use it, and is not started by one again`
  }
  return undefined
}

function ago(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
}

/**
 * For a connection: starts it, resumes it, or waits for whoever is about to.
 * @throws {NexusError} WORKSPACE_START_FAILED when this client may not, and whatever a start throws
 */
export function wake(app: App, found: WorkspaceRecord, client: Client): Promise<UpResult> {
  const body = async (record: WorkspaceRecord | undefined) => wakeLocked(app, requireThere(record, found), client)
  return exclusively(app, found.id, body, { as: 'start', waitMs: WAIT_MS })
}

async function wakeLocked(app: App, record: WorkspaceRecord, client: Client): Promise<UpResult> {
  const refused = refusal({
    client,
    wanted: await isWanted(app, record),
    stopped: record.stopped,
    unused: unusedStarts(app.home, record.id),
    now: Date.now(),
  })
  // it may run all the same, started by hand or only slow to answer
  const runs = refused !== undefined && (await observeOne(app, record)).state === 'running'
  if (refused !== undefined && !runs) throw notStarted(record, refused, await wordFor(app, record))
  // noted before it is of use to anybody
  const isCounted = client === 'program' && !runs
  if (isCounted) noteUnusedStart(app.home, record.id)
  let isStarted = true
  try {
    const result = await bringBack(app, record, runs)
    isStarted = result.changed
    return result
  } catch (error) {
    isStarted = !(error instanceof NexusError && BEFORE_ANY_START.has(error.code))
    throw error
  } finally {
    if (isCounted && !isStarted) takeBackUnusedStart(app.home, record.id)
  }
}

/** What is only paused goes on as it is; for all else there is the start. */
async function bringBack(app: App, record: WorkspaceRecord, runs: boolean): Promise<UpResult> {
  if (record.desired === 'paused' && record.operation === null) {
    try {
      return await changeLocked(app, record, 'resume', false)
    } catch (error) {
      if (!(error instanceof NexusError) || error.code !== 'WORKSPACE_NOT_RUNNING') throw error
    }
  }
  return startThere(app, record, { dryRun: false, start: true, asLeft: !runs })
}

/** For a verb of ours that goes in; `wanted` false: it only looks whether it can, once nobody works on it any more. */
export async function ensureRunning(app: App, record: WorkspaceRecord, wanted: boolean): Promise<WorkspaceRecord> {
  const seen = await observeOne(app, record)
  if (seen.state === 'running') return record
  requireEngine(seen)
  if (wanted && (await isWanted(app, record))) return (await start(app, record, { dryRun: false, start: true })).record
  const body = (there: WorkspaceRecord | undefined) => observeOne(app, requireThere(there, record))
  const settled = await exclusively(app, record.id, body, { waitMs: WAIT_MS })
  if (settled.state !== 'running') throw notRunning(settled)
  return settled.record
}

async function isWanted(app: App, record: WorkspaceRecord): Promise<boolean> {
  return (await app.config(await projectOf(app, record))).settings.ssh.wake
}

/** Its name, or its id where others have the name too: whoever connects may be in any folder. */
async function wordFor(app: App, { id, name }: WorkspaceRecord): Promise<string> {
  const twins = (await app.records.list()).filter((other) => other.name === name)
  return twins.length > 1 ? id : name
}

function notStarted(record: WorkspaceRecord, why: string, word: string): NexusError {
  return new NexusError('WORKSPACE_START_FAILED', `Workspace ${record.name} ${why}.`, {
    hint: `To start it, run \`nexus start ${word}\``,
    details: { desired: record.desired },
  })
}
