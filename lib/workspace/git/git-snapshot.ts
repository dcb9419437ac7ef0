/**
 * What a repository's git configuration made git run when a workspace began to share it, kept in the workspace's folder, so
 * that `doctor` can name what was changed since. Whoever works inside a workspace with a shared `.git` can write it.
 */
import { join } from 'node:path'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent, writeGenerated } from '../../system/store.ts'
import { type RunningParts, readRunningParts } from '../../tools/git-config.ts'
import type { App } from '../app.ts'

export interface PartChange {
  /** Such as `core.fsmonitor` or `hooks/pre-commit`. */
  readonly name: string
  readonly before: string | undefined
  readonly now: string | undefined
}

/** Files are read, nothing is started: a create does not feel it. */
export async function noteRunningParts(app: App, record: WorkspaceRecord): Promise<void> {
  if (record.local === null || record.gitMode === 'private') return
  await writeGenerated(
    fileOf(app, record),
    `${JSON.stringify({ schema: 1, parts: readRunningParts(record.local.gitDir) })}\n`,
  )
}

/** What is otherwise than it was then; nothing for a workspace of an older Nexus, which noted nothing. */
export async function findChangedParts(app: App, record: WorkspaceRecord): Promise<readonly PartChange[]> {
  const text = await readIfPresent(fileOf(app, record))
  const before = text === undefined ? undefined : parseNote(text)
  if (before === undefined || record.local === null) return []
  const now = readRunningParts(record.local.gitDir)
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
  return names
    .filter((name) => before[name] !== now[name])
    .map((name) => ({ name, before: before[name], now: now[name] }))
}

function parseNote(text: string): RunningParts | undefined {
  try {
    return (JSON.parse(text) as { readonly parts?: RunningParts }).parts
  } catch {
    return undefined // a damaged note tells nothing
  }
}

function fileOf(app: App, { id }: WorkspaceRecord): string {
  return join(workspacePaths(app.home, id).dir, 'git-config.json')
}
