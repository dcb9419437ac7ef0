/**
 * What people did by hand to the places of a workspace: the repository was moved, the worktree removed, moved or forgotten by
 * git, another branch checked out. Told from files alone, so that `list` can tell; `repair.ts` mends it.
 */

import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { kindOf } from '../core/operations.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { firstNames, readPlain } from '../system/read.ts'
import { lastLogged } from '../tools/branch-log.ts'
import {
  type AdminDir,
  findAdminDir,
  hasBranch,
  hasRef,
  isLinked,
  linkOf,
  listAdminDirs,
  type Repository,
  readBranch,
  readBranchInWork,
} from '../tools/repository.ts'

/** A record knows seconds. */
const CLOCK_MS = 1_000

export interface Drift {
  readonly kind:
    | 'repository-gone'
    | 'repository-other'
    | 'worktree-gone'
    | 'worktree-moved'
    | 'worktree-unlinked'
    | 'branch'
    | 'branch-gone'
  /** What is so, without the end of a sentence. */
  readonly text: string
  /** What mends it. */
  readonly command: string
  /** Nothing works as it should until then. */
  readonly broken: boolean
}

/**
 * The worst of what is not as the record says.
 * @param standsIn the current folder: of a worktree that was moved by hand, git knows only from within it
 */
export function findDrift(record: WorkspaceRecord, standsIn?: string): Drift | undefined {
  const { local, repo, name, operation } = record
  // what a create has not made yet is no drift
  const making = kindOf(operation)?.makes === true && !operation?.done.includes('worktree')
  if (local === null || making) return undefined
  const { worktree, gitDir } = local
  const repair = `nexus repair ${name}`
  if (!existsSync(gitDir)) {
    const text = `the repository ${repo} is gone`
    return { kind: 'repository-gone', text, command: `${repair} --repo <where it is now>`, broken: true }
  }
  if (isReplaced(record)) {
    const text = `the repository ${repo} is another one: it has neither the worktree nor branch ${record.branch}`
    return { kind: 'repository-other', text, command: `${repair} --repo <where it is now>`, broken: true }
  }
  const linked = isLinked(gitDir, worktree)
  if (!linked && isEmpty(worktree)) {
    const told = movedTo(record)
    const moved = told ?? (standsIn === undefined ? undefined : movedAround(record, standsIn))
    if (moved === undefined) {
      const text = `the worktree ${worktree} is missing`
      return { kind: 'worktree-gone', text, command: `nexus up ${name}`, broken: true }
    }
    const command = told === undefined ? `${repair} --worktree ${shellWord(moved)}` : repair
    return { kind: 'worktree-moved', text: `the worktree was moved to ${moved}`, command, broken: true }
  }
  if (!linked) {
    const text = `git knows nothing of the worktree ${worktree} any more`
    return { kind: 'worktree-unlinked', text, command: repair, broken: true }
  }
  return findBranchDrift(record, worktree, repair)
}

/**
 * Another repository is where the workspace's was, as far as files tell: nothing of the workspace is in its git dir, and either the line that
 * every create writes there is missing or the git dir is younger than the workspace.
 */
export function isReplaced(record: WorkspaceRecord): boolean {
  const { local, repo, id, branch, createdAt, operation } = record
  // a delete that was cut off has taken them away
  if (kindOf(operation)?.removes === true) return false
  if (local === null || !existsSync(local.gitDir) || isLinked(local.gitDir, local.worktree)) return false
  const { gitDir, worktree } = local
  if (hasBranch(gitDir, branch) || hasRef(gitDir, `refs/nexus/${id}/synced`)) return false
  if (findOwnAdmin(record, gitDir) !== undefined) return false
  const { birthtimeMs: born, ctimeMs } = statSync(gitDir)
  // without times of birth a file system tells the last change
  if (born < ctimeMs && born > Date.parse(createdAt) + CLOCK_MS) return true
  const excluded =
    readPlain(join(gitDir, 'info', 'exclude'))
      ?.toString()
      .split('\n') ?? []
  return worktree.startsWith(`${repo}/.worktree/`) && !excluded.includes('/.worktree/')
}

/** Missing, or without anything in it; a folder that may not be looked into is not. */
export function isEmpty(folder: string): boolean {
  if (!existsSync(folder)) return true
  try {
    return firstNames(folder, 1).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false
    throw error
  }
}

function findBranchDrift(record: WorkspaceRecord, worktree: string, command: string): Drift | undefined {
  const { branch, base, local } = record
  const now = readBranch(worktree)
  if (now === undefined) return undefined
  if (now === branch) {
    // a branch without a first commit is not there yet
    const known = base !== null || (local !== null && lastTip(local.gitDir, worktree) !== undefined)
    if (local === null || hasBranch(local.gitDir, branch) || !known) return undefined
    return { kind: 'branch-gone', text: `its branch ${branch} was deleted`, command, broken: false }
  }
  if (now === null && readBranchInWork(worktree) === branch) return undefined
  const text = `its worktree is on ${now === null ? 'no branch' : `branch ${now}`}, not on ${branch}`
  return { kind: 'branch', text, command, broken: false }
}

/** The last commit that a worktree was on, by the log of its own. */
function lastTip(gitDir: string, worktree: string): string | undefined {
  const admin = findAdminDir(gitDir, worktree)
  return admin === undefined ? undefined : lastLogged(admin.path)
}

/** Where git says that the worktree is now, when that is there. */
function movedTo(record: WorkspaceRecord): string | undefined {
  const admin = record.local === null ? undefined : findOwnAdmin(record, record.local.gitDir)
  if (admin === undefined || admin.worktree === record.local?.worktree) return undefined
  return existsSync(admin.worktree) ? admin.worktree : undefined
}

/** The folder around the given one that names the workspace's part of the git dir, as one that was moved by hand goes on to. */
function movedAround(record: WorkspaceRecord, folder: string): string | undefined {
  const admin = record.local === null ? undefined : findOwnAdmin(record, record.local.gitDir)
  if (admin === undefined) return undefined
  for (let dir = folder; ; dir = dirname(dir)) {
    if (linkOf(dir) === admin.path) return dir
    if (dir === dirname(dir)) return undefined
  }
}

/** The folder of the workspace's worktree in a git dir: by its marker, else by the place that it names. */
export function findOwnAdmin({ id, local }: WorkspaceRecord, gitDir: string): AdminDir | undefined {
  const all = listAdminDirs(gitDir)
  return (
    all.find(({ marker }) => marker === id) ??
    all.find((admin) => admin.marker === undefined && admin.worktree === local?.worktree)
  )
}

/** Workspaces of a repository that is gone, or replaced, whose worktrees are in this one: it was moved. */
export function listMoved(records: readonly WorkspaceRecord[], { gitDir }: Repository): readonly WorkspaceRecord[] {
  const lost = records.filter(
    (record) => record.local !== null && (!existsSync(record.local.gitDir) || isReplaced(record)),
  )
  return lost.filter((record) => findOwnAdmin(record, gitDir) !== undefined)
}

/** @throws {NexusError} for what no start can make good by itself */
export function requirePlaces({ cwd }: { readonly cwd: string }, record: WorkspaceRecord): void {
  const drift = findDrift(record, cwd)
  if (drift === undefined || !drift.broken || drift.kind === 'worktree-gone') return
  const code = drift.kind === 'repository-gone' ? 'REPOSITORY_NOT_FOUND' : 'GIT_ERROR'
  throw new NexusError(code, `Workspace ${record.name} cannot be used: ${drift.text}.`, {
    hint: `To mend it, run \`${drift.command}\`${drift.kind === 'repository-other' ? orAnew(record) : ''}`,
    details: { drift: drift.kind },
  })
}

export function orAnew({ name }: WorkspaceRecord): string {
  return `; to make the workspace anew, run \`nexus delete ${name} && nexus up ${name}\``
}

/** @throws {NexusError} REPOSITORY_NOT_FOUND: one of these is meant, and its record names the old place */
export function refuseMoved(moved: readonly WorkspaceRecord[], repo: Repository): void {
  const [first] = moved
  if (first === undefined) return
  throw new NexusError(
    'REPOSITORY_NOT_FOUND',
    `Workspace ${first.name} belongs to ${first.repo}, which was moved to ${repo.root}.`,
    {
      hint: `To tell Nexus, run \`nexus repair --all --repo ${shellWord(repo.root)}\``,
      details: { id: first.id, from: first.repo, to: repo.root },
    },
  )
}
