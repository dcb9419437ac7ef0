/** How the workspaces are, as their backends see them: parts that failed or are gone, ports that somebody else has taken. */

import type { Backend } from '../backends/backend.ts'
import { NexusError } from '../core/errors.ts'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { withDocker } from '../core/record-parts.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { describePortOwner } from '../ports/owner.ts'
import { isPortFree } from '../system/net.ts'
import type { App } from '../workspace/app.ts'
import { findDrift } from '../workspace/drift.ts'
import { start } from '../workspace/lifecycle/up.ts'
import { type Seen, toldFromHere } from '../workspace/observe.ts'
import { exclusively } from '../workspace/operation/operate.ts'
import type { Scan } from './scan.ts'

/** Places that were changed by hand and an operation that was cut short are told by checks of their own. */
export async function checkStates({ app, seen }: Scan): Promise<readonly Diagnosis[]> {
  const settled = (await seen()).filter(({ record }) => record.operation === null && findDrift(record)?.broken !== true)
  const found = settled.flatMap((one) => judgeState(app, one))
  return found.length > 0 ? found : [well('no workspace is in trouble')]
}

function judgeState(app: App, { record, state, reason, observation }: Seen): readonly Diagnosis[] {
  const { name, desired } = record
  const hint = `To bring it up again, run \`nexus up ${name}\`; to see what it said, \`nexus logs ${name}\``
  const gone = observation === undefined && desired !== 'stopped'
  if (state !== 'error' && !gone) return []
  return [
    warning({
      message: `Workspace ${name}: ${reason}.`,
      why: gone
        ? 'It was left running, and somebody removed what ran.'
        : 'It can be neither reached nor used as it is.',
      hint: toldFromHere(app, record, hint),
    }),
  ]
}

/** What the record says is what everything else is told; containers that were made for other ports are not reached there. */
export async function checkPublished({ app, backends, seen }: Scan): Promise<readonly Diagnosis[]> {
  const looks = await Promise.all(backends.map(publishedBy))
  const published = new Map(looks.flatMap((look) => [...look]))
  const found = (await seen()).flatMap((one) => judgePublished(app, one, published.get(one.record.id) ?? []))
  return found.length > 0 ? found : [well('containers publish the ports of their records')]
}

/** That an engine does not answer is told by the checks of its own. */
async function publishedBy(backend: Backend): Promise<ReadonlyMap<string, readonly number[]>> {
  try {
    return (await (await backend.upkeep?.())?.published()) ?? new Map()
  } catch (error) {
    if (error instanceof NexusError) return new Map()
    throw error
  }
}

function judgePublished(app: App, { record, observation }: Seen, published: readonly number[]): readonly Diagnosis[] {
  // the next start makes them anew
  if (record.operation !== null || record.docker?.portsMoved === true) return []
  const leased = record.ports.flatMap(({ host }) => (host === null ? [] : [host]))
  const known = new Set([...leased, ...record.ports.map(({ canonical }) => canonical)])
  const foreign = [...new Set(published.filter((port) => port > 0 && !known.has(port)))]
  const lacking = leased.filter((port) => !published.includes(port))
  if (foreign.length === 0 || lacking.length === 0) return []
  return [
    failure({
      message: `Workspace ${record.name}: its containers publish ${foreign.join(', ')}, and its record says ${lacking.join(', ')}.`,
      why: 'It cannot be reached, or another program answers in its place.',
      hint: 'To have its containers made for the ports of the record, run `nexus doctor --fix`',
      fix: () => makeForPorts(app, record, observation?.state === 'running'),
    }),
  ]
}

async function makeForPorts(app: App, { id }: WorkspaceRecord, runs: boolean): Promise<void> {
  const marked = await exclusively(app, id, async (now) => {
    const record = now === undefined ? undefined : withDocker(now, { portsMoved: true })
    if (record !== undefined) await app.records.save(record)
    return record
  })
  if (marked !== undefined && runs) await start(app, marked, { dryRun: false, start: true })
}

/** Ports of workspaces that do not run, taken by somebody else. */
export async function checkPorts({ app, seen }: Scan): Promise<readonly Diagnosis[]> {
  const stopped = (await seen()).filter(({ state }) => state === 'stopped')
  const ports = new Map<number, string>()
  for (const { record } of stopped) {
    for (const { name, host, protocol } of record.ports) {
      if (host !== null && protocol === 'tcp') ports.set(host, `${name} of ${record.name}`)
    }
  }
  const found = await Promise.all([...ports].map(([port, what]) => judgePort(app, port, what)))
  return found.flat().length > 0 ? found.flat() : [well('the ports of stopped workspaces are free')]
}

async function judgePort({ runner }: App, port: number, what: string): Promise<readonly Diagnosis[]> {
  if (await isPortFree(port)) return []
  const owner = (await describePortOwner(runner, port)) ?? 'another program'
  return [
    warning({
      message: `Port ${port} (${what}) is taken by ${owner}.`,
      why: 'The workspace gets other ports at its next start.',
      hint: `To see who has it, run \`ss -ltnp 'sport = :${port}'\``,
    }),
  ]
}
