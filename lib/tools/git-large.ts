/**
 * Changed files of a worktree that are too large for git to read: whoever writes there makes a file of any size in a moment
 * (`truncate`), and git would read all of it. They are found by what `lstat` says and set aside before git looks at any content.
 * Part of `git-inert.ts`.
 */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import { bytesOf, shown } from '../system/tree.ts'

type GitRun = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** A changed file above it is not compared. */
export const COMPARED_MAX_BYTES = 32 * 1024 * 1024
/** Together, larger files may have so much that are as large as what git has of them: only their content tells whether they are it. */
const SAME_SIZE_MAX_BYTES = 1024 * 1024 * 1024

export interface LargeFile {
  readonly path: string
  readonly bytes: number
}

/** A file of the index; its path is bytes, one per character. */
interface Entry {
  readonly path: string
  readonly oid: string
}

/**
 * Large files that git would read, as their state is not what the index has; those with a mark are not among them.
 * @param prepare makes the index one that may be changed; from then on git takes these files for unchanged
 */
export async function setLargeAside(
  git: GitRun,
  worktree: string,
  prepare: () => Promise<void>,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<readonly LargeFile[]> {
  // compares no content
  const listing = ['diff-files', '--no-renames', '--ignore-submodules=all', '--name-only', '-z']
  const paths = fields((await git(listing, { timeoutMs, asBytes: true })).stdout)
  if (paths.every((path) => sizeOf(worktree, path) <= COMPARED_MAX_BYTES)) return []
  const { stdout } = await git(['ls-files', '--stage', '-z'], { timeoutMs, asBytes: true })
  const changed = new Set(paths)
  // an unmerged file has several, and cannot be marked
  const entries = fields(stdout).flatMap((line) => {
    const [, oid = '', path = ''] = /^\d+ ([0-9a-f]+) 0\t(.*)$/s.exec(line) ?? []
    return changed.has(path) ? [{ path, oid }] : []
  })
  const large = await listLarge(git, worktree, entries)
  if (large.length === 0) return []
  await prepare()
  const input = large.map(({ path }) => `${path}\0`).join('')
  await git(['update-index', '-z', '--assume-unchanged', '--stdin'], { timeoutMs, input: Buffer.from(input, 'latin1') })
  return large.map(({ path, bytes }) => ({ path: shown(path), bytes }))
}

/** Of these, the files that are too large to be compared; the paths as they came. */
export async function listLarge(
  git: GitRun,
  worktree: string,
  entries: readonly Entry[],
): Promise<readonly LargeFile[]> {
  const found = entries
    .map((entry) => ({ ...entry, bytes: sizeOf(worktree, entry.path) }))
    .filter(({ bytes }) => bytes > COMPARED_MAX_BYTES)
    .sort((a, b) => a.bytes - b.bytes)
  if (found.length === 0) return []
  const input = found.map(({ oid }) => `${oid}\n`).join('')
  const { stdout } = await git(['cat-file', '--batch-check=%(objectsize)'], { input })
  const known = stdout.split('\n')
  let rest = SAME_SIZE_MAX_BYTES
  return found.filter(({ bytes }, i) => {
    const isCompared = known[i] === String(bytes) && bytes <= rest
    if (isCompared) rest -= bytes
    return !isCompared
  })
}

function sizeOf(worktree: string, path: string): number {
  try {
    const stat = lstatSync(Buffer.from(join(bytesOf(worktree), path), 'latin1'))
    return stat.isFile() ? stat.size : 0
  } catch {
    return 0 // gone, or in a folder that git cannot look into either
  }
}

function fields(text: string): readonly string[] {
  return text.split('\0').filter((field) => field !== '')
}
