/**
 * Secrets and configs that take their value from a variable: compose looks it up when it makes their containers, in a `.env` beside
 * the files that it is given. What Nexus gives it lies elsewhere, so the project's `.env` is asked here, for these variables alone.
 * Compose gets them by names of ours (`withOwnNames`): by their own, they could direct it and what it starts.
 */
import { join, relative } from 'node:path'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { plainVariables } from '../../stack/dotenv.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { readWithin } from '../../system/within.ts'
import { underOwnNames, valueNames } from '../../trust/environment.ts'
import { projectDirectory } from './compose-file.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** `given` comes first. Whoever works inside can put a link in the place of the `.env`: it is not followed. */
export function ownVariables(record: WorkspaceRecord, model: ComposeModel, given: Variables): Variables {
  const { local } = record
  const names = valueNames(model)
  if (local === null || names.length === 0) return {}
  const isMissing = names.some((name) => given[name] === undefined)
  const own = isMissing
    ? readOwn(local.worktree, relative(local.worktree, projectDirectory(record)))
    : new Map<string, string>()
  return underOwnNames(Object.fromEntries(names.map((name) => [name, given[name] ?? own.get(name)])))
}

function readOwn(worktree: string, folder: string): ReadonlyMap<string, string> {
  const text = readWithin(worktree, join(folder, '.env')) ?? readWithin(worktree, '.env')
  return plainVariables(text?.toString() ?? '')
}
