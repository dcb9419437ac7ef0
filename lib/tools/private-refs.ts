/**
 * Reads a private git dir as plain text: where HEAD is and what the branches name. The inside writes there, so nothing
 * in it is trusted: links are not followed, names that git would refuse are left out, sizes and counts have limits.
 */
import { type Dirent, existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isBranchName } from '../core/names.ts'
import { copyWithin, readWithin } from '../system/within.ts'

export const OBJECT_ID = /^[0-9a-f]{40}([0-9a-f]{24})?$/
const PACKED_MAX_BYTES = 64 * 1024 * 1024
const BRANCHES_MAX = 10_000
const FOLDERS_MAX = 1000
const DEPTH_MAX = 20

export interface PrivateHead {
  /** Short name; null when HEAD is detached. */
  readonly branch: string | null
  /** Of a detached HEAD. */
  readonly commit: string | null
}

/** HEAD of the worktree with this administrative name; undefined when there is none that makes sense. */
export function readPrivateHead(path: string, name: string): PrivateHead | undefined {
  const text =
    readWithin(path, join('worktrees', name, 'HEAD'), 4096)
      ?.toString()
      .trimEnd() ?? ''
  if (OBJECT_ID.test(text)) return { branch: null, commit: text }
  const branch = text.startsWith('ref: refs/heads/') ? text.slice('ref: refs/heads/'.length) : ''
  return isBranchName(branch) ? { branch, commit: null } : undefined
}

/** Branch -> the commit that it names. */
export const readPrivateBranches = (path: string) => readRefs(path, 'heads')

/** Further refs with commits of the user, such as `tags/v1` -> the object that it names. */
export function readPrivateTags(path: string): ReadonlyMap<string, string> {
  const packed = packedOf(path)
  const all = ['tags', 'notes'].map((kind) =>
    [...readRefs(path, kind, packed)].map(([name, id]) => [`${kind}/${name}`, id] as const),
  )
  return new Map(all.flat())
}

/** What only a worktree has under `refs/worktree`, by its own part of the git dir. */
export const readWorktreeRefs = (admin: string) => readRefs(admin, 'worktree')

/** Commits of linked worktrees that no branch need have: a detached HEAD, and refs of their own. */
export interface WorktreeCommit {
  /** Name of the worktree's part of the git dir. */
  readonly worktree: string
  /** Such as `on a detached HEAD`. */
  readonly where: string
  readonly id: string
}

export function readWorktreeCommits(gitDir: string): readonly WorktreeCommit[] {
  return foldersIn(gitDir, 'worktrees').flatMap((worktree) => {
    const refs = readWorktreeRefs(join(gitDir, 'worktrees', worktree))
    const own = [...refs].map(([name, id]) => ({ worktree, where: `of refs/worktree/${name}`, id }))
    const id = readPrivateHead(gitDir, worktree)?.commit ?? null
    return id === null ? own : [{ worktree, where: 'on a detached HEAD', id }, ...own]
  })
}

/** Tags that did not come with a clone, which packs those that it brings. */
export const readLooseTags = (gitDir: string) => readRefs(gitDir, 'tags', '')

function readRefs(path: string, kind: string, packed = packedOf(path)): ReadonlyMap<string, string> {
  const branches = new Map<string, string>()
  const add = (branch: string, id: string) => {
    if (OBJECT_ID.test(id) && isBranchName(branch) && branches.size < BRANCHES_MAX) branches.set(branch, id)
  }
  for (const [, id = '', branch = ''] of packed.matchAll(/^([0-9a-f]+) refs\/(.+)$/gm))
    if (branch.startsWith(`${kind}/`)) add(branch.slice(kind.length + 1), id)
  for (const branch of listFiles(join(path, 'refs', kind))) {
    add(
      branch,
      readWithin(path, join('refs', kind, branch), 4096)
        ?.toString()
        .trimEnd() ?? '',
    )
  }
  return branches
}

function packedOf(path: string): string {
  return readWithin(path, 'packed-refs', PACKED_MAX_BYTES)?.toString() ?? ''
}

/** How many stashes there are: each is a line of the log. */
export function countPrivateStashes(path: string): number {
  if (readWithin(path, 'refs/stash') === undefined) return 0
  const lines = (readWithin(path, 'logs/refs/stash', PACKED_MAX_BYTES)?.toString() ?? '').split('\n')
  return Math.max(1, lines.filter((line) => line !== '').length)
}

/**
 * Large files of Git LFS that were made inside go where the repository keeps its own; each lies under the hash of its
 * content, which is checked. Only where the repository has such files.
 */
export async function bringLargeFiles(path: string, gitDir: string): Promise<void> {
  const [from, to] = ['lfs/objects', join(gitDir, 'lfs', 'objects')]
  if (!existsSync(to)) return
  for (const name of listFiles(join(path, from), '', 2)) {
    const [, hash = ''] = /^[0-9a-f]{2}\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(name) ?? []
    if (hash !== '' && !existsSync(join(to, name))) await copyWithin(path, join(from, name), join(to, name), hash)
  }
}

function listFiles(folder: string, prefix = '', depth = DEPTH_MAX): readonly string[] {
  return entriesOf(join(folder, prefix)).flatMap((entry) => {
    const name = `${prefix}${entry.name}`
    if (entry.isFile()) return [name]
    return entry.isDirectory() && depth > 0 ? listFiles(folder, `${name}/`, depth - 1) : []
  })
}

/** Names of the folders in one; a link to a folder is none, also at the place of `name` itself. */
export function foldersIn(parent: string, name: string): readonly string[] {
  if (lstatSync(join(parent, name), { throwIfNoEntry: false })?.isDirectory() !== true) return []
  const folders = entriesOf(join(parent, name)).filter((entry) => entry.isDirectory())
  return folders.slice(0, FOLDERS_MAX).map((entry) => entry.name)
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).slice(0, BRANCHES_MAX)
  } catch {
    return [] // not a folder, or gone in the meantime
  }
}
