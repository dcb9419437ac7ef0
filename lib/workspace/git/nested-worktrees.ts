/**
 * Linked worktrees that lie in the folder of a worktree: git knows each by its path, and `git worktree prune` forgets one whose folder was
 * moved along.
 */
import { basename, join } from 'node:path'
import { linkOf, listAdminDirs, type Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'

/** After the folder that was at one of these places was moved; under the repository's lock. */
export async function relinkNested(
  app: App,
  { root, gitDir }: Pick<Repository, 'root' | 'gitDir'>,
  from: readonly string[],
  to: string,
): Promise<void> {
  for (const { path, worktree } of listAdminDirs(gitDir)) {
    const folder = from.find((one) => one !== to && worktree.startsWith(`${one}/`))
    if (folder === undefined) continue
    const now = join(to, worktree.slice(folder.length))
    // only what names that very worktree, as the files are not ours
    if (basename(linkOf(now) ?? '') === basename(path)) await app.git.repairWorktree(root, now)
  }
}
