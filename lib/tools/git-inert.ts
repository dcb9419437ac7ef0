/**
 * Looks at a tree that somebody in a workspace has written to, with git on this machine and without running anything from it.
 *
 * Configuration is where git's programs are named (filters, fsmonitor, hooks, ssh, textconv, signature checks), and none of
 * them can be switched off by its name, which is free. So git is given a git dir of ours for the moment of the look: its own
 * configuration with harmless keys alone, and links to the data (objects, refs, index) of the real one. Nested repositories
 * get one of their own instead of git's walk into them, which would read their configuration.
 */

import { existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { CommandFailed, type Runner, type RunOptions, type RunResult } from '../system/exec.ts'
import { firstNames } from '../system/read.ts'
import { makeFolder, makeLink, removeTree, writeGenerated } from '../system/store.ts'
import { readWithin } from '../system/within.ts'
import { explainGitFailure, parseStatus } from './git-failures.ts'
import {
  type Entry,
  formatSettings,
  isFormatKey,
  isOwnKey,
  isTreeKey,
  readOwnSettings,
  readSettings,
} from './git-settings.ts'
import { isPlainPointer } from './lfs-pointer.ts'
import { findAdminDir, type Repository } from './repository.ts'

/** Deep enough for submodules in submodules. */
const DEPTH_MAX = 8
const SUBMODULE_MODE = Buffer.from([0, 0, 0xe0, 0])
const INDEX_MAX_BYTES = 1024 * 1024 * 1024
const HEAD = /^(ref: refs\/[^\s]+|[0-9a-f]{40,64})\n?$/

/** A worktree with its git dir; `admin` is the linked worktree's own part of that. */
interface Place {
  readonly gitDir: string
  readonly admin: string
  readonly worktree: string
}

export type InertRun = (args: readonly string[], options?: RunOptions) => Promise<RunResult>
export type InertGit = ReturnType<typeof createInertGit>

let sequence = 0

/** `scratch` is how the paths of the git dirs begin; each is gone after its look. */
export function createInertGit(runner: Runner, scratch: string) {
  let own: Promise<readonly Entry[]> | undefined
  const settings = new Map<string, Promise<readonly Entry[]>>()

  /** Settings of the user's and of the repository that say how its files are meant. */
  function settingsOf({ gitDir, admin }: Place): Promise<readonly Entry[]> {
    own ??= readOwnSettings(runner)
    const files = [join(gitDir, 'config'), join(admin, 'config.worktree')].filter((file) => existsSync(file))
    const key = files.join('\0')
    const known = settings.get(key) ?? readHarmless(own, files)
    settings.set(key, known)
    return known
  }

  async function readHarmless(user: Promise<readonly Entry[]>, files: readonly string[]): Promise<readonly Entry[]> {
    const [mine, ...theirs] = await Promise.all([user, ...files.map((file) => readSettings(runner, file))])
    const format = theirs.flat().filter(([key]) => isFormatKey(key))
    return [
      ['core.repositoryformatversion', format.length === 0 ? '0' : '1'],
      ['core.bare', 'false'],
      ...(mine ?? []).filter(([key]) => isOwnKey(key)),
      ...theirs.flat().filter(([key]) => isTreeKey(key)),
      ...format,
    ]
  }

  /** Runs `look` with a git that has nothing to run. */
  async function within<T>(place: Place, look: (git: InertRun) => Promise<T>): Promise<T> {
    const dir = `${scratch}-${process.pid}-${sequence++}`
    try {
      await sweep(scratch)
      await buildGitDir(dir, place, formatSettings(await settingsOf(place)))
      return await look((args, options = {}) => runInert(dir, place, args, options))
    } finally {
      await removeTree(dir)
    }
  }

  async function runInert(dir: string, { worktree }: Place, args: readonly string[], options: RunOptions) {
    const env = {
      GIT_DIR: dir,
      GIT_WORK_TREE: worktree,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_NO_LAZY_FETCH: '1',
      GIT_EXTERNAL_DIFF: undefined,
      GIT_PAGER: 'cat',
      ...options.env,
    }
    try {
      return await runner.run(['git', '-C', worktree, ...args], { ...options, env })
    } catch (error) {
      throw error instanceof CommandFailed ? explainGitFailure(error) : error
    }
  }

  /** Runs `look` on a worktree that git has registered. @throws {NexusError} GIT_ERROR when it has not */
  function at<T>(repository: Repository, look: (git: InertRun) => Promise<T>): Promise<T> {
    return within(placeOf(repository), look)
  }

  /** Changed and untracked paths of a worktree, as `git status --porcelain` names them, with those of its submodules. */
  function listChanges(repository: Repository, timeoutMs = 60_000): Promise<readonly string[]> {
    return changesAt(placeOf(repository), timeoutMs, DEPTH_MAX)
  }

  async function changesAt(place: Place, timeoutMs: number, depth: number): Promise<readonly string[]> {
    const args = ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=dirty']
    const own = await within(place, async (git) => {
      const changes = parseStatus(await git(args, { timeoutMs }))
      const plain = await Promise.all(changes.map((change) => isPlainPointer(git, place.worktree, change)))
      return changes.filter((_, i) => plain[i] !== true)
    })
    const nested = await eachSubmodule(place, depth, async (sub, path) => {
      if (sub === 'not fetched') return listStrays(place.worktree, path)
      if (sub === undefined) return [` ? ${path}`]
      const changes = await changesAt(sub, timeoutMs, depth - 1)
      return changes.map((change) => `${change.slice(0, 3)}${path}/${change.slice(3)}`)
    })
    return [...own, ...nested]
  }

  /** Submodules of a worktree whose HEAD has commits that no remote-tracking branch of theirs reaches. */
  function listUnpushedSubmodules(repository: Repository): Promise<readonly string[]> {
    return unpushedAt(placeOf(repository), DEPTH_MAX)
  }

  function unpushedAt(place: Place, depth: number): Promise<readonly string[]> {
    return eachSubmodule(place, depth, async (sub, path) => {
      if (sub === 'not fetched') return []
      if (sub === undefined) return [path]
      const args = ['rev-list', '--count', 'HEAD', '--not', '--remotes']
      const { stdout } = await within(sub, (git) => git(args))
      const own = stdout.trim() === '0' ? [] : [path]
      return [...own, ...(await unpushedAt(sub, depth - 1)).map((nested) => `${path}/${nested}`)]
    })
  }

  /** With its place; undefined for one whose git dir is not where git puts it. */
  async function eachSubmodule(
    place: Place,
    depth: number,
    visit: (sub: Place | 'not fetched' | undefined, path: string) => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    if (depth === 0 || !mayHaveSubmodules(place)) return []
    const { stdout } = await within(place, (git) => git(['ls-files', '--stage', '-z']))
    const visits = submodulePaths(stdout).map((path) => {
      const fetched = existsSync(join(place.worktree, path, '.git'))
      return visit(fetched ? submoduleAt(place, path) : 'not fetched', path)
    })
    return (await Promise.all(visits)).flat()
  }

  /** How many commits of a revision no ref of the user's reaches; the branch's own ref is left out of them. */
  async function countUniqueCommits(repository: Repository, revision: string, ownRef?: string): Promise<number> {
    // without --single-worktree, --all would count the workspace's own HEAD among the others
    const others =
      ownRef === undefined
        ? ['--branches', '--tags', '--remotes']
        : ['--single-worktree', `--exclude=${ownRef}`, '--exclude=refs/nexus/*', '--all']
    const args = ['rev-list', '--count', '--not', ...others, '--not', '--end-of-options', revision]
    return Number((await at(repository, (git) => git(args))).stdout.trim())
  }

  /** The commits of a revision that a base does not have, oldest first, as `<id> <subject>`. */
  async function listCommits(repository: Repository, base: string, revision: string): Promise<readonly string[]> {
    const args = ['log', '--reverse', '--format=%h %s', '--end-of-options', `${base}..${revision}`]
    return (await at(repository, (git) => git(args))).stdout.split('\n').filter((line) => line !== '')
  }

  /** Tracked files that patterns match, each with the id of its content. */
  async function listContents(repository: Repository, patterns: readonly string[]): Promise<readonly string[]> {
    const globs = patterns.map((pattern) => `:(glob)${pattern}`)
    const { stdout } = await at(repository, (git) => git(['ls-files', '--stage', '-z', '--', ...globs]))
    return stdout.split('\0').filter((line) => line !== '')
  }

  /** Makes a worktree's index that of a commit and touches no file; what is known of unchanged files stays known. */
  async function setIndex(repository: Repository, commit: string): Promise<void> {
    const { admin } = placeOf(repository)
    const env = { GIT_INDEX_FILE: join(admin, 'index'), GIT_OPTIONAL_LOCKS: '1' }
    await at(repository, (git) => git(['read-tree', '-i', '-m', commit], { env }))
  }

  return {
    at,
    listChanges,
    listUnpushedSubmodules,
    countUniqueCommits,
    listCommits,
    listContents,
    setIndex,
  }
}

/** By what the repository says of its worktrees: the `.git` file in the tree could lead anywhere. */
function placeOf({ root, gitDir, worktree }: Repository): Place {
  if (worktree === root) return { gitDir, admin: gitDir, worktree }
  const admin = findAdminDir(gitDir, worktree)
  if (admin !== undefined) return { gitDir, admin: admin.path, worktree }
  throw new NexusError('GIT_ERROR', `git knows no worktree at ${worktree} any more.`, {
    hint: `To see those it knows, run \`git -C ${root} worktree list\``,
  })
}

/** By the mode of a submodule, as it stands in the index: to list all files would cost more than all the rest. */
function mayHaveSubmodules({ admin }: Place): boolean {
  const files = readdirSync(admin).filter((name) => name === 'index' || name.startsWith('sharedindex.'))
  return files.some((name) => readWithin(admin, name, INDEX_MAX_BYTES)?.includes(SUBMODULE_MODE) !== false)
}

/** Of what `ls-files --stage -z` lists. */
export function submodulePaths(listed: string): readonly string[] {
  const links = listed.split('\0').filter((line) => line.startsWith('160000 '))
  return links.map((line) => line.slice(line.indexOf('\t') + 1))
}

/** What lies in the folder of a submodule that was not fetched: git's own status says nothing of it. */
export function listStrays(worktree: string, path: string): readonly string[] {
  const folder = join(worktree, path)
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true || existsSync(join(folder, '.git'))) return []
  return firstNames(folder, 1).length === 0 ? [] : [`?? ${path}/`]
}

/** A submodule's git dir lies in the repository's or in the worktree; elsewhere it is none of ours to look into. */
function submoduleAt(parent: Place, path: string): Place | undefined {
  const worktree = join(parent.worktree, path)
  const dotGit = join(worktree, '.git')
  const text = readWithin(parent.worktree, join(path, '.git'), 4096)?.toString()
  const target = text?.startsWith('gitdir: ') ? resolve(worktree, text.slice('gitdir: '.length).trimEnd()) : dotGit
  if (!existsSync(target) || !statSync(target).isDirectory()) return undefined
  const real = realpathSync(target)
  const homes = [parent.gitDir, parent.worktree].map((folder) => `${realpathSync(folder)}/`)
  return homes.some((home) => real.startsWith(home)) ? { gitDir: real, admin: real, worktree } : undefined
}

async function buildGitDir(dir: string, { gitDir, admin }: Place, config: string): Promise<void> {
  const head = readWithin(admin, 'HEAD', 4096)?.toString() ?? ''
  if (!HEAD.test(head)) {
    throw new NexusError('GIT_ERROR', `${admin}/HEAD names neither a branch nor a commit.`, {
      hint: `To see it, run \`cat ${admin}/HEAD\``,
    })
  }
  await makeFolder(join(dir, 'info'))
  await Promise.all([writeGenerated(join(dir, 'config'), config), writeGenerated(join(dir, 'HEAD'), head)])
  const shared = readdirSync(admin).filter((name) => name.startsWith('sharedindex.'))
  const links = [
    ...['objects', 'refs', 'packed-refs', 'reftable', 'shallow', 'info/exclude', 'info/attributes'].map(
      (name) => [gitDir, name] as const,
    ),
    ...['index', 'info/sparse-checkout', ...shared].map((name) => [admin, name] as const),
  ]
  for (const [from, name] of links) {
    if (isData(join(from, name))) await makeLink(join(from, name), join(dir, name))
  }
}

/** A pipe in the place of a file would be waited for. */
function isData(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.isFile() || stat.isDirectory())
}

/** What a killed process left. */
async function sweep(scratch: string): Promise<void> {
  const [folder, prefix] = [dirname(scratch), `${basename(scratch)}-`]
  const names = existsSync(folder) ? readdirSync(folder) : []
  for (const name of names) {
    const pid = name.startsWith(prefix) ? /^(\d+)-\d+$/.exec(name.slice(prefix.length))?.[1] : undefined
    if (pid !== undefined && !isRunning(pid)) await removeTree(join(folder, name))
  }
}

function isRunning(pid: string): boolean {
  if (Number(pid) === process.pid) return true
  return existsSync('/proc/self/stat') ? existsSync(`/proc/${Number(pid)}/stat`) : true
}
