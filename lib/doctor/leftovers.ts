/** What a backend holds for workspaces that are gone. Removed only by `--fix` or `gc`, and looked for again afterwards. */

import type { Backend } from '../backends/backend.ts'
import type { Leftover, Needed } from '../backends/housekeeping.ts'
import { NexusError } from '../core/errors.ts'
import { type Diagnosis, warning, well } from '../core/finding.ts'
import { isWorkspaceId } from '../core/names.ts'
import { listFolder } from '../system/store.ts'
import type { App } from '../workspace/app.ts'
import { listTrashed } from '../workspace/trash/trash.ts'
import { peekRecord, type Scan } from './scan.ts'

/** As it is now: a workspace that is being made has its record before anything else. */
export async function findNeeded(app: App, all: boolean): Promise<Needed> {
  const ids = (await listFolder(app.home.workspaces)).filter(isWorkspaceId)
  const records = ids.map((id) => peekRecord(app, id)).filter((record) => record !== undefined)
  return { ids: new Set(ids), records, trashed: new Set(await listTrashed(app)), all }
}

export async function checkLeftovers({ app, backends }: Scan): Promise<readonly Diagnosis[]> {
  const looked = await Promise.all(backends.map((backend) => lookAt(app, backend)))
  const found = looked.flatMap((diagnoses) => diagnoses ?? [])
  // what could not be asked is told by the backend's own checks
  if (found.length > 0 || looked.includes(undefined)) return found
  return [well('nothing is left of workspaces that are gone')]
}

/** Undefined when the backend does not answer. */
async function lookAt(app: App, backend: Backend): Promise<readonly Diagnosis[] | undefined> {
  const keeping = await backend.upkeep?.()
  if (keeping === undefined) return []
  try {
    const all = await keeping.leftovers(() => findNeeded(app, false), false)
    const parts = all.filter(({ sort }) => sort === 'part')
    const causes = [...new Set(parts.map(({ cause }) => cause))]
    return causes.map((cause) => {
      const own = parts.filter((part) => part.cause === cause)
      return judge(own, cause, () => keeping.remove(own))
    })
  } catch (error) {
    if (error instanceof NexusError && ['BACKEND_UNAVAILABLE', 'TOOL_MISSING'].includes(error.code)) return undefined
    throw error
  }
}

function judge(parts: readonly Leftover[], cause: string, fix: () => Promise<void>): Diagnosis {
  const names = parts.map(({ kind, name }) => `${kind} ${name.slice(0, 40)}`)
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return warning({
    message: `Left over, as ${cause}: ${names.slice(0, 5).join(', ')}${more}.`,
    why: 'It takes room, names and ports, and nothing of Nexus leads to it any more.',
    hint: 'To remove it, run `nexus doctor --fix` or `nexus gc`',
    fix,
  })
}
