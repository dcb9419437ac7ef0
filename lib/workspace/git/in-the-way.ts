/**
 * What a merge would replace in the main worktree although git does not keep it: files that it ignores or does not know, also such in a
 * folder where the branch has a file, and marked files with edits. git itself overwrites ignored ones without a word.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SUBMODULE_MODE, type TreeChange } from '../../tools/git-merge.ts'

/**
 * Paths in the worktree `top`, whose tracked files are as its commit has them, but for those in `edited`.
 * @param changes what differs between that commit and the result of the merge
 */
export function listInTheWay(
  top: string,
  changes: readonly TreeChange[],
  edited: readonly string[],
): readonly string[] {
  const gone = new Set(changes.filter(({ status }) => status === 'D').map(({ path }) => path))
  const touched = new Set(changes.map(({ path }) => path))
  const coming = changes.filter(({ status }) => status !== 'D')
  const found = coming.flatMap((change) => blocking(top, change, gone) ?? [])
  return [...new Set([...edited.filter((path) => touched.has(path)), ...found])].sort()
}

function blocking(top: string, { path, status, mode }: TreeChange, gone: ReadonlySet<string>): string | undefined {
  const above = nearest(top, path)
  // a tracked file gives way to a folder, and git takes it away itself
  if (above !== path) return gone.has(above) ? undefined : above
  const stat = lstatSync(join(top, path), { throwIfNoEntry: false })
  if (stat?.isDirectory()) return mode === SUBMODULE_MODE ? undefined : firstUntracked(top, path, gone)
  return stat !== undefined && status === 'A' ? path : undefined
}

/** The path, or what lies on the way to it and is no folder. */
function nearest(top: string, path: string): string {
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
    const above = path.slice(0, end)
    const stat = lstatSync(join(top, above), { throwIfNoEntry: false })
    if (stat === undefined) return path
    if (!stat.isDirectory()) return above
  }
  return path
}

/** In a folder whose tracked files all go. */
function firstUntracked(top: string, folder: string, gone: ReadonlySet<string>): string | undefined {
  for (const entry of readdirSync(join(top, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    const found = entry.isDirectory() ? firstUntracked(top, path, gone) : gone.has(path) ? undefined : path
    if (found !== undefined) return found
  }
  return undefined
}
