/** The step `start`: looks at what would be mounted, starts the parts, and waits until the workspace can be used. */
import { kindOf } from '../../core/operations.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { areOutdated } from '../../stack/secrets.ts'
import type { Progress } from '../operation/apply.ts'
import { awaitHealth } from '../stack/health.ts'
import { secretRecords } from '../stack/hooks.ts'
import type { FoundSeed } from '../stack/seeding.ts'
import { startWithPorts } from './start-ports.ts'
import type { Scene, Takes, UpCarried } from './up-context.ts'
import { giveToInside } from './worktree-files.ts'

export async function runStart(scene: Scene, progress: Progress<UpCarried>): Promise<void> {
  const { observed } = progress.carried()
  const model = await admitMounts(scene, progress.carried())
  const seed = await findOwnSeed(scene, progress.carried())
  await startAsOne(scene, progress, { model, seed })
  await settleHostKey(scene, progress, observed)
  const { app, draft, isRebuild } = scene
  const { record } = progress.carried()
  if (observed?.state !== 'paused' || isRebuild) await awaitHealth(app, record, draft.chosen.settings)
  if (seed?.present !== false) return
  const { prepareSeed } = await import('../stack/seeding.ts')
  await prepareSeed(app, record, draft.chosen.settings, seed.plan)
}

/** While nobody is inside: what is looked at now stays so until it is mounted. @returns what is about to start */
async function admitMounts(
  { app, draft, seen }: Scene,
  { record, observed, resolution }: Takes<'record' | 'observed' | 'resolution'>,
): Promise<ComposeModel | undefined> {
  const { lookAtMounts } = await import('../trust/mounts-look.ts')
  const model = await lookAtMounts(app, record, draft.backend, draft.chosen.settings, resolution?.model)
  const runs = observed?.state === 'running' || observed?.state === 'paused'
  if (seen !== undefined && !runs) await giveToInside(app, record)
  return model
}

/** Whether anybody may have data in it already. */
function isFirstStart({ draft, seen }: Scene): boolean {
  return seen === undefined || kindOf(draft.record.operation)?.makes === true
}

async function findOwnSeed(scene: Scene, { record, model }: Takes<'record' | 'model'>): Promise<FoundSeed | undefined> {
  const { settings } = scene.draft.chosen
  if (!isFirstStart(scene) || settings.seed === undefined) return undefined
  const { findSeed } = await import('../stack/seeding.ts')
  return findSeed(scene.app, record, model, settings)
}

interface AboutToStart {
  readonly model: ComposeModel | undefined
  readonly seed: FoundSeed | undefined
}

/** Nobody else begins to write the same data outside of the workspace at this moment. */
async function startAsOne(scene: Scene, progress: Progress<UpCarried>, { model, seed }: AboutToStart): Promise<void> {
  const { app, draft, isRebuild } = scene
  const { backend, chosen } = draft
  const { record, secrets } = progress.carried()
  const compare = areOutdated(draft.record.secrets ?? [], secretRecords(chosen.settings))
  const options = { rebuild: isRebuild, compare, secrets, ...(seed?.present === true ? { seed: seed.plan } : {}) }
  const startNow = () => startWithPorts(scene, progress, options)
  if (model === undefined) return startNow()
  const { startAlone } = await import('../stack/sharing.ts')
  await startAlone(app, { record, backend, settings: chosen.settings, model }, startNow)
}

/** Ends an exchange of host keys that was cut off. */
async function settleHostKey(
  scene: Scene,
  progress: Progress<UpCarried>,
  observed: UpCarried['observed'],
): Promise<void> {
  if (isFirstStart(scene) || observed?.state !== 'stopped') return
  const settled = await scene.draft.backend.ssh?.settleHostKey(progress.carried().record)
  if (settled !== undefined) progress.add({ record: { hostKeyFingerprint: settled } })
}
