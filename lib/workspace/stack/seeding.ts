/**
 * Prepared data of a new workspace: cloned where a seed of the same inputs is there, else made by the project's command in this
 * workspace and kept for the next.
 */

import { capture } from '../../backends/captured.ts'
import type { Settings } from '../../config/load.ts'
import { lastLines, NexusError } from '../../core/errors.ts'
import { inLoginShell } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { ComposeModel, ComposeService } from '../../stack/model.ts'
import { readyOf } from '../../stack/ready.ts'
import { planSeed, type Seed } from '../../stack/seed.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'

const TIMEOUT_MS = 60 * 60_000

export interface FoundSeed {
  readonly plan: Seed
  /** It is there to be cloned. */
  readonly present: boolean
}

/** Undefined where no seed is configured. @throws {NexusError} CONFIG_INVALID */
export async function findSeed(
  app: App,
  record: WorkspaceRecord,
  model: ComposeModel | undefined,
  { seed }: Pick<Settings, 'seed'>,
): Promise<FoundSeed | undefined> {
  const backend = await app.backend(record.backend)
  const repository = repositoryOf(record)
  if (seed === undefined || backend.stack === undefined || repository === undefined) return undefined
  const inputs = seed.inputs.length === 0 ? [] : await app.inertGit.listContents(repository, seed.inputs)
  const ready = readyOf(record, { startInterval: true })?.services ?? {}
  const services = { ...model?.services, ...(ready as Readonly<Record<string, ComposeService>>) }
  const { worktree } = repository
  const plan = planSeed({ ...seed, inputs, worktree, isolation: record.isolation }, services)
  return { plan, present: await (await backend.stack.seeds()).has(plan) }
}

/** @throws {NexusError} HOOK_FAILED with what the command said */
export async function prepareSeed(
  app: App,
  record: WorkspaceRecord,
  { seed }: Pick<Settings, 'seed'>,
  plan: Seed,
): Promise<void> {
  const backend = await app.backend(record.backend)
  if (seed === undefined || backend.stack === undefined) return
  app.emit({ type: 'notice', text: `preparing the data of ${plan.service}, once: ${seed.run}` })
  const { code, output } = await capture(app, backend, record, {
    argv: inLoginShell(seed.run),
    cwd: null,
    env: {},
    timeoutMs: TIMEOUT_MS,
    onLine: (text) => app.emit({ type: 'progress', text }),
  })
  if (code !== 0) {
    throw new NexusError(
      'HOOK_FAILED',
      `The command that prepares the data of ${plan.service} ended with code ${code}.`,
      {
        hint: `To try it by hand, run \`nexus up ${record.name}\` without seed.run in the configuration`,
        details: { code, command: seed.run },
        output: lastLines(output),
      },
    )
  }
  await (await backend.stack.seeds()).save(record, plan)
}
