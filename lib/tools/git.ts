/**
 * git on the user's own repository, by argv, with the user's configuration. Reads pass `GIT_OPTIONAL_LOCKS=0`, so that
 * a look never makes the user's own `git commit` fail on a lock. Looks at a *tree* that a workspace writes to go
 * through `git-inert.ts`. Changes to the repository happen only here, and callers hold the repository's lock around
 * `addWorktree`, `removeWorktree` and branch changes.
 *
 * Every call runs without hooks and without fsmonitor, except calls of which a user expects hooks: these name the
 * folder of hooks, which never lies in a worktree of another branch (`git-programs.ts`).
 */

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Runner, RunOptions, RunResult } from '../system/exec.ts'
import { closeFolder } from '../system/modes.ts'
import { makeFolder, removeTree } from '../system/store.ts'
import { createCheckout } from './git-checkout.ts'
import { explain } from './git-failures.ts'
import { identityOf, readIdentitySettings } from './git-identity.ts'
import { createKeepingCommands } from './git-keeping.ts'
import { createMergeCommands } from './git-merge.ts'
import { filtersIn, type GitSetting, hooksFolder, lastValue, NO_HOOKS_FOLDER, type Whose } from './git-programs.ts'
import { createRefCommands } from './git-refs.ts'
import { createSubmoduleCommands } from './git-submodules.ts'
import { findRepository, listAdminDirs } from './repository.ts'

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

export interface FilterUse {
  readonly filter: string
  /** File and line. */
  readonly place: string
}

/** The branch of a new worktree. */
export interface NewBranch {
  readonly name: string
  /** Make it at `commit`. */
  readonly create: boolean
  readonly commit: string
  readonly again: boolean
  /** Whose content it is, where that is not the user's. */
  readonly taken?: string | undefined
}

export interface RemoteRef {
  readonly name: string
  readonly commit: string
}

export type Git = ReturnType<typeof createGit>

export function createGit(runner: Runner) {
  const withoutHooks = ['-c', `core.hooksPath=${NO_HOOKS_FOLDER}`]
  /** With the hooks that the configuration names, where `args` name no others. */
  const call = (repo: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    explain(() => runner.run(['git', '-C', repo, '-c', 'core.fsmonitor=false', ...args], options))
  const git = (repo: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    call(repo, [...withoutHooks, ...args], options)
  const read = (repo: string, args: readonly string[]) => git(repo, args, { env: READ })

  const known = new Map<string, Promise<readonly GitSetting[]>>()
  /** What of the configuration counts for the main worktree `repo`, read once. */
  function settings(repo: string): Promise<readonly GitSetting[]> {
    // what this call itself adds would be read as the user's
    const ask = (args: readonly string[]) => call(repo, args, { env: READ, okCodes: [0, 1] })
    const found = known.get(repo) ?? readIdentitySettings(ask)
    known.set(repo, found)
    return found
  }

  /** The same for a linked worktree: a condition of the configuration (`includeIf`) may hold there alone. */
  async function settingsIn(repo: string, worktree: string): Promise<readonly GitSetting[]> {
    const main = await settings(repo)
    return main.some(({ key }) => key.startsWith('includeif.')) ? settings(worktree) : main
  }

  /** The folder of hooks of the user's main worktree, by the configuration as it was when the command began. */
  async function hooksFolderOf(repo: string, whose: Whose): Promise<string> {
    return whose === 'other' ? NO_HOOKS_FOLDER : hooksFolder(await settings(repo), repo)
  }

  /** The same as a `-c` option. */
  async function hooksOf(repo: string, whose: Whose): Promise<readonly string[]> {
    return ['-c', `core.hooksPath=${await hooksFolderOf(repo, whose)}`]
  }

  /** The commit that a revision names, undefined when there is none. */
  const findCommit = (repo: string, revision: string) => findObject(repo, `${revision}^{commit}`)

  async function findObject(repo: string, revision: string): Promise<string | undefined> {
    const result = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', revision], {
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

  /** Where attributes of a commit, given by its id, send files through a filter. */
  async function listFilterUses(repo: string, commit: string): Promise<readonly FilterUse[]> {
    const globs = [':(glob).gitattributes', ':(glob)**/.gitattributes']
    // with submodules, git would read the branch's `.gitmodules`
    const options = ['-n', '-z', '-I', '--no-color', '--no-recurse-submodules']
    const args = ['grep', ...options, '-e', 'filter=', commit, '--', ...globs]
    const { stdout } = await git(repo, args, { env: READ, okCodes: [0, 1] })
    return [...stdout.matchAll(/^[0-9a-f]+:(.*?)\0(\d+)[:\0](.*)$/gm)].flatMap(([, path = '', line = '', text = '']) =>
      filtersIn(text).map((filter) => ({ filter, place: `${path}:${line}` })),
    )
  }

  /** True for a path in a worktree that git ignores there. */
  async function isIgnored(worktree: string, path: string): Promise<boolean> {
    const result = await git(worktree, ['check-ignore', '--quiet', '--', path], { env: READ, okCodes: [0, 1] })
    return result.code === 0
  }

  /** False where files that the repository keeps in Git LFS would be checked out as pointers to them. */
  async function hasLfs(repo: string): Promise<boolean> {
    return (await settings(repo)).some(({ key }) => key === 'filter.lfs.smudge' || key === 'filter.lfs.process')
  }

  /** True for a text that git accepts as a branch name. */
  async function isBranchName(repo: string, text: string): Promise<boolean> {
    const result = await git(repo, ['check-ref-format', `refs/heads/${text}`], { okCodes: [0, 1] })
    return result.code === 0
  }

  /**
   * Registers a worktree without files; with `create` a new branch at `commit`, never tracking anything. The folder may
   * exist when it is empty. `checkOut` brings the files. With `again`, what is left of an earlier worktree at this path
   * is removed first. A new branch with `taken` notes in its log, by that word, that its content is somebody else's.
   */
  async function addWorktree(repo: string, path: string, branch: NewBranch, whose: Whose = 'other'): Promise<void> {
    // the remains of an interrupted or deleted worktree would be in the way
    if (branch.again) await removeWorktree(repo, path)
    if (!existsSync(dirname(path))) await closeFolder(dirname(path))
    await makeFolder(path, 0o755)
    const { name, commit, create, taken } = branch
    if (create && taken !== undefined) {
      const ref = [`refs/heads/${name}`, commit, '0'.repeat(commit.length)]
      await git(repo, ['update-ref', '--create-reflog', '-m', `nexus: taken from ${taken}`, ...ref])
    }
    const target = create && taken === undefined ? ['--no-track', '-b', name, '--', path, commit] : ['--', path, name]
    await call(repo, [...(await hooksOf(repo, whose)), 'worktree', 'add', '--quiet', '--no-checkout', ...target])
  }

  /** True where the branch of a worktree names another server for large files than the main worktree does. */
  async function leadsLfsElsewhere(repo: string, path: string): Promise<boolean> {
    if (!(await hasLfs(repo))) return false
    const ids = await Promise.all([path, repo].map((place) => findObject(place, 'HEAD:.lfsconfig')))
    return ids[0] !== undefined && ids[0] !== ids[1]
  }

  /** Removes a worktree, half-made and locked ones too; its files are the caller's to have checked. */
  async function removeWorktree(repo: string, path: string, removeFolder = removeTree): Promise<void> {
    const args = ['worktree', 'remove', '--force', '--force', '--', path]
    const { code } = await git(repo, args, { okCodes: 'any', timeoutMs: CHECKOUT_TIMEOUT_MS })
    if (code === 0) return
    await removeFolder(path)
    // git's prune would forget every worktree that is not there, also one on a drive that is away
    const gitDir = findRepository(repo)?.gitDir
    const all = gitDir === undefined ? [] : listAdminDirs(gitDir)
    for (const admin of all.filter(({ worktree }) => worktree === path)) await removeTree(admin.path)
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

  /** Fetches one ref of `origin` without giving it a name here: the caller names the commit at once. */
  async function fetchRef(repo: string, ref: string): Promise<void> {
    const options = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--quiet']
    const args = ['fetch', ...options, '--', 'origin', ref]
    await git(repo, args, { timeoutMs: NETWORK_TIMEOUT_MS })
  }

  const refs = createRefCommands(git, read)
  return {
    settings,
    settingsIn,
    findCommit,
    findFile,
    listNames,
    listRefs,
    listFilterUses,
    hasLfs,
    isBranchName,
    isIgnored,
    addWorktree,
    checkOut: createCheckout({ git, call, hooksFolderOf, settingsIn, leadsLfsElsewhere }),
    leadsLfsElsewhere,
    removeWorktree,
    deleteBranch,
    findRemoteRef,
    fetchRef,
    /** As it is now, with all other settings. */
    identity: async (repo: string) => {
      known.delete(repo)
      return identityOf(await settings(repo))
    },
    /** What the repository's own configuration says of the folder of hooks, which git inside reads too. */
    localHooksPath: async (repo: string) =>
      lastValue(
        (await settings(repo)).filter(({ scope }) => scope === 'local' || scope === 'worktree'),
        'core.hookspath',
      ),
    ...refs,
    ...createMergeCommands(git, call, hooksOf),
    ...createKeepingCommands(git),
    ...createSubmoduleCommands({ git, call, settings, findCommit }),
  }
}
