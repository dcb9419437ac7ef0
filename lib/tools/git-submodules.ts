/**
 * git's words for the submodules of a worktree: part of `git.ts`. For another person's branch only submodules that the
 * user's own repository names are fetched, because a fetch asks the server that `.gitmodules` names, with the user's
 * credentials.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RunOptions, RunResult } from '../system/exec.ts'
import {
  type GitSetting,
  hooksFolder,
  isTransport,
  lastValue,
  mainCopies,
  NO_HOOKS_FOLDER,
  relativeProgram,
  relativePrograms,
  type Whose,
} from './git-programs.ts'
import { findRepository } from './repository.ts'

const NETWORK_TIMEOUT_MS = 10 * 60_000
/** What the user's repository names: what is checked out in the main worktree, and the remote's default branch. */
const BASES = ['HEAD', 'refs/remotes/origin/HEAD']

export interface Submodule {
  readonly name: string
  /** From the top of the worktree. */
  readonly path: string
  readonly url: string
}

type GitCall = (repo: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

interface Calls {
  /** Without hooks. */
  readonly git: GitCall
  readonly call: GitCall
  readonly settings: (repo: string) => Promise<readonly GitSetting[]>
  readonly findCommit: (repo: string, revision: string) => Promise<string | undefined>
}

export function createSubmoduleCommands({ git, call, settings, findCommit }: Calls) {
  /** Submodules as `.gitmodules` of a worktree names them, whether or not they are there. */
  const listSubmodules = (worktree: string) => list(worktree, ['--file', '.gitmodules'])

  /** A name with two paths or addresses is none: readers do not agree on which of them counts. */
  async function list(place: string, from: readonly string[]): Promise<readonly Submodule[]> {
    const args = ['config', '-z', ...from, '--get-regexp', '^submodule\\..*\\.(path|url)$']
    const { stdout } = await git(place, args, { env: { GIT_OPTIONAL_LOCKS: '0' }, okCodes: 'any' })
    return parseSubmodules(stdout)
  }

  /**
   * Fills the submodules of a worktree, and those in them.
   * @returns those that only another person's branch names, which are left out
   * @throws {NexusError} UNSUPPORTED where the branch would decide what git reaches another machine with
   */
  async function initSubmodules(
    worktree: string,
    onLine: (line: string) => void,
    whose: Whose = 'other',
  ): Promise<readonly Submodule[]> {
    const repo = findRepository(worktree)?.root ?? worktree
    const own = await settings(repo)
    const update = async (words: readonly string[], paths: readonly string[], env: RunOptions['env'] = {}) => {
      const args = [
        ...hooksThere(own, repo, whose),
        ...mainCopies(own, repo),
        '--literal-pathspecs',
        'submodule',
        'update',
      ]
      const limits = { timeoutMs: NETWORK_TIMEOUT_MS, onLine, env }
      await call(worktree, [...args, '--init', '--quiet', ...words, '--', ...paths], limits)
    }
    const isThere = (name: string) => existsSync(join(worktree, name))
    const [relative] = relativePrograms(
      own.filter(({ key }) => isTransport(key)),
      repo,
      isThere,
    )
    const same = (whose === 'own' && relative === undefined) || (await isSame(repo, worktree))
    if (relative !== undefined && !same) throw relativeProgram(relative, 'the branch', 'git fetches with it')
    if (same) {
      await update(['--recursive'], [])
      return []
    }
    const wanted = await listSubmodules(worktree)
    const isNamed = await namedBy(repo, own)
    const known = wanted.filter(
      (one) => isNamed(one) && wanted.every(({ name, path }) => path !== one.path || name === one.name),
    )
    const paths = known.map(({ path }) => path)
    const unchanged = await listUnchanged(repo, worktree, paths)
    const moved = paths.filter((path) => !unchanged.includes(path))
    if (unchanged.length > 0) await update(['--recursive', '--checkout'], unchanged)
    // another commit of a known repository may name any submodules, and any server for large files
    if (moved.length > 0) await update(['--checkout'], moved, { GIT_LFS_SKIP_SMUDGE: '1' })
    const within = moved.filter((path) => existsSync(join(worktree, path, '.gitmodules')))
    return [
      ...wanted.filter((one) => !known.includes(one)),
      ...within.map((path) => ({ name: path, path: `${path}/*`, url: '' })),
    ]
  }

  async function isSame(repo: string, worktree: string): Promise<boolean> {
    const [ours, theirs] = await Promise.all([repo, worktree].map((place) => findCommit(place, 'HEAD')))
    return ours !== undefined && ours === theirs
  }

  /** By its address in the user's configuration, which git prefers, or by name and address in the user's commits. */
  async function namedBy(repo: string, own: readonly GitSetting[]): Promise<(one: Submodule) => boolean> {
    const lists = await Promise.all(BASES.map((base) => list(repo, ['--blob', `${base}:.gitmodules`])))
    const named = new Set(lists.flat().flatMap(({ name, url }) => (url === '' ? [] : [`${name}\0${url}`])))
    return ({ name, url }) => lastValue(own, `submodule.${name}.url`) !== undefined || named.has(`${name}\0${url}`)
  }

  /** Those that are at the commit that they have in the main worktree. */
  async function listUnchanged(repo: string, worktree: string, paths: readonly string[]): Promise<readonly string[]> {
    if (paths.length === 0) return []
    const args = ['ls-tree', '-z', 'HEAD', '--', ...paths]
    const [ours = [], theirs = []] = await Promise.all(
      [repo, worktree].map(async (place) => (await git(place, args, { okCodes: 'any' })).stdout.split('\0')),
    )
    return theirs.filter((line) => line !== '' && ours.includes(line)).map((line) => line.slice(line.indexOf('\t') + 1))
  }

  return { listSubmodules, initSubmodules }
}

/** A path of hooks in the worktree means nothing in a submodule. */
function hooksThere(settings: readonly GitSetting[], repo: string, whose: Whose): readonly string[] {
  const value = lastValue(settings, 'core.hookspath')
  const plain = value === undefined || value.startsWith('~') || value === hooksFolder(settings, repo)
  return whose === 'own' && plain ? [] : ['-c', `core.hooksPath=${NO_HOOKS_FOLDER}`]
}

/** Of `git config -z --get-regexp`. */
export function parseSubmodules(text: string): readonly Submodule[] {
  const found = new Map<string, { path: string[]; url: string[] }>()
  for (const entry of text.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(entry) ?? []
    if (name === undefined || key === undefined || value === undefined) continue
    const one = found.get(name) ?? { path: [], url: [] }
    one[key as 'path' | 'url'].push(value)
    found.set(name, one)
  }
  return [...found].flatMap(([name, { path, url }]) => {
    const [where, from = ''] = [path.at(-1), url.at(-1)]
    // with two paths or addresses, it is not told for certain which of them git takes
    return where === undefined ? [] : [{ name, path: where, url: path.length > 1 || url.length > 1 ? '' : from }]
  })
}
