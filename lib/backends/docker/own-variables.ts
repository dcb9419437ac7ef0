/**
 * Secrets and configs that take their value from a variable: compose looks it up when it makes their containers, in a `.env` beside
 * the files that it is given. What Nexus gives it lies elsewhere, so the project's `.env` is asked here, for these variables alone.
 */
import { join, relative } from 'node:path'
import type { HomePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { plainVariables } from '../../stack/environment.ts'
import { readWithin } from '../../system/within.ts'
import { projectDirectory } from './compose-file.ts'
import { readStarted } from './started.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Those that `given` does not set. Whoever works inside can put a link in the file's place: it is not followed. */
export async function ownVariables(home: HomePaths, record: WorkspaceRecord, given: Variables): Promise<Variables> {
  const { worktree } = record
  const model = await readStarted(home, record)
  const named = [model?.secrets, model?.configs].flatMap((section) => Object.values(section ?? {}))
  const names = named.flatMap(({ environment }) => (typeof environment === 'string' ? [environment] : []))
  const missing = names.filter((name) => given[name] === undefined)
  if (missing.length === 0 || worktree === null) return {}
  const folder = relative(worktree, projectDirectory(record))
  const text = readWithin(worktree, join(folder, '.env')) ?? readWithin(worktree, '.env')
  const own = plainVariables(text?.toString() ?? '')
  return Object.fromEntries(missing.map((name) => [name, own.get(name)]))
}
