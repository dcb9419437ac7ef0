/**
 * Copies files that git ignores (`.env`, `node_modules`) from the main worktree into a new one: those that
 * `.worktreeinclude` or the configuration names, in the syntax of `.gitignore`, and git itself decides what matches.
 * Tracked and merely untracked files are never copied, files that are there never replaced, symbolic links never
 * followed.
 *
 * Whole folders are handed to `cp` (`tree-copy.ts`): no loop over files.
 */
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Emit } from '../core/events.ts'
import { isWithin } from '../stack/places.ts'
import type { Runner } from '../system/exec.ts'
import { realPathOf } from '../system/real-path.ts'
import { copyPaths } from './tree-copy.ts'

/** Of a million files; a pattern of a stranger's can cost git any time. */
const LIST_TIMEOUT_MS = 60_000

export const INCLUDE_FILE = '.worktreeinclude'

export interface IgnoredRequest {
  /** The main worktree, which has them. */
  readonly main: string
  /** The new worktree. */
  readonly worktree: string
  /** Patterns beside those of `.worktreeinclude`. */
  readonly copy: readonly string[]
  /** Patterns of files that are shared by hard links instead. */
  readonly link: readonly string[]
  /** False: the patterns of `.worktreeinclude` do not count. */
  readonly include?: boolean
}

export interface IgnoredResult {
  /** Files and whole folders, from the top of the worktree. */
  readonly copied: readonly string[]
  readonly linked: readonly string[]
}

export function createIgnoredFiles(runner: Runner, emit: Emit) {
  /** @throws {NexusError} DISK_FULL */
  async function bring(request: IgnoredRequest): Promise<IgnoredResult> {
    const { main, worktree } = request
    const files = request.include === false ? [] : [worktree, main].map((folder) => join(folder, INCLUDE_FILE))
    const include = files.find((file) => existsSync(file))
    const copyPatterns = [...(include === undefined ? [] : [`--exclude-from=${include}`]), ...patterns(request.copy)]
    if (copyPatterns.length === 0 && request.link.length === 0) return { copied: [], linked: [] }
    const ignored = (await listIgnored(main, ['--exclude-standard'])).filter((path) => !isOurs(path))
    const [copied, linked] = await Promise.all(
      [copyPatterns, patterns(request.link)].map(async (words) =>
        words.length === 0 ? [] : select(main, ignored, await listIgnored(main, words)),
      ),
    )
    const isSafe = createReach(worktree)
    const links = (linked ?? []).filter(isSafe)
    const isLinked = createBelow(links)
    const copies = (copied ?? []).filter((path) => !isLinked(path) && isSafe(path))
    const place = { from: main, to: worktree, isSafe }
    await copyPaths(runner, emit, { ...place, paths: links, how: '--link' })
    await copyPaths(runner, emit, { ...place, paths: copies, how: '--reflink=auto' })
    return { copied: copies, linked: links }
  }

  /** Untracked files that patterns match; a folder that is matched whole is one entry with a slash at its end. */
  async function listIgnored(main: string, words: readonly string[]): Promise<readonly string[]> {
    const argv = [
      'git',
      '-c',
      'core.fsmonitor=false',
      '-C',
      main,
      'ls-files',
      '-z',
      '--others',
      '--ignored',
      '--directory',
      ...words,
    ]
    const { stdout } = await runner.run(argv, { env: { GIT_OPTIONAL_LOCKS: '0' }, timeoutMs: LIST_TIMEOUT_MS })
    return stdout.split('\0').filter((path) => path !== '')
  }

  return { bring }
}

function patterns(list: readonly string[]): readonly string[] {
  return list.map((pattern) => `--exclude=${pattern}`)
}

/** Worktrees of ours, and folders that are worktrees of git: a copy would point to the same administrative files. */
function isOurs(path: string): boolean {
  return path === '.worktree/' || path.startsWith('.worktree/')
}

/** Ignored entries that are wanted: those that lie in a wanted one, and wanted ones that lie in an ignored folder. */
function select(main: string, ignored: readonly string[], wanted: readonly string[]): readonly string[] {
  const all = [...new Set([...wanted.filter(createBelow(ignored)), ...ignored.filter(createBelow(wanted))])].sort()
  const tops = new Set(all)
  return all.filter(
    (path) => !foldersAbove(path).some((folder) => tops.has(folder)) && !isLinkedWorktree(join(main, path)),
  )
}

/** Tells whether a path is one of the entries or lies in one that is a folder, however many there are. */
export function createBelow(entries: readonly string[]): (path: string) => boolean {
  const all = new Set(entries)
  return (path) => all.has(path) || foldersAbove(path).some((folder) => all.has(folder))
}

/** `a/b/c` and `a/b/c/` lie in `a/b/` and `a/`. */
function foldersAbove(path: string): readonly string[] {
  const folders: string[] = []
  let at = path.lastIndexOf('/', path.length - 2)
  while (at > 0) {
    folders.push(path.slice(0, at + 1))
    at = path.lastIndexOf('/', at - 1)
  }
  return folders
}

/** False for a path that a link of the new branch would lead out of its worktree. */
function createReach(worktree: string): (path: string) => boolean {
  const top = realPathOf(worktree)
  const known = new Map<string, boolean>()
  const isInside = (folder: string): boolean => {
    const real = realPathOf(join(worktree, folder))
    return top !== undefined && real !== undefined && isWithin(real, top)
  }
  return (path) => {
    // a folder that is copied whole must not be a link there either
    const folder = path.endsWith('/') ? path.slice(0, -1) : dirname(path)
    const answer = known.get(folder) ?? isInside(folder)
    known.set(folder, answer)
    return answer
  }
}

function isLinkedWorktree(folder: string): boolean {
  return folder.endsWith('/') && statSync(join(folder, '.git'), { throwIfNoEntry: false })?.isFile() === true
}
