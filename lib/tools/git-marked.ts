/**
 * Files that `git status` skips because of a mark in the index: `skip-worktree` and `assume-unchanged`. People keep
 * local settings that way, so such a change may exist nowhere else. Part of `git-inert.ts`.
 */
import { existsSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import { bytesOf, shown } from '../system/tree.ts'
import { listLarge } from './git-large.ts'
import { isPlainPointer, pointerLimit } from './lfs-pointer.ts'

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
  // names are bytes here, one per character: they need not be UTF-8
  const { stdout } = await git(['ls-files', '-v', '--stage', '-z'], { ...options, asBytes: true })
  const isThere = lookIn(worktree)
  const marked = stdout
    .split('\0')
    .filter((line) => /^[a-zS] /.test(line))
    .map((line) => ({ letter: line[0] ?? '', entry: line.slice(2), path: line.slice(line.indexOf('\t') + 1) }))
    .filter(({ entry, path }) => !entry.startsWith('160000 ') && isThere(path))
  if (marked.length === 0) return []
  // what is too large to be read counts as changed
  const named = marked.map(({ entry, path }) => ({ path, oid: entry.split(' ')[1] ?? '' }))
  const large = new Set((await listLarge(git, worktree, named)).map(({ path }) => path))
  // the same entries without marks, in an index of their own
  const env = { ...options.env, GIT_INDEX_FILE: scratch }
  const compared = marked.filter(({ path }) => !large.has(path))
  const input = Buffer.from(compared.map(({ entry }) => `${entry}\0`).join(''), 'latin1')
  if (compared.length > 0) await git(['update-index', '-z', '--index-info'], { ...options, env, input })
  const args = ['diff', '--no-ext-diff', '--no-textconv', '--no-renames', '--name-only', '-z']
  const differing = compared.length === 0 ? '' : (await git(args, { ...options, env, asBytes: true })).stdout
  const changed = new Set([...differing.split('\0'), ...large])
  const found = marked.filter(({ path }) => changed.has(path)).map((one) => ({ ...one, path: shown(one.path) }))
  const limit = pointerLimit()
  const plain = await Promise.all(found.map(({ path }) => isPlainPointer(git, worktree, ` M ${path}`, limit)))
  return found
    .filter((_, i) => plain[i] !== true)
    .map(({ letter, path }) => ` ${letter === 'S' || letter === 's' ? letter : 'h'} ${path}`)
}

/** Of the many that a sparse checkout leaves out, only their folders are looked for. */
function lookIn(worktree: string): (path: string) => boolean {
  const folders = new Map<string, boolean>()
  return (path) => {
    const file = `${bytesOf(worktree)}/${path}`
    const folder = dirname(file)
    // with the dot, a file in the place of a folder is none
    const there = folders.get(folder) ?? existsSync(Buffer.from(`${folder}/.`, 'latin1'))
    folders.set(folder, there)
    return there && lstatSync(Buffer.from(file, 'latin1'), { throwIfNoEntry: false }) !== undefined
  }
}
