/**
 * Git dirs of submodules as they lie in a git dir, whether or not an index names the submodule: `git submodule deinit`
 * and `git rm` leave them there, with commits and stashes. A workspace writes there: no link is followed, and there is
 * a limit.
 */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UNREADABLE } from './git-marked.ts'
import { foldersIn } from './private-refs.ts'
import { isGitDir } from './repository.ts'

const FOUND_MAX = 1000
const LOOKED_AT_MAX = 20_000
/** Deep enough for names with slashes, and for submodules in submodules. */
const DEPTH_MAX = 30
/** Where a git dir has no others in it. */
const DATA = ['objects', 'refs', 'logs', 'hooks', 'info', 'lfs']

export interface SubmoduleDir {
  /** Name of the submodule, after those that it lies in; not its path. */
  readonly name: string
  /** Without links. */
  readonly gitDir: string
  /** False for a name whose bytes are no UTF-8, which cannot be opened. */
  readonly readable: boolean
}

/** @param from which folders of the git dir: `modules`, and `worktrees` for submodules of linked worktrees */
export function listSubmoduleDirs(gitDir: string, from: readonly string[]): readonly SubmoduleDir[] {
  const root = realpathSync(gitDir)
  const found: SubmoduleDir[] = []
  let count = 0
  const look = (path: string, depth: number) => {
    if (found.length >= FOUND_MAX || count++ >= LOOKED_AT_MAX || depth === 0) return
    const folder = join(root, path)
    const isOne = isGitDir(folder)
    const readable = !path.includes(UNREADABLE)
    if (isOne || !readable) found.push({ name: nameOf(path), gitDir: folder, readable })
    for (const name of foldersIn(root, path)) if (!isOne || !DATA.includes(name)) look(join(path, name), depth - 1)
  }
  for (const folder of from) look(folder, DEPTH_MAX)
  return found
}

/** `worktrees/x/modules/a/modules/b` is `a/b`. */
function nameOf(path: string): string {
  return path.replace(/^(worktrees\/[^/]+\/)?modules\//, '').replaceAll('/modules/', '/')
}
