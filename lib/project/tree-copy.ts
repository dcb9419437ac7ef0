/**
 * Copies files and whole folders from one tree to the same places of another by `cp`: reflinks where the file system
 * can, nothing that is there replaced, symbolic links kept. Two processes share a large copy, as the kernel keeps one
 * busy on one processor (measured: two took two thirds of the time). A large folder is split by its entries.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Runner } from '../system/exec.ts'
import { copyAttributes, makeFolder, statIfPresent } from '../system/store.ts'

/** Linux takes about 2 MiB of arguments. */
const ARGUMENTS_MAX = 512 * 1024
const TIMEOUT_MS = 60 * 60_000
const PROCESSES = 2
/** Enough entries for portions of about the same size. */
const ENTRIES_MIN = 64
/** How deep folders are opened to get them. */
const LEVELS_MAX = 3
const PORTIONS = 8

export interface TreeCopy {
  readonly from: string
  readonly to: string
  /** From the top of the tree; folders end with a slash. */
  readonly paths: readonly string[]
  readonly how: '--reflink=auto' | '--link'
  /** False for a path that would lead out of `to`. */
  readonly isSafe: (path: string) => boolean
}

/** @throws {NexusError} DISK_FULL */
export async function copyPaths(runner: Runner, emit: Emit, copy: TreeCopy): Promise<void> {
  const { from, to, paths, how, isSafe } = copy
  const { entries, opened } = openFolders(from, paths)
  const many = entries.length >= ENTRIES_MIN
  // two processes that make one folder would get in each other's way
  const made = many ? await makeFolders(to, opened.filter(isSafe)) : []
  const portions = portionsOf(many ? entries.filter(isSafe) : paths)
  const work = async () => {
    for (let some = portions.shift(); some !== undefined; some = portions.shift()) {
      // they are named as git listed them, so that a leading dash is no option
      const argv = ['cp', '--archive', how, '--no-clobber', '--parents', '--target-directory', to, '--', ...some]
      const result = await runner.run(argv, { cwd: from, okCodes: 'any', timeoutMs: TIMEOUT_MS })
      if (result.code !== 0) tell(result.stderr, emit)
    }
  }
  await Promise.all(Array.from({ length: PROCESSES }, work))
  // new entries change a folder's time
  for (const folder of made) await copyAttributes(join(from, folder), join(to, folder))
}

/** Those that were not there. */
async function makeFolders(to: string, folders: readonly string[]): Promise<readonly string[]> {
  const made: string[] = []
  for (const folder of folders) {
    const path = join(to, folder)
    if ((await statIfPresent(path)) !== undefined) continue
    await makeFolder(path)
    made.push(folder)
  }
  return made
}

/** The paths with folders replaced by what is in them, until there are enough to share out. */
export function openFolders(from: string, paths: readonly string[]) {
  let entries = paths
  const opened: string[] = []
  for (let level = 0; level < LEVELS_MAX && entries.length < ENTRIES_MIN; level++) {
    entries = entries.flatMap((path) => {
      const inside = path.endsWith('/') ? listFolder(from, path) : []
      if (inside.length === 0) return [path]
      opened.push(path)
      return inside
    })
  }
  return { entries, opened }
}

/** Empty for a folder that must be copied whole: it has no entries, or its copy will not be writable. */
function listFolder(from: string, path: string): readonly string[] {
  try {
    const folder = join(from, path)
    if ((statSync(folder).mode & 0o300) !== 0o300) return []
    return readdirSync(folder, { withFileTypes: true }).map(
      (one) => `${path}${one.name}${one.isDirectory() ? '/' : ''}`,
    )
  } catch {
    return [] // cp says what is wrong with it
  }
}

/** Each of them fits into the arguments of one process. */
function portionsOf(paths: readonly string[]): (readonly string[])[] {
  const portions: (readonly string[])[] = []
  const most = Math.max(Math.ceil(paths.length / PORTIONS), ENTRIES_MIN / PORTIONS)
  let portion: string[] = []
  let size = 0
  for (const path of paths) {
    const bytes = Buffer.byteLength(path) + 1
    if (portion.length > 0 && (size + bytes > ARGUMENTS_MAX || portion.length >= most)) {
      portions.push(portion)
      portion = []
      size = 0
    }
    portion.push(path)
    size += bytes
  }
  if (portion.length > 0) portions.push(portion)
  return portions
}

/** A file that vanished or exists already is no failure; unreadable ones are named. */
function tell(stderr: string, emit: Emit): void {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    throw new NexusError('DISK_FULL', 'There is no space left to copy ignored files into the worktree.', {
      hint: 'To see what uses the disk, run `df -h`',
      output: stderr,
    })
  }
  const lines = stderr
    .split('\n')
    .filter((line) => line !== '' && !/not replacing|No such file or directory/.test(line))
  for (const line of lines.slice(0, 20))
    emit({ type: 'warning', text: `an ignored file was not copied: ${line.replace(/^cp: /, '')}` })
}
