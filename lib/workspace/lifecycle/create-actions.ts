/** What the steps of a create do beside those of a start: it makes the record, and takes back what it made when it fails. */
import type { Settings } from '../../config/load.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type App, releaseAll } from '../app.ts'
import { noteRunningParts } from '../git/git-snapshot.ts'
import type { Actions } from '../operation/apply.ts'
import { makeWorktreePlace, removeEmptyFolders } from '../worktree-place.ts'
import { withinBudget } from './budget.ts'
import { claimName } from './naming.ts'
import { upActions } from './up-actions.ts'
import type { Scene, UpCarried } from './up-context.ts'

export function createActions(scene: Scene, start: boolean): Actions<UpCarried> {
  const { app, draft } = scene
  const { settings } = draft.chosen
  const actions = upActions(scene)
  return {
    ...actions,
    record: {
      run: async ({ record }, progress) => {
        const save = () => reserve(app, record, settings)
        const reserved = await (start ? withinBudget(app, record, settings.limits, save) : save())
        await progress.setRecorded(true)
        return { record: reserved }
      },
      undo: async ({ record }, progress) => {
        await progress.setRecorded(false)
        await unreserve(app, record)
      },
    },
    lease: { ...actions.lease, undo: ({ record }) => releaseAll(app, record.id) },
    // before its first start it has parts as well: what a backend keeps beside the record
    configure: { ...actions.configure, undo: ({ record }) => draft.backend.lifecycle.remove(record) },
  }
}

async function reserve(app: App, record: WorkspaceRecord, settings: Settings): Promise<WorkspaceRecord> {
  const claimed = await claimName(app, record)
  await noteRunningParts(app, claimed)
  await makeWorktreePlace(app, claimed, settings)
  return claimed
}

async function unreserve(app: App, record: WorkspaceRecord): Promise<void> {
  await app.records.remove(record.id)
  if (record.local !== null) await removeEmptyFolders(record.local.worktree)
}
