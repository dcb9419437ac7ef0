/**
 * git on the user's own repository, by argv, with the user's configuration. Reads pass `GIT_OPTIONAL_LOCKS=0`, so that a look
 * never makes the user's own `git commit` fail on a lock. Looks at a *tree* that somebody in a workspace has written to go
 * through `git-inert.ts`. Changes to the repository happen only here, and callers hold the repository's lock around
 * `addWorktree`, `removeWorktree` and branch changes.
 */

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Runner, RunOptions, RunResult } from '../system/exec.ts'
import { closeFolder } from '../system/modes.ts'
import { makeFolder, removeTree } from '../system/store.ts'
import { explain } from './git-failures.ts'
import { readIdentity } from './git-identity.ts'
import { createKeepingCommands } from './git-keeping.ts'
import { createMergeCommands } from './git-merge.ts'
import { createRefCommands } from './git-refs.ts'

const READ = { GIT_OPTIONAL_LOCKS: '0' }
const NETWORK_TIMEOUT_MS = 10 * 60_000
const CHECKOUT_TIMEOUT_MS = 30 * 60_000

export interface Ref {
  /** Full name such as `refs/heads/main`. */
  readonly name: string
  readonly commit: string
  /** Where the branch is checked out; '' when nowhere. */
  readonly worktree: string
}

export interface RemoteRef {
  readonly name: string
  readonly commit: string
}

export type Git = ReturnType<typeof createGit>

export function createGit(runner: Runner) {
  const git = (repo: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    explain(() => runner.run(['git', '-C', repo, ...args], options))
  const read = (repo: string, args: readonly string[]) => git(repo, args, { env: READ })

  /** The commit that a revision names, undefined when there is none. */
  async function findCommit(repo: string, revision: string): Promise<string | undefined> {
    const result = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], {
      env: READ,
      okCodes: [0, 1, 128],
    })
    return result.code === 0 ? result.stdout.trim() : undefined
  }

  /** Text of a file as committed, undefined when the commit has none. */
  async function findFile(repo: string, revision: string, path: string): Promise<string | undefined> {
    const result = await git(repo, ['cat-file', 'blob', '--end-of-options', `${revision}:${path}`], {
      env: READ,
      okCodes: [0, 128],
    })
    return result.code === 0 ? result.stdout : undefined
  }

  /** Names at the top of a commit's tree; none for a revision that names nothing. */
  async function listNames(repo: string, revision: string): Promise<readonly string[]> {
    const result = await git(repo, ['ls-tree', '-z', '--name-only', '--end-of-options', revision], {
      env: READ,
      okCodes: [0, 128],
    })
    return result.code === 0 ? result.stdout.split('\0').filter((name) => name !== '') : []
  }

  /** Refs by exact name or by folder, with the worktree each branch is checked out in. */
  async function listRefs(repo: string, patterns: readonly string[]): Promise<readonly Ref[]> {
    const format = '--format=%(refname)%00%(objectname)%00%(worktreepath)'
    const { stdout } = await read(repo, ['for-each-ref', format, '--', ...patterns])
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', commit = '', worktree = ''] = line.split('\0')
        return { name, commit, worktree }
      })
  }

  /** True for a path in a worktree that git ignores there. */
  async function isIgnored(worktree: string, path: string): Promise<boolean> {
    const result = await git(worktree, ['check-ignore', '--quiet', '--', path], { env: READ, okCodes: [0, 1] })
    return result.code === 0
  }

  /** False where files that the repository keeps in Git LFS would be checked out as pointers to them. */
  async function hasLfs(repo: string): Promise<boolean> {
    const pattern = '^filter\\.lfs\\.(smudge|process)$'
    const { code } = await git(repo, ['config', '--get-regexp', pattern], { env: READ, okCodes: [0, 1] })
    return code === 0
  }

  /** True for a text that git accepts as a branch name. */
  async function isBranchName(repo: string, text: string): Promise<boolean> {
    const result = await git(repo, ['check-ref-format', `refs/heads/${text}`], { okCodes: [0, 1] })
    return result.code === 0
  }

  /**
   * Registers a worktree without files; with `create` a new branch at `commit`, never tracking anything.
   * The folder may exist when it is empty. `checkOut` brings the files. With `again`, what is left of an earlier worktree
   * at this path is removed first.
   */
  async function addWorktree(
    repo: string,
    path: string,
    branch: { readonly name: string; readonly create: boolean; readonly commit: string; readonly again: boolean },
  ): Promise<void> {
    // what an interrupted or deleted worktree left behind would stand in the way
    if (branch.again) await removeWorktree(repo, path)
    if (!existsSync(dirname(path))) await closeFolder(dirname(path))
    await makeFolder(path, 0o755)
    const target = branch.create
      ? ['--no-track', '-b', branch.name, '--', path, branch.commit]
      : ['--', path, branch.name]
    await git(repo, ['worktree', 'add', '--quiet', '--no-checkout', ...target])
  }

  /** Fills a worktree that was added without files; the user's filters and post-checkout hook run as they would by hand. */
  async function checkOut(path: string, onLine: (line: string) => void): Promise<void> {
    await git(path, ['checkout', '--force', '--quiet'], { timeoutMs: CHECKOUT_TIMEOUT_MS, onLine })
  }

  async function initSubmodules(path: string, onLine: (line: string) => void): Promise<void> {
    const args = ['submodule', 'update', '--init', '--recursive', '--quiet']
    await git(path, args, { timeoutMs: NETWORK_TIMEOUT_MS, onLine })
  }

  /** Removes a worktree, half-made and locked ones too; its files are the caller's to have checked. */
  async function removeWorktree(repo: string, path: string, removeFolder = removeTree): Promise<void> {
    const args = ['worktree', 'remove', '--force', '--force', '--', path]
    const { code } = await git(repo, args, { okCodes: 'any', timeoutMs: CHECKOUT_TIMEOUT_MS })
    if (code === 0) return
    await removeFolder(path)
    await git(repo, ['worktree', 'prune', '--expire', 'now'])
  }

  /** Deletes a branch only while it still points at `commit`; its section of the configuration goes with it. */
  async function deleteBranch(repo: string, branch: string, commit: string): Promise<void> {
    const section = ['config', '--get-regexp', `^branch\\.${branch.replace(/[^\w/-]/g, '.')}\\.`]
    const [, { code }] = await Promise.all([
      git(repo, ['update-ref', '--no-deref', '-d', `refs/heads/${branch}`, commit]),
      git(repo, section, { env: READ, okCodes: [0, 1] }),
    ])
    if (code === 0) await git(repo, ['config', '--remove-section', `branch.${branch}`])
  }

  /** The first of `refs` that `origin` has, with its commit. Contacts the remote. */
  async function findRemoteRef(repo: string, refs: readonly string[]): Promise<RemoteRef | undefined> {
    const { stdout } = await git(repo, ['ls-remote', '--quiet', '--', 'origin', ...refs], {
      timeoutMs: NETWORK_TIMEOUT_MS,
    })
    const there = stdout.split('\n').map((line) => {
      const [commit = '', name = ''] = line.split('\t')
      return { name, commit }
    })
    return refs.map((ref) => there.find(({ name }) => name === ref)).find((found) => found !== undefined)
  }

  /** Fetches one ref of `origin` without giving it a name here: whoever asks names the commit at once. Contacts the remote. */
  async function fetchRef(repo: string, ref: string): Promise<void> {
    const args = ['fetch', '--no-tags', '--no-write-fetch-head', '--quiet', '--', 'origin', ref]
    await git(repo, args, { timeoutMs: NETWORK_TIMEOUT_MS })
  }

  /** The user's name and address for commits, '' where git has none. */
  return {
    findCommit,
    findFile,
    listNames,
    listRefs,
    hasLfs,
    isBranchName,
    isIgnored,
    addWorktree,
    checkOut,
    initSubmodules,
    removeWorktree,
    deleteBranch,
    findRemoteRef,
    fetchRef,
    identity: (repo: string) => readIdentity(git, repo, READ),
    ...createRefCommands(git, read),
    ...createMergeCommands(git),
    ...createKeepingCommands(git),
  }
}
