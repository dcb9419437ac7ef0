/**
 * Files that `git status` skips because of a mark in the index: `skip-worktree` and `assume-unchanged`. People keep
 * local settings that way, so such a change may exist nowhere else. Part of `git-inert.ts`.
 */
import { existsSync, lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import { isPlainPointer } from './lfs-pointer.ts'

type GitRun = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** Where git's status has its letters, the one that `git ls-files -v` has for the mark. */
const LINE = /^ [hSs] /
const MARKS: Readonly<Record<string, string>> = {
  ' h': 'assume-unchanged',
  ' S': 'skip-worktree',
  ' s': 'skip-worktree, assume-unchanged',
  ' A': 'intent-to-add',
}
/** In a name whose bytes are no UTF-8. */
export const UNREADABLE = '\ufffd'

/** True for a line of `listMarked`. */
export const isMarked = (line: string): boolean => LINE.test(line)

/** A line as people read it, with the mark in words. */
export function withMark(line: string): string {
  const mark = MARKS[line.slice(0, 2)]
  return mark === undefined ? line : `${isMarked(line) ? ' M' : line.slice(0, 2)} ${line.slice(3)} (${mark})`
}

/**
 * Marked files that are there and differ from the index, a line for each such as ` S a.txt`. The index is not touched.
 * @param scratch an index that is not there yet
 */
export async function listMarked(
  git: GitRun,
  worktree: string,
  scratch: string,
  options: RunOptions,
): Promise<readonly string[]> {
  const { stdout } = await git(['ls-files', '-v', '--stage', '-z'], options)
  const isThere = lookIn(worktree)
  const marked = stdout
    .split('\0')
    .filter((line) => /^[a-zS] /.test(line))
    .map((line) => ({ letter: line[0] ?? '', entry: line.slice(2), path: line.slice(line.indexOf('\t') + 1) }))
    .filter(({ entry, path }) => !entry.startsWith('160000 ') && isThere(path))
  if (marked.length === 0) return []
  // the same entries without marks, in an index of their own
  const env = { ...options.env, GIT_INDEX_FILE: scratch }
  const input = marked.map(({ entry }) => `${entry}\0`).join('')
  await git(['update-index', '-z', '--index-info'], { ...options, env, input })
  const args = ['diff', '--no-ext-diff', '--no-textconv', '--no-renames', '--name-only', '-z']
  const changed = new Set((await git(args, { ...options, env })).stdout.split('\0'))
  const found = marked.filter(({ path }) => changed.has(path))
  const plain = await Promise.all(found.map(({ path }) => isPlainPointer(git, worktree, ` M ${path}`)))
  return found
    .filter((_, i) => plain[i] !== true)
    .map(({ letter, path }) => ` ${letter === 'S' || letter === 's' ? letter : 'h'} ${path}`)
}

/** Of the many that a sparse checkout leaves out, only their folders are looked for. */
function lookIn(worktree: string): (path: string) => boolean {
  const folders = new Map<string, boolean>()
  return (path) => {
    if (path.includes(UNREADABLE)) return true
    const folder = dirname(join(worktree, path))
    // with the dot, a file in the place of a folder is none
    const there = folders.get(folder) ?? existsSync(`${folder}/.`)
    folders.set(folder, there)
    return there && lstatSync(join(worktree, path), { throwIfNoEntry: false }) !== undefined
  }
}
