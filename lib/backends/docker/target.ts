/** How compose is told which workspace is meant. Looks whether the file is there, and nothing else. */
import { existsSync } from 'node:fs'
import { composeProject } from '../../core/names.ts'
import { type HomePaths, workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { ComposeSource, ComposeTarget } from '../../tools/docker.ts'

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
  return { files: [resolvedFile, overrideFile], project: composeProject(record) }
}

/**
 * With files of the project's, or variables that must be set, by name alone: what runs must not hang on them. So too when
 * somebody removed the file.
 */
export function targetOf(home: HomePaths, record: WorkspaceRecord): ComposeTarget {
  const file = composeFileOf(home, record)
  const byName = hasProjectFiles(record) || record.secrets !== undefined || !existsSync(file)
  return byName ? { project: composeProject(record) } : { file }
}

/** Of the project's or ready ones, beside its own container. */
export function hasServices(record: WorkspaceRecord): boolean {
  return record.docker?.stack !== undefined || record.docker?.ready !== undefined
}

export function hasProjectFiles(record: WorkspaceRecord): boolean {
  return (record.docker?.stack?.files.length ?? 0) > 0
}
