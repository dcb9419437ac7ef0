/**
 * Finds ignored files that exist nowhere else: no copy of the main worktree's files, and nothing that tools make again
 * (`made-again.ts`). Reads only, follows no link, and counts a file in doubt.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { GENERATED, isDropped, isMadeAgain } from '../core/made-again.ts'
import { readPlain } from '../system/read.ts'
import { realPathOf } from '../system/real-path.ts'
import { UNREADABLE } from '../tools/git-marked.ts'

/** At most so many files are compared; more are reported without a count. */
const ENTRIES_MAX = 100_000
/** Larger files are the same only where size and time are. */
const COMPARED_MAX_BYTES = 16 * 1024 * 1024

/** An entry of git's list in which there is something to lose. */
export interface IgnoredWork {
  /** From the top of the worktree; a folder's has a slash at its end. */
  readonly path: string
  readonly files: number
  /** Null where not all of it may be looked at. */
  readonly bytes: number | null
}

/** What git lists as ignored, told apart. */
export interface Ignored {
  readonly work: readonly IgnoredWork[]
  /** What tools make again, by its paths. */
  readonly dropped: readonly string[]
}

interface Sum {
  files: number
  bytes: number | null
  seen: number
}

/**
 * @param main the main worktree
 * @param paths as git lists them
 */
export async function judgeIgnored(worktree: string, main: string, paths: readonly string[]): Promise<Ignored> {
  const work = await countAll(
    worktree,
    main,
    paths.filter((one) => !isDropped(one)),
  )
  return { work, dropped: paths.filter(isDropped) }
}

/**
 * The same with data of services: it counts, whatever its folder is called. @param folders absolute, those that
 * services mount
 */
export async function withData(
  { work, dropped }: Ignored,
  worktree: string,
  main: string,
  folders: readonly string[],
): Promise<Ignored> {
  const places = [...new Set(folders.map((folder) => `${relative(worktree, folder)}/`))]
  const found = places.filter((place) => dropped.some((path) => path.endsWith('/') && place.startsWith(path)))
  const data = await countAll(worktree, main, found)
  const rest = dropped.filter((path) => !data.some((one) => one.path.startsWith(path)))
  return { work: [...work, ...data], dropped: rest }
}

async function countAll(worktree: string, main: string, paths: readonly string[]): Promise<readonly IgnoredWork[]> {
  const work: IgnoredWork[] = []
  for (const path of paths) {
    const sum: Sum = { files: 0, bytes: 0, seen: 0 }
    const name = path.replace(/\/$/, '')
    await count(join(worktree, name), twinOf(main, name), sum)
    if (sum.files > 0) work.push({ path, files: sum.files, bytes: sum.bytes })
  }
  return work
}

/** Undefined where a link is on the way: it may lead into the worktree itself. */
function twinOf(main: string, name: string): string | undefined {
  const [top, folder] = [realPathOf(main), realPathOf(dirname(join(main, name)))]
  return top !== undefined && folder === dirname(join(top, name)) ? join(top, name) : undefined
}

async function count(path: string, twin: string | undefined, sum: Sum): Promise<void> {
  const stats = lookAt(path)
  // it was just listed: a name that is not UTF-8 is not what its letters say
  const isElsewhere = stats === 'gone' || path.includes(UNREADABLE)
  if (stats === undefined || isElsewhere || sum.seen++ > ENTRIES_MAX) return unknown(sum)
  if (stats.isDirectory()) return countFolder(path, twin, sum)
  if (isCopy(path, stats, twin) || isGenerated(path, stats)) return
  sum.files++
  if (sum.bytes !== null) sum.bytes += stats.size
}

async function countFolder(path: string, twin: string | undefined, sum: Sum): Promise<void> {
  try {
    const other = twin === undefined ? undefined : lookAt(twin)
    const folder = typeof other === 'object' && other.isDirectory() ? twin : undefined
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (sum.seen > ENTRIES_MAX) return unknown(sum)
      const { name } = entry
      if (isMadeAgain(name, entry.isDirectory())) continue
      await count(join(path, name), folder && join(folder, name), sum)
    }
  } catch {
    unknown(sum) // another user's data, say: there may be anything in it
  }
}

function unknown(sum: Sum): void {
  sum.files = Math.max(1, sum.files)
  sum.bytes = null
}

/** Undefined where it may not be looked at. */
function lookAt(path: string): Stats | 'gone' | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? 'gone'
  } catch {
    return undefined
  }
}

/** The main worktree has the same file at this place: a hard link, a copy as `cp` makes it, or the same bytes. */
function isCopy(path: string, stats: Stats, twin: string | undefined): boolean {
  const isLink = stats.isSymbolicLink()
  // a pipe or a socket holds nothing
  if (!isLink && !stats.isFile()) return true
  const other = twin === undefined ? undefined : lookAt(twin)
  if (twin === undefined || other === undefined || other === 'gone') return false
  // the same by a mount
  if (other.ino === stats.ino && other.dev === stats.dev && stats.nlink === 1) return false
  try {
    if (isLink) return other.isSymbolicLink() && readlinkSync(path) === readlinkSync(twin)
    if (!other.isFile() || other.size !== stats.size) return false
    if (stats.mtimeMs === other.mtimeMs) return true
    if (stats.size > COMPARED_MAX_BYTES) return false
    const limits = { maxBytes: COMPARED_MAX_BYTES }
    const [mine, theirs] = [readPlain(path, limits), readPlain(twin, limits)]
    return mine !== undefined && theirs !== undefined && mine.equals(theirs)
  } catch {
    return false // it went while it was looked at: in doubt it counts
  }
}

/** Nexus made it of a template. */
function isGenerated(path: string, stats: Stats): boolean {
  return stats.isFile() && readPlain(path)?.toString('latin1', 0, GENERATED.length) === GENERATED
}
