/** Reads the project's files for a step, and says what follows for the steps after it. */
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { readInputs } from '../../project/inputs.ts'
import type { ComposeModel } from '../../stack/model.ts'
import type { Scene, Takes, Yields } from './up-context.ts'

export type Resolved = Yields<'wanted' | 'resolution' | 'model' | 'inputs', 'docker'>

/** Which of the project's files run, what they publish, and on which image the workspace's own container stands. */
export async function readStack({ app, draft }: Scene, given: Takes<'record' | 'wanted'>): Promise<Resolved> {
  const { resolveStack } = await import('../stack/project-stack.ts')
  const record = withPorts(given.record, given.wanted)
  const { wanted, resolution, inputs, ...found } = await resolveStack(app, record, draft.backend, draft.chosen)
  const { model } = resolution
  const { stack } = dockerOf(found.record)
  return { wanted, resolution, model, ...inputsOf(found.record, model, inputs), record: { docker: { stack } } }
}

/** Right after the files were read: what is changed from now on is not what the workspace is made from. */
export function inputsOf(
  record: WorkspaceRecord,
  model: ComposeModel | undefined,
  files: readonly string[],
): Yields<'inputs'> {
  const { local } = record
  return model === undefined || local === null ? {} : { inputs: readInputs(local.worktree, record, model, files) }
}

/** The ports asked for, where the workspace has none yet. */
function withPorts(record: WorkspaceRecord, wanted: readonly WantedPort[]): WorkspaceRecord {
  return record.ports.length > 0 ? record : { ...record, ports: wanted.map((port) => ({ ...port, host: null })) }
}
