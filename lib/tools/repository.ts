/**
 * Finds a git repository and reads what its worktrees are on by looking at files, as git itself lays them out
 * (gitrepository-layout(5)). It exists because `list` and every name look-up may start no git process. Writes nothing;
 * changes to a repository go through `git.ts`.
 */

import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { readPlain } from '../system/read.ts'
import { parseConfig } from './git-config.ts'

export interface Repository {
  /** Absolute path of the main worktree. */
  readonly root: string
  /** The common git dir, which all worktrees share. */
  readonly gitDir: string
  /** The worktree that the search began in; the main one or a linked one. */
  readonly worktree: string
}

const PACKED_MAX_BYTES = 64 * 1024 * 1024

export interface LinkedWorktree {
  readonly path: string
  /** Short branch name; null when HEAD is detached. */
  readonly branch: string | null
  /** The worktree's own folder is there and leads back here. */
  readonly present: boolean
}

/** The repository that contains `folder`, undefined when there is none. */
export function findRepository(folder: string): Repository | undefined {
  let dir = realOrResolved(folder)
  while (!existsSync(`${dir}/.`) && dir !== dirname(dir)) dir = dirname(dir)
  for (;;) {
    const found = repositoryAt(dir)
    if (found !== undefined) return found
    const parent = dirname(dir)
    if (parent === dir) return undefined
    dir = parent
  }
}

/** The repository that contains `folder`; for a folder in a workspace's worktree always the workspace's. */
export function findHere(folder: string): Repository | undefined {
  const found = findRepository(folder)
  return found === undefined ? undefined : (workspaceAround(found) ?? found)
}

/**
 * The worktree of a workspace that holds, or was replaced by, another repository: an agent may have made that one, with
 * its own hooks and settings.
 */
function workspaceAround({ gitDir, worktree }: Repository): Repository | undefined {
  for (let dir = worktree; ; dir = dirname(dir)) {
    const outer = repositoryAt(dir)
    if (outer !== undefined && realOrResolved(outer.gitDir) !== realOrResolved(gitDir)) {
      const own = listAdminDirs(outer.gitDir).filter((one) => isOurs(outer, one))
      const around = own.find((one) => worktree === one.worktree || worktree.startsWith(`${one.worktree}/`))
      if (around !== undefined) return { ...outer, worktree: around.worktree }
    }
    if (dir === dirname(dir)) return undefined
  }
}

function isOurs({ root }: Repository, { worktree, marker }: AdminDir): boolean {
  return marker !== undefined || dirname(worktree) === join(root, '.worktree')
}

/**
 * The repository that contains `folder`.
 * @throws {NexusError} REPOSITORY_NOT_FOUND; INVALID_ARGUMENT for a bare repository, a folder that is not there, and a
 * repository in a workspace's worktree
 */
export function requireRepository(folder: string): Repository {
  if (!existsSync(folder)) {
    throw new NexusError('REPOSITORY_NOT_FOUND', `The folder ${folder} does not exist.`, {
      hint: 'To name a repository by its path, use `--repo <path>`',
    })
  }
  const found = findRepository(folder)
  if (found !== undefined) {
    const around = workspaceAround(found)
    if (around !== undefined) throw planted(found.worktree, around.worktree, around.root)
    return found
  }
  if (isGitDir(realOrResolved(folder))) {
    throw new NexusError('INVALID_ARGUMENT', `${folder} is a bare repository, which has no worktree to start from.`, {
      hint: 'To work on it, make a clone with a worktree: `git clone <url> <folder>`',
    })
  }
  throw new NexusError('REPOSITORY_NOT_FOUND', `${folder} is not in a git repository.`, {
    hint: 'To start one, run `git init && git add -A && git commit -m "First commit"`',
  })
}

/** git obeys a repository's hooks and settings, and here the workspace wrote them. */
export function planted(inner: string, worktree: string, root: string): NexusError {
  const text = `${inner} is a repository in the worktree of a workspace, ${worktree}: git would run on this machine what is set up there.`
  return new NexusError('INVALID_ARGUMENT', text, {
    hint: `To mean the workspace's own repository, add \`--repo ${shellWord(root)}\``,
    details: { repository: inner, worktree, repo: root },
  })
}

function repositoryAt(dir: string): Repository | undefined {
  const dotGit = join(dir, '.git')
  const stat = statSync(dotGit, { throwIfNoEntry: false })
  if (stat?.isDirectory()) return isGitDir(dotGit) ? { root: dir, gitDir: dotGit, worktree: dir } : undefined
  if (!stat?.isFile()) return undefined
  const gitDir = readGitFile(dotGit)
  if (gitDir === undefined || !existsSync(gitDir)) return undefined
  const commonDir = readLine(join(gitDir, 'commondir'))
  // no commondir: a submodule or a separate git dir, whose worktree is this folder
  if (commonDir === undefined) return { root: dir, gitDir: realOrResolved(gitDir), worktree: dir }
  const common = realOrResolved(resolve(gitDir, commonDir))
  return { root: mainWorktree(common, dir), gitDir: common, worktree: dir }
}

/** The main worktree of a common git dir; a submodule and a separate git dir name it in their configuration. */
function mainWorktree(common: string, fallback: string): string {
  if (basename(common) === '.git') return dirname(common)
  const entries = parseConfig(readText(join(common, 'config')) ?? '')
  const worktree = entries.findLast(({ key }) => key === 'core.worktree')?.value
  return worktree === undefined ? fallback : realOrResolved(isAbsolute(worktree) ? worktree : resolve(common, worktree))
}

/** A linked worktree that stands for its repository, when a bare one or a separate git dir has no main worktree. */
export function isOnItsOwn({ root, gitDir }: Repository): boolean {
  const own = linkOf(root)
  return own !== undefined && realOrResolved(own) !== realOrResolved(gitDir)
}

/** The linked worktrees of a repository, as `git worktree list` knows them, without starting git. */
export function listLinkedWorktrees(gitDir: string): readonly LinkedWorktree[] {
  const admin = join(gitDir, 'worktrees')
  const names = existsSync(admin) ? readdirSync(admin) : []
  return names.flatMap((name) => {
    const dotGit = readLine(join(admin, name, 'gitdir'))
    const head = readLine(join(admin, name, 'HEAD'))
    if (dotGit === undefined) return []
    const file = isAbsolute(dotGit) ? dotGit : resolve(admin, name, dotGit)
    return [{ path: dirname(file), branch: branchOf(head), present: existsSync(file) }]
  })
}

/** Marks a worktree's folder in the git dir with the id of the workspace that it belongs to; git leaves it alone. */
export const MARKER = 'nexus-workspace'

export interface AdminDir {
  /** The worktree's folder in the git dir, with its index, HEAD and unfinished work. */
  readonly path: string
  /** Where it says that the worktree is. */
  readonly worktree: string
  /** Id of the workspace that made it; a program inside can write it, so it is a hint and no proof. */
  readonly marker: string | undefined
}

/** The folders of all linked worktrees in a repository's git dir, whether or not the worktrees are there. */
export function listAdminDirs(gitDir: string): readonly AdminDir[] {
  const folder = join(gitDir, 'worktrees')
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names.flatMap((name) => {
    const path = join(folder, name)
    const dotGit = readLine(join(path, 'gitdir'))
    return dotGit === undefined
      ? []
      : [{ path, worktree: dirname(resolve(path, dotGit)), marker: readLine(join(path, MARKER)) }]
  })
}

/** The folder of one worktree in the git dir; where several claim it, the one that the worktree itself names. */
export function findAdminDir(gitDir: string, worktree: string): AdminDir | undefined {
  const claiming = listAdminDirs(gitDir).filter((one) => one.worktree === worktree)
  const named = linkOf(worktree)
  return claiming.find(({ path }) => path === named) ?? claiming[0]
}

const UNFINISHED: readonly (readonly [string, string])[] = [
  ['rebase-merge', 'rebase'],
  ['rebase-apply', 'rebase'],
  ['MERGE_HEAD', 'merge'],
  ['CHERRY_PICK_HEAD', 'cherry-pick'],
  ['REVERT_HEAD', 'revert'],
  ['BISECT_LOG', 'bisect'],
]

/** What was begun in a worktree and not ended, such as `rebase`. */
export function listGitOperations(worktree: string): readonly string[] {
  const gitDir = linkOf(worktree)
  return gitDir === undefined ? [] : listGitOperationsIn(gitDir)
}

/** The same by the worktree's own part of the git dir. */
export function listGitOperationsIn(gitDir: string): readonly string[] {
  return [...new Set(UNFINISHED.filter(([file]) => existsSync(join(gitDir, file))).map(([, word]) => word))]
}

/** True when a worktree's folder and the repository lead to each other, so that git works in it. */
export function isLinked(gitDir: string, worktree: string): boolean {
  const named = linkOf(worktree)
  if (named === undefined || !existsSync(join(named, 'HEAD'))) return false
  return realOrResolved(dirname(dirname(named))) === realOrResolved(gitDir)
}

/**
 * Object folders outside the repository that it borrows from (`clone --shared`, `--reference`), and those that these
 * borrow from in turn.
 */
export function listAlternates(gitDir: string): readonly string[] {
  const found = new Set<string>()
  const follow = (objects: string) => {
    for (const line of alternateLines(objects)) {
      const path = isAbsolute(line) ? line : resolve(objects, line)
      if (found.has(path) || !isObjectFolder(path)) continue
      found.add(path)
      follow(path)
    }
  }
  follow(join(gitDir, 'objects'))
  return [...found]
}

/** git makes both in each. What is mounted because of a line in a file is not to be any folder that the line names. */
function isObjectFolder(path: string): boolean {
  return ['pack', 'info'].every((name) => existsSync(join(path, name)))
}

/** What an object folder names as the folders it borrows from, as it stands there. */
export function alternateLines(objects: string): readonly string[] {
  const text = readText(join(objects, 'info', 'alternates')) ?? ''
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

/** The branch that a worktree's folder is on now; null when detached, undefined when the folder is no worktree. */
export function readBranch(worktree: string): string | null | undefined {
  const gitDir = linkOf(worktree)
  const head = gitDir === undefined ? undefined : readLine(join(gitDir, 'HEAD'))
  return head === undefined ? undefined : branchOf(head)
}

/** The branch that a rebase or bisect which is under way has left, and will come back to. */
export function readBranchInWork(worktree: string): string | undefined {
  const gitDir = linkOf(worktree)
  if (gitDir === undefined) return undefined
  const names = ['rebase-merge/head-name', 'rebase-apply/head-name', 'BISECT_START']
  const name = names.map((file) => readLine(join(gitDir, file))).find((line) => line !== undefined)
  return name?.replace(/^refs\/heads\//, '')
}

export const hasBranch = (gitDir: string, branch: string) => hasRef(gitDir, `refs/heads/${branch}`)

/** Whether there is a ref; true where git keeps them in another way than as files. */
export function hasRef(gitDir: string, ref: string): boolean {
  if (readPlain(join(gitDir, ref)) !== undefined || existsSync(join(gitDir, 'reftable'))) return true
  const packed = join(gitDir, 'packed-refs')
  return existsSync(packed) && readPlain(packed, { maxBytes: PACKED_MAX_BYTES })?.includes(` ${ref}\n`) !== false
}

/** The branch that a main worktree is on; null when detached. */
export function readHeadBranch(gitDir: string): string | null {
  return branchOf(readLine(join(gitDir, 'HEAD')))
}

/** Who owns the repository: files made inside a workspace get this user and group. */
export function ownerOf(repository: Repository): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = statSync(repository.gitDir)
  return { uid, gid }
}

function branchOf(head: string | undefined): string | null {
  return head?.startsWith('ref: refs/heads/') ? head.slice('ref: refs/heads/'.length) : null
}

/** By the names of what lies in it. */
export function isGitDir(dir: string): boolean {
  return existsSync(join(dir, 'HEAD')) && existsSync(join(dir, 'objects')) && existsSync(join(dir, 'refs'))
}

/** The folder in a git dir that a worktree's own `.git` file names, whether or not it is there. */
export function linkOf(worktree: string): string | undefined {
  return readGitFile(join(worktree, '.git'))
}

function readGitFile(file: string): string | undefined {
  const line = readLine(file)
  if (!line?.startsWith('gitdir: ')) return undefined
  const target = line.slice('gitdir: '.length)
  return isAbsolute(target) ? target : resolve(dirname(file), target)
}

function readLine(file: string): string | undefined {
  return readText(file)?.split('\n')[0]
}

function readText(file: string): string | undefined {
  // an unreadable file counts as missing
  return readPlain(file)?.toString()
}

function realOrResolved(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return resolve(path)
    throw error
  }
}
