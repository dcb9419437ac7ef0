/**
 * The user's budget: how many workspaces may be in memory at once (`limits.running`) and how much memory they may have
 * together (`limits.memory`). The one too many is refused before anything is changed, with the names of those that idle.
 * Without limits nothing is asked.
 *
 * A paused workspace counts, as its memory is still in use; so does one that another process is just starting. Memory is
 * counted by what each may use at most (`workspace.memory`), because what one uses now says nothing of the next minute; one
 * without a limit of its own counts as `UNLIMITED_BYTES`.
 */
import { NexusError } from '../../core/errors.ts'
import { KINDS } from '../../core/operations.ts'
import { formatAge } from '../../core/time.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { orderByIdleness, type Use } from '../../record/last-use.ts'
import { withLock } from '../../system/lock.ts'
import { isAlive } from '../../system/process.ts'
import type { App } from '../app.ts'
import { observeAll } from '../observe.ts'

export interface Budget {
  readonly running: number | undefined
  /** Bytes. */
  readonly memory: number | undefined
}

const UNLIMITED_BYTES = 1024 ** 3
const NAMED_MAX = 5
/** Each that waits looks once. */
const WAIT_MS = 60_000

/**
 * Takes a place for a workspace that is about to start: `reserve` writes the record that other processes count by.
 * @throws {NexusError} RESOURCE_EXHAUSTED
 */
export async function withinBudget<T>(
  app: App,
  record: WorkspaceRecord,
  limits: Budget,
  reserve: () => Promise<T>,
): Promise<T> {
  if (isUnlimited(limits)) return reserve()
  return withLock(
    `${app.home.locks}/budget`,
    async () => {
      await refuseTooMany(app, record, limits)
      return reserve()
    },
    { waitMs: WAIT_MS, signal: app.interruption.signal },
  )
}

/**
 * The look alone, for a refusal before the first step and in a dry run; who comes between is found by `withinBudget`.
 * @throws {NexusError} RESOURCE_EXHAUSTED
 */
export async function requireRoom(app: App, record: WorkspaceRecord, limits: Budget): Promise<void> {
  if (!isUnlimited(limits)) await refuseTooMany(app, record, limits)
}

/** As `withinBudget`, for a workspace that has its record already. */
export async function takePlace(app: App, record: WorkspaceRecord, limits: Budget): Promise<void> {
  if (!isUnlimited(limits)) await withinBudget(app, record, limits, () => app.records.save(record))
}

function isUnlimited({ running, memory }: Budget): boolean {
  return running === undefined && memory === undefined
}

async function refuseTooMany(app: App, record: WorkspaceRecord, limits: Budget): Promise<void> {
  const others = (await app.records.list()).filter(({ id }) => id !== record.id)
  const seen = await observeAll(app, others)
  const present = seen
    .filter(({ state }) => ['running', 'paused', 'creating'].includes(state))
    .map((one) => one.record)
    .concat(seen.map((one) => one.record).filter(isStarting))
  const counted = [...new Set(present)]
  const problem = judgeBudget(counted, record, limits)
  if (problem === undefined) return
  const uses = orderByIdleness(app.home, counted)
  const idle = uses.find(({ connected }) => !connected) ?? uses[0]
  throw new NexusError('RESOURCE_EXHAUSTED', `${problem}: ${nameThem(uses)}.`, {
    hint:
      idle === undefined
        ? `To allow more, run \`nexus config set limits.${limits.memory === undefined ? 'running' : 'memory'} <value>\``
        : `To stop the one that was left alone longest, run \`nexus stop ${idle.record.id}\``,
    details: {
      limits: { running: limits.running ?? null, memory: limits.memory ?? null },
      running: uses.map(({ record: { id, name, repo }, connected, lastUsed }) => {
        return { id, name, repo, connected, lastUsed: new Date(lastUsed).toISOString() }
      }),
    },
  })
}

/** Another process is bringing it up, and the engine may not show it yet. */
function isStarting({ operation }: WorkspaceRecord): boolean {
  return operation !== null && KINDS[operation.kind].takesPlace && isAlive(operation)
}

/** Why one more does not fit, undefined when it does. Exported for tests. */
export function judgeBudget(
  present: readonly Pick<WorkspaceRecord, 'memory'>[],
  next: Pick<WorkspaceRecord, 'memory'>,
  { running, memory }: Budget,
): string | undefined {
  if (running !== undefined && present.length >= running) {
    return `${count(present.length)} in memory, and limits.running is ${running}`
  }
  if (memory === undefined) return undefined
  const used = present.reduce((sum, one) => sum + shareOf(one), 0)
  if (used + shareOf(next) <= memory) return undefined
  const together = `${count(present.length)} in memory and may use ${inGiB(used)}`
  return `${together}, this one another ${inGiB(shareOf(next))}, and limits.memory is ${inGiB(memory)}`
}

function shareOf({ memory }: Pick<WorkspaceRecord, 'memory'>): number {
  return memory ?? UNLIMITED_BYTES
}

function count(number: number): string {
  return number === 1 ? 'One workspace is' : `${number} workspaces are`
}

function inGiB(bytes: number): string {
  return `${Number((bytes / 1024 ** 3).toFixed(1))}g`
}

function nameThem(uses: readonly Use[]): string {
  const names = uses.slice(0, NAMED_MAX).map(({ record, connected, lastUsed }) => {
    return `${record.name} (${connected ? 'in use' : `idle ${formatAge(new Date(lastUsed).toISOString())}`})`
  })
  return `${names.join(', ')}${uses.length > NAMED_MAX ? ` and ${uses.length - NAMED_MAX} more` : ''}`
}
