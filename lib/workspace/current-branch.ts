/**
 * Where a workspace's git dir and HEAD are, by looking at files: `list` and every status ask, so that no git is started. Of a
 * git dir that is the workspace's own, nothing is believed; see `private-refs.ts`.
 */
import { basename } from 'node:path'
import { type HomePaths, workspacePaths } from '../core/paths.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { type PrivateHead, readPrivateHead } from '../tools/private-refs.ts'
import { findAdminDir, linkOf, type Repository, readBranch } from '../tools/repository.ts'

export interface PrivatePlace {
  readonly repo: string
  readonly gitDir: string
  readonly worktree: string
  /** The workspace's own git dir on this machine. */
  readonly path: string
}

/** Undefined for a workspace that shares the repository's git dir, or has none. */
export function privatePlace(home: HomePaths, record: WorkspaceRecord): PrivatePlace | undefined {
  const { gitMode, local, repo, id } = record
  if (gitMode !== 'private' || local === null) return undefined
  const { gitDir, worktree } = local
  return { repo, gitDir, worktree, path: workspacePaths(home, id).privateGit }
}

/** A workspace's worktree as git on this machine has registered it; undefined without local files. */
export function repositoryOf({ repo: root, local }: WorkspaceRecord): Repository | undefined {
  return local === null ? undefined : { root, gitDir: local.gitDir, worktree: local.worktree }
}

/** Where HEAD is inside; undefined where the workspace has no git dir of its own, or none that can be read. */
export function privateHead(home: HomePaths, record: WorkspaceRecord): PrivateHead | undefined {
  const place = privatePlace(home, record)
  if (place === undefined) return undefined
  // a worktree that was deleted by hand has no link any more
  const admin = linkOf(place.worktree) ?? findAdminDir(place.gitDir, place.worktree)?.path
  return admin === undefined ? undefined : readPrivateHead(place.path, basename(admin))
}

/** The branch that a worktree is on now, as whoever works in it sees it; null when detached, undefined when it is none. */
export function currentBranch(home: HomePaths, record: WorkspaceRecord): string | null | undefined {
  if (record.local === null) return undefined
  const own = privateHead(home, record)
  return own === undefined ? readBranch(record.local.worktree) : own.branch
}
