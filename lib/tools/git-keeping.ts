/**
 * git's words for keeping what a worktree held after the worktree is gone, and for bringing it back; by argv. Part of
 * `git.ts`.
 */
import { join } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import { readWithin } from '../system/within.ts'
import { OBJECT_ID } from './private-refs.ts'
import { linkOf } from './repository.ts'

/** What an unfinished merge, rebase or the like points at, beside HEAD. */
const STATE_REFS = [
  'HEAD',
  'MERGE_HEAD',
  'CHERRY_PICK_HEAD',
  'REVERT_HEAD',
  'REBASE_HEAD',
  'ORIG_HEAD',
  'MERGE_AUTOSTASH',
]
/** The same, in files that are no refs: what it put aside, and where it began. */
const STATE_FILES = ['rebase-merge', 'rebase-apply'].flatMap((folder) =>
  ['autostash', 'orig-head'].map((file) => join(folder, file)),
)
const INDEX_MAX_BYTES = 1024 * 1024 * 1024
/** Of the worktree alone. */
const OWN_REFS = [
  'for-each-ref',
  '--format=%(objecttype) %(objectname)',
  'refs/worktree/',
  'refs/bisect/',
  'refs/rewritten/',
]
/** The name of the commit that only git's garbage collection reads. */
const KEEPER = { name: 'Nexus', email: 'nexus@localhost' }

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

function stateIdsOf(worktree: string): readonly string[] {
  const admin = linkOf(worktree)
  if (admin === undefined) return []
  return STATE_FILES.flatMap(
    (file) => OBJECT_ID.exec(readWithin(admin, file, 4096)?.toString().trimEnd() ?? '')?.[0] ?? [],
  )
}

export function createKeepingCommands(git: GitCall) {
  const quietly = { env: { GIT_OPTIONAL_LOCKS: '0' }, okCodes: 'any' as const }

  /**
   * Keeps from being collected, under a ref, what a worktree's HEAD, index and unfinished work hold, and `more`
   * commits: as the parents and the tree of one commit. False when there is nothing to keep.
   */
  async function keepState(
    repo: string,
    worktree: string | undefined,
    ref: string,
    more: readonly string[],
  ): Promise<boolean> {
    const [states, index] = worktree === undefined ? [[], undefined] : await stateOf(worktree)
    const parents = [...new Set([...states, ...more])]
    const tree = index ?? (parents[0] === undefined ? undefined : `${parents[0]}^{tree}`)
    if (tree === undefined) return false
    const identity = [
      '-c',
      `user.name=${KEEPER.name}`,
      '-c',
      `user.email=${KEEPER.email}`,
      '-c',
      'commit.gpgSign=false',
    ]
    const args = ['commit-tree', ...parents.flatMap((commit) => ['-p', commit]), '-m', 'In the trash of Nexus', tree]
    const { stdout } = await git(repo, [...identity, ...args])
    await git(repo, ['update-ref', '--no-deref', ref, stdout.trim()])
    return true
  }

  async function stateOf(worktree: string): Promise<readonly [readonly string[], string | undefined]> {
    const name = (ref: string) => git(worktree, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], quietly)
    const named = [...STATE_REFS, ...stateIdsOf(worktree)].map(name)
    const [own, ...found] = await Promise.all([git(worktree, OWN_REFS, quietly), ...named])
    const commits = own.stdout.split('\n').flatMap((line) => /^commit (.+)$/.exec(line)?.[1] ?? [])
    return [
      [...found.filter(({ code }) => code === 0).map(({ stdout }) => stdout.trim()), ...commits],
      await treeOf(worktree),
    ]
  }

  /** A tree with all that the index has. */
  async function treeOf(worktree: string): Promise<string | undefined> {
    const index = await git(worktree, ['write-tree', '--missing-ok'], quietly)
    if (index.code === 0) return index.stdout.trim()
    // in the midst of a conflict it is no tree: its contents then, under their ids
    const { stdout, code } = await git(worktree, ['ls-files', '--stage', '-z'], {
      ...quietly,
      maxBytes: INDEX_MAX_BYTES,
    })
    if (code !== 0) return undefined
    const ids = new Set([...stdout.matchAll(/(?:^|\0)(?!160000 )\d+ ([0-9a-f]+) /g)].map(([, id = '']) => id))
    const input = [...ids].map((id) => `100644 blob ${id}\t${id}\0`).join('')
    const tree = await git(worktree, ['mktree', '--missing', '-z'], { ...quietly, input })
    return tree.code === 0 ? tree.stdout.trim() : undefined
  }

  /** Missing is fine. */
  async function deleteRef(repo: string, ref: string): Promise<void> {
    await git(repo, ['update-ref', '--no-deref', '-d', ref])
  }

  /** Makes a branch that must not be there yet; `why` is the first line of its log. */
  async function makeBranch(repo: string, branch: string, commit: string, why?: string): Promise<void> {
    const log = why === undefined ? [] : ['--create-reflog', '-m', why]
    await git(repo, ['update-ref', '--no-deref', ...log, `refs/heads/${branch}`, commit, '0'.repeat(commit.length)])
  }

  /** Registers a worktree without files, on no branch. */
  async function addDetached(repo: string, path: string, commit: string): Promise<void> {
    await git(repo, ['worktree', 'add', '--quiet', '--no-checkout', '--detach', '--', path, commit])
  }

  /** Makes the index what HEAD says and leaves the files alone. */
  async function readHead(worktree: string): Promise<void> {
    await git(worktree, ['read-tree', 'HEAD'])
  }

  /** Links a repository and a worktree to each other again, after either was moved, where possible. */
  async function repairWorktree(repo: string, path: string): Promise<void> {
    await git(repo, ['worktree', 'repair', '--', path], { okCodes: 'any' })
  }

  /** A value of a configuration file that is not the repository's own. */
  async function setConfig(file: string, key: string, value: string): Promise<void> {
    await git('/', ['config', '--file', file, '--replace-all', key, value])
  }

  return {
    keepState,
    deleteRef,
    makeBranch,
    addDetached,
    readHead,
    repairWorktree,
    setConfig,
  }
}
