/** What everything that is made for a workspace carries, so that it is found again by whoever looks. Pure. */
import type { WorkspaceRecord } from '../../core/workspace.ts'

/** By these Nexus knows containers and images of its own. */
const COUNTING = ['workspace', 'name', 'repo', 'instance', 'role', 'image', 'helper']
/** And data that a repository's workspaces share. */
const STORES = ['shared', 'cache', 'seed', 'seed.done']

/**
 * Labels for what is made from an image: those of the image, and of what it is built on, pass to it. All that count and are not given
 * are said to be empty.
 */
export function wholeLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const empty = [...COUNTING, ...STORES].map((name) => [`dev.nexus.${name}`, ''] as const)
  return { ...Object.fromEntries(empty), ...labels }
}

/** Whether a compose project is that of a workspace, whatever the workspace was called when it was made. */
export function isProjectOf(project: string, workspace: string): boolean {
  return project.startsWith('nexus-') && project.endsWith(`-${workspace.slice('ws-'.length)}`)
}

/** Compose's own, on all that it makes. */
export const PROJECT_LABEL = 'com.docker.compose.project'
export const SERVICE_LABEL = 'com.docker.compose.service'
/** With a volume's key in the compose files. */
export const VOLUME_LABEL = 'com.docker.compose.volume'

/** Of a volume that is a folder of this machine, whose size is nothing of the engine's. */
export const HELD_LABEL = 'dev.nexus.holds'

/** Key of the volume for what editors install, which is no data: they install it again. */
export const EDITORS_VOLUME = 'nexus-editors'

export function workspaceLabels(record: WorkspaceRecord, instance: string): Readonly<Record<string, string>> {
  return {
    'dev.nexus.workspace': record.id,
    'dev.nexus.name': record.name,
    'dev.nexus.repo': record.repo,
    'dev.nexus.instance': instance,
  }
}
