/**
 * Copies of external volumes, as the workspace's own. One is made before the first container that mounts it: into a volume that is
 * empty, with a mark in it until it is whole, so that a copy that was cut off is made again and data of the workspace never replaced.
 */
import { composeProject } from '../../core/names.ts'
import { formatSize } from '../../core/sizes.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type CopiedVolume, copiedVolumes } from '../../stack/outside-data.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'
import script from './copies.sh'
import { PROJECT_LABEL, VOLUME_LABEL, workspaceLabels } from './labels.ts'
import type { Helpers } from './own-container.ts'
import { readStarted } from './started.ts'

export async function makeCopies(
  docker: Docker,
  context: BackendContext,
  helpers: () => Promise<Helpers>,
  record: WorkspaceRecord,
): Promise<void> {
  const model = await readStarted(context.home, record)
  if (model === undefined) return
  for (const volume of copiedVolumes(record, model)) await makeCopy(docker, context, await helpers(), record, volume)
}

async function makeCopy(
  docker: Docker,
  { emit, instance }: BackendContext,
  helpers: Helpers,
  record: WorkspaceRecord,
  { key, from }: CopiedVolume,
): Promise<void> {
  const project = composeProject(record)
  const name = `${project}_${key}`
  // compose takes one with these labels for its own
  const composes = { [PROJECT_LABEL]: project, [VOLUME_LABEL]: key }
  await docker.makeVolume(name, { ...workspaceLabels(record, instance), ...composes })
  // the engine would make one of that name
  if (!(await docker.hasVolume(from))) {
    const text = `there is no volume ${from} to copy: ${key} begins empty`
    return emit({ type: 'warning', text, hint: `To make it, run \`docker volume create ${from}\`` })
  }
  const writers = await docker.listUsers(from)
  const copied = await helpers.copy(record, from, name, script)
  if (copied.trim() === '') return
  const text = `${key} is a copy of the external volume ${from}: ${formatSize(Number(copied))}`
  emit({ type: 'notice', text })
  if (writers.length === 0) return
  const anew = `\`nexus delete ${record.name}\` and \`nexus up ${record.name}\``
  emit({
    type: 'warning',
    text: `${from} was in use by ${writers.join(', ')} while it was copied: a database in the copy may have to recover`,
    hint: `For a clean copy, run \`docker stop ${writers.join(' ')}\`, then ${anew}`,
  })
}
