/**
 * Checks out the files of a worktree that git has registered. The user's filters run, and for the user's own content
 * the post-checkout hook. A relative path in their configuration means the main worktree's copy.
 *
 * A hook or a filter that fails does not undo the worktree: once the files exist, the failure is returned as data.
 */
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CommandFailed, type RunOptions, type RunResult } from '../system/exec.ts'
import { makeLink, touch } from '../system/store.ts'
import { explainGitFailure } from './git-failures.ts'
import { type GitSetting, mainCopies, type Whose } from './git-programs.ts'
import { findAdminDir, findRepository, type Repository } from './repository.ts'

const CHECKOUT_TIMEOUT_MS = 30 * 60_000
const HOOK = 'post-checkout'
/** As many different filters may fail one after the other. */
const FILTERS_MAX = 8
/** A file system's clock may be behind by a tick. */
const CLOCK_MS = 20
const FILTER = /^filter\..*\.(smudge|process|clean)$/

export interface CheckedOut {
  /** The hook that failed after all files were there. */
  readonly hook?: { readonly name: string; readonly path: string; readonly code: number; readonly said: string }
  /** Filters that were left out: their files are as the repository stores them. */
  readonly unfiltered: readonly Unfiltered[]
}

export interface Unfiltered {
  readonly filter: string
  /** A file of the worktree that it failed for. */
  readonly path: string
  /** Why, in its own words. */
  readonly said: string
}

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

interface Parts {
  /** Without hooks. */
  readonly git: GitCall
  readonly call: GitCall
  readonly hooksFolderOf: (repo: string, whose: Whose) => Promise<string>
  readonly settingsIn: (repo: string, worktree: string) => Promise<readonly GitSetting[]>
  readonly leadsLfsElsewhere: (repo: string, path: string) => Promise<boolean>
}

export function createCheckout({ git, call, hooksFolderOf, settingsIn, leadsLfsElsewhere }: Parts) {
  /** Submodules stay as they are. @throws {NexusError} GIT_ERROR, DISK_FULL, TOOL_MISSING */
  return async function checkOut(
    path: string,
    onLine: (line: string) => void,
    whose: Whose = 'other',
  ): Promise<CheckedOut> {
    const repository = findRepository(path)
    const repo = repository?.root ?? path
    const settings = await settingsIn(repo, path)
    const left: Unfiltered[] = []
    if (repository !== undefined && hasFilters(settings)) await shareState(repository.gitDir, path)
    const hooks = await hooksFolderOf(repo, whose)
    const env = whose === 'other' && (await leadsLfsElsewhere(repo, path)) ? { GIT_LFS_SKIP_SMUDGE: '1' } : {}
    const attempt = async () => {
      const off = left.flatMap(({ filter }) => without(filter))
      const args = [...mainCopies(settings, repo), ...off, '-c', 'submodule.recurse=false']
      const options = { timeoutMs: CHECKOUT_TIMEOUT_MS, onLine, env, anyEnd: true }
      return git(path, [...args, 'checkout', '--force', '--quiet'], options)
    }
    let result = await attempt()
    for (let failed = failedFilter(result); failed !== undefined; failed = failedFilter(result)) {
      if (left.length === FILTERS_MAX || left.some(({ filter }) => filter === failed?.filter)) break
      left.push(failed)
      result = await attempt()
    }
    if (result.code !== 0) throw explainGitFailure(new CommandFailed(['git', '-C', path, 'checkout'], result))
    if (repository !== undefined && (await usesFilters(path, repository, settings))) await settleIndex(repository, path)
    const hook = await runHook(path, hooks, onLine)
    return hook === undefined ? { unfiltered: left } : { unfiltered: left, hook }
  }

  /**
   * Runs the hook as `git worktree add` does, but as a separate command: git's exit code after a checkout does not tell
   * the hook's failure from its own.
   */
  async function runHook(path: string, folder: string, onLine: (line: string) => void) {
    const hook = join(folder, HOOK)
    if (!existsSync(hook)) return undefined
    const options = { timeoutMs: CHECKOUT_TIMEOUT_MS, onLine, anyEnd: true }
    const head = (await git(path, ['rev-parse', 'HEAD'])).stdout.trim()
    const args = ['--ignore-missing', HOOK, '--', '0'.repeat(head.length), head, '1']
    const hooks = ['-c', `core.hooksPath=${folder}`]
    let result = await call(path, [...hooks, 'hook', 'run', ...args], options)
    // before git 2.36
    if (/'hook' is not a git command/.test(result.stderr))
      result = await call(path, [...hooks, 'checkout', '--quiet'], options)
    return result.code === 0 ? undefined : { name: HOOK, path: hook, code: result.code, said: result.stderr.trim() }
  }

  /** A file of attributes sends files through a filter, git-lfs's aside. */
  async function usesFilters(path: string, { gitDir }: Repository, settings: readonly GitSetting[]): Promise<boolean> {
    if (!hasFilters(settings)) return false
    if (existsSync(join(gitDir, 'info', 'attributes'))) return true
    const files = [':(glob).gitattributes', ':(glob)**/.gitattributes']
    const args = ['grep', '--quiet', '--no-recurse-submodules', '-e', 'filter=', 'HEAD', '--', ...files]
    return (await git(path, args, { anyEnd: true })).code === 0
  }
}

/**
 * Sets the index's time after that of the files. git compares the content of a file that is as old as the index, and a
 * look without filters would find a filtered file changed. Only git has written here yet, so the index may be younger.
 */
async function settleIndex({ gitDir }: Repository, path: string): Promise<void> {
  const admin = findAdminDir(gitDir, path)?.path
  if (admin === undefined) return
  const index = join(admin, 'index')
  const next = (Math.floor(statSync(index).mtimeMs / 1000) + 1) * 1000
  await new Promise((done) => setTimeout(done, Math.max(0, next - Date.now()) + CLOCK_MS))
  await touch(index)
}

/** Beside git-lfs, which finds by itself what all worktrees share. */
function hasFilters(settings: readonly GitSetting[]): boolean {
  return settings.some(({ key }) => FILTER.test(key) && nameOf(key) !== 'lfs')
}

function nameOf(key: string): string {
  return key.slice('filter.'.length, key.lastIndexOf('.'))
}

/** What git itself and tools that know worktrees keep at the top of a git dir. */
const KNOWN = new Set(
  [
    'branches config config.worktree description hooks index info lfs logs modules objects packed-refs refs reftable remotes',
    'rr-cache sequencer shallow svn worktrees annex commondir gitdir',
  ]
    .join(' ')
    .split(' '),
)
const PASSING = /[A-Z]|^(sharedindex|fsmonitor|rebase-|nexus-)|[.~](lock|log|pid|cache|tmp)$|~$/

/**
 * What a filter keeps in the git dir, such as git-crypt its keys: a filter that asks for the git dir of a linked
 * worktree gets that worktree's own part, so links there lead to what lies in the repository's.
 */
async function shareState(gitDir: string, worktree: string): Promise<void> {
  const names = readdirSync(gitDir).filter((name) => !KNOWN.has(name) && !PASSING.test(name))
  const admin = findAdminDir(gitDir, worktree)
  if (admin === undefined) return
  for (const name of names) {
    const link = join(admin.path, name)
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) await makeLink(`../../${name}`, link)
  }
}

function without(filter: string): readonly string[] {
  return ['smudge=', 'process=', 'required=false'].flatMap((value) => ['-c', `filter.${filter}.${value}`])
}

/** The filter that made git stop; Git LFS has a separate error. */
function failedFilter({ code, stderr }: RunResult): Unfiltered | undefined {
  if (code === 0) return undefined
  const [, path, filter] = /^fatal: (.*): smudge filter (.+) failed$/m.exec(stderr) ?? []
  if (path === undefined || filter === undefined || filter === 'lfs') return undefined
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^(fatal|error: external filter)/.test(line))
  return { filter, path, said: lines.slice(-3).join('; ') }
}
