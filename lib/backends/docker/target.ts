/** How compose is told which workspace is meant. Pure. */
import { composeProject } from '../../core/names.ts'
import { type HomePaths, workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { ComposeSource, Target } from '../../tools/docker.ts'

export function composeFileOf(home: HomePaths, record: WorkspaceRecord): string {
  return workspacePaths(home, record.id).composeFile
}

/**
 * What Nexus starts: of the project's compose files what was looked at, as whoever works inside can change them at any time. By
 * hand, `composeFileOf` starts the same from the files as they are then.
 */
export function sourceOf(home: HomePaths, record: WorkspaceRecord): ComposeSource {
  const { composeFile, resolvedFile, overrideFile } = workspacePaths(home, record.id)
  if (!hasProjectFiles(record)) return composeFile
  return { files: [resolvedFile, overrideFile], project: composeProject(record.name, record.id) }
}

/** With files of the project's, or variables that must be set, by name alone: what runs must not hang on them. */
export function targetOf(home: HomePaths, record: WorkspaceRecord): Target {
  return hasProjectFiles(record) || record.secrets !== undefined
    ? { project: composeProject(record.name, record.id) }
    : { file: composeFileOf(home, record) }
}

export function hasProjectFiles(record: WorkspaceRecord): boolean {
  return (record.stack?.files.length ?? 0) > 0
}
