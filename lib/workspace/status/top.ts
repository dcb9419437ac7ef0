/**
 * What running workspaces use at this moment, container by container or summed by workspace, with the processes of one. The
 * processor's share is measured over half a second between two looks; a backend that cannot be asked hides no other's.
 */
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { ProcessResource, ServiceLoad } from '../../core/status.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { notRunning, observeOne } from '../observe.ts'

export interface WorkspaceLoad {
  readonly id: string
  readonly name: string
  readonly repo: string
  readonly cpu: number | null
  readonly memory: number | null
  readonly processes: number | null
  readonly received: number | null
  readonly sent: number | null
  /** Since when the first of its containers runs; null when none does. */
  readonly since: string | null
  readonly services: readonly ServiceLoad[]
}

export interface Top extends WorkspaceLoad {
  readonly list: readonly ProcessResource[]
}

/** Of those that run. @throws {NexusError} BACKEND_UNAVAILABLE when no backend of theirs could be asked */
export async function topAll(app: App, records: readonly WorkspaceRecord[]): Promise<readonly WorkspaceLoad[]> {
  const names = [...new Set(records.map(({ backend }) => backend))]
  const failed: NexusError[] = []
  const found = await Promise.all(
    names.map(async (name) => {
      const theirs = records.filter(({ backend }) => backend === name)
      try {
        const loads = await (await app.backend(name)).services?.measure(theirs)
        return theirs.flatMap((record) => sumUp(record, loads?.get(record.id) ?? []))
      } catch (error) {
        if (!(error instanceof NexusError)) throw error
        failed.push(error)
        return []
      }
    }),
  )
  const loads = found.flat()
  const [first] = failed
  if (first !== undefined && loads.length === 0) throw first
  for (const { message, hint } of failed) app.emit({ type: 'warning', text: message, hint })
  return loads.filter(({ services }) => services.length > 0)
}

/** @throws {NexusError} UNSUPPORTED; WORKSPACE_NOT_RUNNING when it does not run */
export async function topOne(app: App, record: WorkspaceRecord): Promise<Top> {
  const backend = await app.backend(record.backend)
  const { measure, processes } = await requireFacet(app, backend, 'services', 'top')
  const [loads, list] = await Promise.all([measure([record]), processes(record)])
  const services = loads.get(record.id) ?? []
  if (services.length === 0) await refuseStill(app, record)
  return { ...sumUp(record, services), list }
}

async function refuseStill(app: App, record: WorkspaceRecord): Promise<void> {
  const seen = await observeOne(app, record)
  if (seen.state !== 'running') throw notRunning(seen) // else it ended, or began, between the looks
}

function sumUp({ id, name, repo }: WorkspaceRecord, services: readonly ServiceLoad[]): WorkspaceLoad {
  const sum = (key: 'cpu' | 'memory' | 'processes' | 'received' | 'sent') => {
    const known = services.flatMap((one) => (one[key] === null ? [] : [one[key]]))
    return known.length === 0 ? null : known.reduce((total, number) => total + number, 0)
  }
  return {
    id,
    name,
    repo,
    cpu: sum('cpu'),
    memory: sum('memory'),
    processes: sum('processes'),
    received: sum('received'),
    sent: sum('sent'),
    since: services.flatMap(({ since }) => (since === null ? [] : [since])).sort()[0] ?? null,
    services,
  }
}
