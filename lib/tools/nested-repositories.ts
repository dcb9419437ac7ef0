/**
 * Repositories and linked worktrees below a worktree, in folders that git ignores too: `git status` says nothing of
 * them. They are found by the names of their files; nothing of them is run, and no link is followed. Submodules are
 * looked at elsewhere (`git-inert.ts`).
 */
import { existsSync, lstatSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Runner } from '../system/exec.ts'
import { firstNames } from '../system/read.ts'
import { bytesOf, shown } from '../system/tree.ts'
import { UNREADABLE } from './git-marked.ts'
import { linkOf } from './repository.ts'

const FOUND_MAX = 1000

/**
 * A line for each, such as `the repository vendor/tool`.
 * @param modules folders in which the git dirs of the worktree's submodules lie
 */
export async function listNested(
  runner: Runner,
  worktree: string,
  modules: readonly string[],
  timeoutMs: number,
): Promise<readonly string[]> {
  const named = ['(', '-name', '.git', '-prune', '-o', '-name', 'HEAD', ')', '-print0']
  // of a folder that may not be read, code 1 and a remark
  const { stdout } = await runner.run(['find', worktree, '-mindepth', '2', ...named], {
    okCodes: [0, 1],
    timeoutMs,
    asBytes: true,
  })
  return stdout
    .split('\0')
    .slice(0, FOUND_MAX)
    .flatMap((path) => describe(path, bytesOf(worktree), modules) ?? [])
    .sort()
}

/** Of paths in bytes. */
function describe(path: string, worktree: string, modules: readonly string[]): string | undefined {
  const folder = dirname(path)
  const name = shown(relative(worktree, folder))
  if (path.endsWith('/HEAD')) return isRepository(folder) ? `the repository ${name}` : undefined
  if (!path.endsWith('/.git')) return undefined
  const stat = lstatSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false })
  if (stat?.isFile() !== true) return isRepository(path) ? `the repository ${name}` : undefined
  const gitDir = linkOf(shown(folder))
  // a name that is no UTF-8 cannot be opened: it may be a repository
  if (gitDir === undefined) return name.includes(UNREADABLE) ? `the linked worktree ${name}` : undefined
  const isModule = modules.some((one) => gitDir.startsWith(`${one}/`)) && !existsSync(join(gitDir, 'commondir'))
  return isModule ? undefined : `the linked worktree ${name}`
}

function isRepository(folder: string): boolean {
  return ['objects', 'refs'].every((name) => existsSync(Buffer.from(join(folder, name), 'latin1')))
}

/** What lies in the folder of a submodule that was not fetched: git's own status says nothing of it. */
export function listStrays(worktree: string, path: string): readonly string[] {
  const folder = join(worktree, path)
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true || existsSync(join(folder, '.git'))) return []
  return firstNames(folder, 1).length === 0 ? [] : [`?? ${path}/`]
}
