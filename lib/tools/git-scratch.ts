/**
 * The temporary git dir of an inert look: our configuration with harmless keys alone, and links to the data (objects,
 * refs, index) of the real one. See `git-inert.ts`.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { escapePattern } from '../core/words.ts'
import { copyTree, makeFolder, makeLink, removeTree, writeFileAtomic, writeGenerated } from '../system/store.ts'
import { removeAbandoned } from '../system/temporary.ts'
import { readWithin } from '../system/within.ts'

const HEAD = /^(ref: refs\/[^\s]+|[0-9a-f]{40,64})\n?$/
const INDEX_MAX_BYTES = 1024 * 1024 * 1024
/** The branch's attributes must not decide what is shown: git itself looks whether a file is text. */
const SHOWN = '* !diff\n'

/** A worktree with its git dir; `admin` is the linked worktree's own part of that. */
export interface GitPlace {
  readonly gitDir: string
  readonly admin: string
  readonly worktree: string
  /** Looked at as if this commit were checked out; else what `admin` says is. */
  readonly commit?: string
  /**
   * A copy of this machine's index, which may be changed; or that of a workspace's own git dir, by the folder that it
   * lies in.
   */
  readonly index?: 'copy' | { readonly root: string; readonly folder: string }
}

export async function buildGitDir(dir: string, place: GitPlace, config: string): Promise<void> {
  const { gitDir, admin, commit, index } = place
  const head = commit ?? readWithin(admin, 'HEAD', 4096)?.toString() ?? ''
  if (!HEAD.test(head)) {
    throw new NexusError('GIT_ERROR', `${admin}/HEAD names neither a branch nor a commit.`, {
      hint: `To see it, run \`cat ${admin}/HEAD\``,
    })
  }
  const attributes = readWithin(gitDir, 'info/attributes')?.toString() ?? ''
  await makeFolder(join(dir, 'info'))
  await Promise.all([
    writeGenerated(join(dir, 'config'), config),
    writeGenerated(join(dir, 'HEAD'), head),
    writeGenerated(join(dir, 'info', 'attributes'), `${attributes}\n${SHOWN}`),
  ])
  const shared = typeof index === 'object' ? [] : readdirSync(admin).filter((name) => name.startsWith('sharedindex.'))
  const links = [
    ...['objects', 'refs', 'packed-refs', 'reftable', 'shallow', 'info/exclude'].map((name) => [gitDir, name] as const),
    ...[...(index === undefined ? ['index'] : []), 'info/sparse-checkout', ...shared].map(
      (name) => [admin, name] as const,
    ),
  ]
  for (const [from, name] of links) {
    if (isData(join(from, name))) await makeLink(join(from, name), join(dir, name))
  }
  if (index === 'copy' && isData(join(admin, 'index'))) await copyTree(join(admin, 'index'), join(dir, 'index'))
  if (typeof index === 'object') await takeIndex(dir, index)
}

/** Puts a copy in the place of the link to this machine's index, which may be changed then. */
export async function copyIndex(dir: string, { admin, index }: GitPlace): Promise<void> {
  if (index !== undefined) return
  await removeTree(join(dir, 'index'))
  await copyTree(join(admin, 'index'), join(dir, 'index'))
}

/** Copied as a plain file: only its bytes are taken. */
async function takeIndex(dir: string, { root, folder }: { readonly root: string; readonly folder: string }) {
  const names = existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : []
  for (const name of names.filter((one) => /^(index|sharedindex\.[0-9a-f]+)$/.test(one))) {
    const bytes = readWithin(root, join(folder, name), INDEX_MAX_BYTES)
    if (bytes !== undefined) await writeFileAtomic(join(dir, name), bytes)
  }
}

/** A pipe in the place of a file would be waited for. */
function isData(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.isFile() || stat.isDirectory())
}

/** Removes the git dirs of killed processes. */
export function sweep(scratch: string): void {
  removeAbandoned(dirname(scratch), new RegExp(`^${escapePattern(basename(scratch))}-(\\d+)-\\d+$`))
}
