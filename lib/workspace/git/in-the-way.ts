/**
 * What a merge would replace in the main worktree although git does not keep it: files that it ignores or does not know, also such in a
 * folder where the branch has a file, and marked files with edits. git itself overwrites ignored ones without a word. Paths are looked up
 * as bytes, which need not be UTF-8.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { bytesOf, shown } from '../../system/tree.ts'
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
  const gone = new Set(changes.filter(({ status }) => status === 'D').map(({ bytes }) => bytes))
  const touched = new Set(changes.map(({ path }) => path))
  const coming = changes.filter(({ status }) => status !== 'D')
  const found = coming.flatMap((change) => blocking(bytesOf(top), change, gone) ?? []).map(shown)
  return [...new Set([...edited.filter((path) => touched.has(path)), ...found])].sort()
}

function blocking(
  top: string,
  { bytes: path, status, mode }: TreeChange,
  gone: ReadonlySet<string>,
): string | undefined {
  const above = nearest(top, path)
  // a tracked file gives way to a folder, and git takes it away itself
  if (above !== path) return gone.has(above) ? undefined : above
  const stat = lookAt(top, path)
  if (stat?.isDirectory()) return mode === SUBMODULE_MODE ? undefined : firstUntracked(top, path, gone)
  return stat !== undefined && status === 'A' ? path : undefined
}

function placeOf(top: string, path: string): Buffer {
  return Buffer.from(join(top, path), 'latin1')
}

function lookAt(top: string, path: string): Stats | undefined {
  return lstatSync(placeOf(top, path), { throwIfNoEntry: false })
}

/** The path, or what lies on the way to it and is no folder. */
function nearest(top: string, path: string): string {
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
    const above = path.slice(0, end)
    const stat = lookAt(top, above)
    if (stat === undefined) return path
    if (!stat.isDirectory()) return above
  }
  return path
}

/** In a folder whose tracked files all go. */
function firstUntracked(top: string, folder: string, gone: ReadonlySet<string>): string | undefined {
  for (const entry of readdirSync(placeOf(top, folder), { encoding: 'latin1' })) {
    const path = `${folder}/${entry}`
    const found = lookAt(top, path)?.isDirectory() ? firstUntracked(top, path, gone) : gone.has(path) ? undefined : path
    if (found !== undefined) return found
  }
  return undefined
}
