/**
 * Submodules of a linked worktree have their git dirs in the worktree's own part of the repository's git dir, and each names the
 * other by a relative path: whoever moves one of the two writes these paths anew.
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { isWithin } from '../../stack/places.ts'
import { realPathOf } from '../../system/real-path.ts'
import { writeFileAtomic } from '../../system/store.ts'
import type { App } from '../app.ts'

/** For all submodules whose git dirs lie below `admin`, the worktree's folder in the git dir. */
export async function relinkSubmodules(app: App, admin: string, worktree: string): Promise<void> {
  const modules = join(admin, 'modules')
  if (!existsSync(modules)) return
  for (const { name, path } of await app.git.listSubmodules(worktree)) {
    const [gitDir, folder] = [realPathOf(join(modules, name)), realPathOf(join(worktree, path))]
    // names and paths are the project's words, and may lead anywhere
    if (gitDir === undefined || folder === undefined) continue
    if (!isBelow(gitDir, modules) || !isBelow(folder, worktree) || !existsSync(join(gitDir, 'HEAD'))) continue
    await app.git.setConfig(join(gitDir, 'config'), 'core.worktree', relative(gitDir, folder))
    await writeFileAtomic(join(folder, '.git'), `gitdir: ${relative(folder, gitDir)}\n`, 0o644)
    await relinkSubmodules(app, gitDir, folder)
  }
}

function isBelow(path: string, folder: string): boolean {
  const real = realPathOf(folder) ?? folder
  return path !== real && isWithin(path, real)
}
