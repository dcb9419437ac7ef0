/**
 * Tells a file that Git LFS keeps from a changed one without running Git LFS: what git has of such a file is a pointer
 * with the hash and the size of its content.
 */

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import { hashWithin } from '../system/within.ts'

const POINTER =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:[^\n]+\n)*?oid sha256:([0-9a-f]{64})\nsize (\d+)\n$/

export interface Pointer {
  readonly oid: string
  readonly size: number
}

export function parsePointer(text: string): Pointer | undefined {
  const [, oid, size] = POINTER.exec(text) ?? []
  return oid === undefined ? undefined : { oid, size: Number(size) }
}

/** How long the files of a look may be read; whoever works in a worktree makes one of any size, and a pointer to it. */
const READ_MS = 20_000

/** For the files of one look. */
export const pointerLimit = (): AbortSignal => AbortSignal.timeout(READ_MS)

/** True for a change (` M path`) of a file whose content is what the pointer in the index says; false when that takes too long. */
export async function isPlainPointer(
  git: (args: readonly string[], options?: RunOptions) => Promise<RunResult>,
  worktree: string,
  change: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (!change.startsWith(' M ')) return false
  const path = change.slice(3)
  const stat = lstatSync(join(worktree, path), { throwIfNoEntry: false })
  if (stat?.isFile() !== true) return false
  const size = await git(['cat-file', '-s', `:0:${path}`], { okCodes: 'any' })
  if (size.code !== 0 || Number(size.stdout) > 1024) return false
  const pointer = parsePointer((await git(['cat-file', 'blob', `:0:${path}`])).stdout)
  return pointer?.size === stat.size && (await hashWithin(worktree, path, signal)) === pointer.oid
}
