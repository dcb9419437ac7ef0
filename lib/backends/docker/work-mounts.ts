/**
 * Where a workspace's worktree and git dir lie inside: at the same absolute paths as on this machine, so that git works alike
 * on both sides. In the git mode `private` the path of the repository's git dir leads to the workspace's own, the objects it
 * borrows are mounted read-only, and so is the worktree's `.git` file: nobody on this machine renames another one over it.
 */

import { existsSync, realpathSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { WorkspacePaths } from '../../core/paths.ts'
import { localOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type ComposeModel, plainText, type ServiceVolume } from '../../stack/model.ts'
import type { YamlMap } from '../../system/render.ts'
import { BORROWED_LFS, BORROWED_OBJECTS } from '../../tools/private-git.ts'

export interface WorkMount {
  /** On this machine. */
  readonly path: string
  readonly target: string
  readonly readOnly: boolean
}

/** `alternates`: object folders that the repository borrows from. */
export function workMounts(
  record: WorkspaceRecord,
  paths: WorkspacePaths,
  alternates: readonly string[],
): readonly WorkMount[] {
  const { worktree, gitDir } = localOf(record)
  const same = (path: string, readOnly: boolean): WorkMount => ({ path, target: path, readOnly })
  const borrowed = alternates.map((path) => same(path, true))
  if (record.gitMode !== 'private') return [same(worktree, false), same(gitDir, false), ...borrowed]
  const lfs = join(gitDir, 'lfs')
  return [
    same(worktree, false),
    same(join(worktree, '.git'), true),
    { path: paths.privateGit, target: gitDir, readOnly: false },
    { path: join(gitDir, 'objects'), target: BORROWED_OBJECTS, readOnly: true },
    ...(existsSync(lfs) ? [{ path: lfs, target: BORROWED_LFS, readOnly: true }] : []),
    ...borrowed,
  ]
}

/**
 * Services of the project's that have the worktree too, or a folder above it, get its `.git` file read-only where it lies there:
 * replaced from one of them, it would lead git on this machine anywhere. What counts is what a mount leads to.
 * @param model settled
 */
export function gitFileMounts(record: WorkspaceRecord, name: string, model: ComposeModel | undefined) {
  const { local } = record
  if (record.gitMode !== 'private' || local === null) return []
  const { worktree } = local
  return (model?.services[name]?.volumes ?? []).flatMap(({ target, ...mount }): readonly WorkMount[] => {
    const source = folderOf(mount, model)
    const below = source === undefined ? '..' : relative(realOf(source), realOf(worktree))
    if (below === '..' || below.startsWith('../')) return []
    return [{ path: join(worktree, '.git'), target: join(plainText(target), below, '.git'), readOnly: true }]
  })
}

/** The folder of this machine that a mount brings in: of a bind mount, and of a volume whose options say so. */
function folderOf({ type, source, volume }: Omit<ServiceVolume, 'target'>, model: ComposeModel | undefined) {
  if (source === undefined) return undefined
  if (type === 'bind') return plainText(source)
  const { device } = (model?.volumes?.[source]?.driver_opts ?? {}) as { readonly device?: unknown }
  const { subpath = '' } = (volume ?? {}) as { readonly subpath?: string }
  return typeof device === 'string' && device.startsWith('/') ? join(plainText(device), plainText(subpath)) : undefined
}

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path) // nothing is there, and no link either
  }
}

/** As compose writes it. */
export function bindOf({ path, target, readOnly }: WorkMount): YamlMap {
  return { type: 'bind', source: path, target, read_only: readOnly, bind: { create_host_path: false } }
}
