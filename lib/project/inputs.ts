/**
 * The files that a workspace was made from (configuration, compose files, Dockerfiles, variable files) by the hash of
 * their content, so that `status` can say which of them changed since, and `watch` knows which to watch. Reads only.
 */

import { isAbsolute, join, relative } from 'node:path'
import { sha256 } from '../core/digest.ts'
import type { MainBase, WorkspaceRecord } from '../core/workspace.ts'
import { COMPOSE_CANDIDATES } from '../stack/detect.ts'
import { type ComposeModel, type ModelFields, plainText } from '../stack/model.ts'
import { readWithin } from '../system/within.ts'

/** Path from the top of the worktree -> hash of its content, '' for a file that is not there. */
export type Inputs = Readonly<Record<string, string>>

const MISSING = ''
/** Larger ones are no configuration. */
const SIZE_MAX = 4 * 1024 * 1024
/** A project that names more files is looked at no further: each `list` reads them all. */
const FOUND_MAX = 1000

/**
 * @param found files that the model was made from, as the look at the raw files found them: the model names few of them
 */
export function readInputs(
  worktree: string,
  record: WorkspaceRecord,
  model: ComposeModel | undefined,
  found: readonly string[] = [],
): Inputs {
  const base = record.docker?.stack?.base
  const files = [
    '.nexus/config.yaml',
    '.env',
    ...COMPOSE_CANDIDATES,
    ...(record.docker?.stack?.files ?? []),
    ...[...new Set(found)].slice(0, FOUND_MAX),
    base?.kind === 'dockerfile' ? base.file : 'Dockerfile',
    ...(model === undefined ? [] : filesOf(model).map(plainText)),
  ]
  const paths = files.map((file) => (isAbsolute(file) ? relative(worktree, file) : file))
  const inside = paths.filter((path) => path !== '' && !path.startsWith('..'))
  return hashFiles(worktree, [...new Set(inside)].sort())
}

export function hashFiles(worktree: string, paths: readonly string[]): Inputs {
  return Object.fromEntries(paths.map((path) => [path, hashFile(worktree, path)]))
}

/** Which of the inputs are not what they were. */
export function changedInputs(worktree: string, inputs: Inputs): readonly string[] {
  return Object.keys(inputs).filter((path) => hashFile(worktree, path) !== inputs[path])
}

function hashFile(worktree: string, path: string): string {
  const content = readWithin(worktree, path, SIZE_MAX)
  return content === undefined ? MISSING : sha256(content).slice(0, 16)
}

/** Dockerfiles that builds of the model and of the workspace's own image read, from the top of the worktree. */
export function dockerfilesOf(worktree: string, model: ComposeModel | undefined, base: MainBase): readonly string[] {
  const builds = Object.values(model?.services ?? {}).flatMap(({ build }) => (build === undefined ? [] : [build]))
  const named = builds.map((build) => relative(worktree, plainText(dockerfileOf(build))))
  return [...new Set([...named, ...(base.kind === 'dockerfile' ? [base.file] : [])])].sort()
}

/** Dockerfiles and files of variables, which the model names by absolute paths. */
function filesOf(model: ComposeModel): readonly string[] {
  return Object.values(model.services).flatMap(({ build, env_file: envFiles }) => [
    ...(build === undefined ? [] : [dockerfileOf(build)]),
    ...(Array.isArray(envFiles) ? envFiles.map((file) => String((file as ModelFields).path ?? file)) : []),
  ])
}

function dockerfileOf({ context, dockerfile }: ModelFields): string {
  const file = typeof dockerfile === 'string' ? dockerfile : 'Dockerfile'
  return isAbsolute(file) ? file : join(String(context ?? ''), file)
}
