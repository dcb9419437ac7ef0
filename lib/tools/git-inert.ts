/**
 * Runs git of this machine on a worktree that a workspace writes to, without running anything from it.
 *
 * git's configuration names programs (filters, fsmonitor, hooks, ssh, textconv, signature checks). A filter's name is
 * free, so no `-c` option can switch all of them off. For the moment of a look git gets a temporary git dir: our
 * configuration with harmless keys alone, and links to the data (objects, refs, index) of the real one. Nested
 * repositories get such a git dir too, since git itself would read their configuration.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { CommandFailed, type Runner, type RunOptions, type RunResult } from '../system/exec.ts'
import { removeTree } from '../system/store.ts'
import { readWithin } from '../system/within.ts'
import { explainGitFailure, parseStatus } from './git-failures.ts'
import { COMPARED_MAX_BYTES, type LargeFile, setLargeAside } from './git-large.ts'
import { listMarked, UNREADABLE } from './git-marked.ts'
import { buildGitDir, copyIndex, type GitPlace, sweep } from './git-scratch.ts'
import {
  formatSettings,
  type GitPair,
  isFormatKey,
  isOwnKey,
  isTreeKey,
  readOwnSettings,
  readSettings,
} from './git-settings.ts'
import { isPlainPointer, pointerLimit } from './lfs-pointer.ts'
import { listStrays } from './nested-repositories.ts'
import { readLooseTags, readWorktreeCommits } from './private-refs.ts'
import { findAdminDir, listGitOperationsIn, type Repository } from './repository.ts'
import { listSubmoduleDirs } from './submodule-dirs.ts'

/** Deep enough for submodules in submodules. */
const DEPTH_MAX = 8
const SUBMODULE_MODE = Buffer.from([0, 0, 0xe0, 0])
const INDEX_MAX_BYTES = 1024 * 1024 * 1024

/** The worktree is compared with this commit, which the repository has. */
export interface SeenAs {
  readonly commit: string
  /** This machine's index is that commit's. */
  readonly inStep: boolean
}

/** How to look at a worktree with a private git dir: by the commits that were brought back. */
export interface OwnTree extends SeenAs {
  /** The workspace's own git dir. */
  readonly path: string
}

/** Where a workspace's own git dir lies, and as what it is known inside: by the path of the repository's. */
interface OwnDirs {
  readonly path: string
  readonly as: string
}

/** A submodule by its path, or by its name where only its git dir lies there. */
interface FoundSubmodule {
  readonly name: string
  /** Undefined for one that is not read. */
  readonly place: GitPlace | undefined
}

export interface SubmoduleWork {
  /** Those with commits that neither remote-tracking branches nor tags as cloned have. */
  readonly unpushed: readonly string[]
  /** What was begun in them and not ended, such as `rebase in submodule sub`. */
  readonly unfinished: readonly string[]
}

/** Whether what git ignores is listed too (`!! path`), a folder that a pattern matches as one. */
type Ignored = 'no' | 'matching'

/** Takes files that are too large to be read out of the look, and names them (`git-large.ts`). */
export type SetAside = (timeoutMs: number) => Promise<readonly LargeFile[]>
export type InertRun = (args: readonly string[], options?: RunOptions) => Promise<RunResult>
export type InertGit = ReturnType<typeof createInertGit>

let sequence = 0

/** `scratch` is how the paths of the git dirs begin; each is gone after its look. */
export function createInertGit(runner: Runner, scratch: string) {
  let own: Promise<readonly GitPair[]> | undefined
  const settings = new Map<string, Promise<readonly GitPair[]>>()

  /** Settings of the user's and of the repository that say how its files are meant. */
  function settingsOf({ gitDir, admin }: GitPlace): Promise<readonly GitPair[]> {
    own ??= readOwnSettings(runner)
    const files = [join(gitDir, 'config'), join(admin, 'config.worktree')].filter((file) => existsSync(file))
    const key = files.join('\0')
    const known = settings.get(key) ?? readHarmless(own, files)
    settings.set(key, known)
    return known
  }

  async function readHarmless(
    user: Promise<readonly GitPair[]>,
    files: readonly string[],
  ): Promise<readonly GitPair[]> {
    const [mine, ...theirs] = await Promise.all([user, ...files.map((file) => readSettings(runner, file))])
    const format = theirs.flat().filter(([key]) => isFormatKey(key))
    return [
      ['core.repositoryformatversion', format.length === 0 ? '0' : '1'],
      ['core.bare', 'false'],
      // kept in the index, it would say which files are new
      ['core.untrackedcache', 'false'],
      // larger ones are binary, whatever is in them
      ['core.bigfilethreshold', String(COMPARED_MAX_BYTES)],
      ...(mine ?? []).filter(([key]) => isOwnKey(key)),
      ...theirs.flat().filter(([key]) => isTreeKey(key)),
      ...format,
    ]
  }

  /** Runs `look` with a git that has no program to run. */
  async function within<T>(place: GitPlace, look: (git: InertRun, dir: string) => Promise<T>): Promise<T> {
    const dir = `${scratch}-${process.pid}-${sequence++}`
    try {
      sweep(scratch)
      await buildGitDir(dir, place, formatSettings(await settingsOf(place)))
      const git: InertRun = (args, options = {}) => runInert(dir, place, args, options)
      if (place.index === 'copy') await git(['read-tree', '-i', '-m', place.commit ?? 'HEAD'])
      return await look(git, dir)
    } finally {
      await removeTree(dir)
    }
  }

  async function runInert(dir: string, { worktree }: GitPlace, args: readonly string[], options: RunOptions) {
    const env = {
      GIT_DIR: dir,
      GIT_WORK_TREE: worktree,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_NO_LAZY_FETCH: '1',
      // refs/replace would show one commit for another
      GIT_NO_REPLACE_OBJECTS: '1',
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
  function at<T>(
    repository: Repository,
    look: (git: InertRun, setAside: SetAside) => Promise<T>,
    seenAs?: SeenAs,
  ): Promise<T> {
    const place = ownPlaceOf(repository, seenAs)
    return within(place, (git, dir) => look(git, (timeoutMs) => setAside(git, dir, place, timeoutMs)))
  }

  function setAside(git: InertRun, dir: string, place: GitPlace, timeoutMs: number): Promise<readonly LargeFile[]> {
    return setLargeAside(git, place.worktree, () => copyIndex(dir, place), { timeoutMs })
  }

  /** Changed, untracked and marked files, as `git status --porcelain` names them, with those of submodules. */
  function listChanges(repository: Repository, timeoutMs = 60_000, own?: OwnTree, ignored: Ignored = 'no') {
    return changesAt(ownPlaceOf(repository, own), [timeoutMs, ignored], DEPTH_MAX, dirsOf(repository, own))
  }

  /** @param own a git dir in which those of submodules lie */
  async function changesAt(
    place: GitPlace,
    look: readonly [number, Ignored],
    depth: number,
    own?: OwnDirs,
  ): Promise<readonly string[]> {
    const [timeoutMs, ignored] = look
    // git would look for them where they are not, and it would not find their commits
    const submodules = own === undefined ? 'dirty' : 'all'
    const wanted = ['--untracked-files=normal', `--ignored=${ignored}`, `--ignore-submodules=${submodules}`]
    const mine = await within(place, async (git, dir) => {
      const large = (await setAside(git, dir, place, timeoutMs)).map(({ path }) => path)
      const [status, listed] = await Promise.all([
        git(['status', '--porcelain', '-z', ...wanted], { timeoutMs }),
        listMarked(git, place.worktree, join(dir, 'unmarked'), { timeoutMs }),
      ])
      const changes = withLarge(parseStatus(status), large)
      const limit = pointerLimit()
      const plain = await Promise.all(changes.map((change) => isPlainPointer(git, place.worktree, change, limit)))
      // the mark of those that were set aside is ours
      const marked = listed.filter((line) => !large.includes(line.slice(3)))
      return [...changes.filter((_, i) => plain[i] !== true), ...marked]
    })
    const nested = await eachSubmodule(place, depth, own, async (sub, path, commit) => {
      if (sub === 'not fetched') return listStrays(place.worktree, path)
      if (sub === undefined) return [` ? ${path}`]
      const changes = await changesAt(sub, look, depth - 1, own)
      const moved =
        own !== undefined && (await within(sub, (git) => git(['rev-parse', 'HEAD']))).stdout.trim() !== commit
      const inside = changes.map((change) => `${change.slice(0, 3)}${path}/${change.slice(3)}`)
      return [...(moved ? [` M ${path}`] : []), ...inside]
    })
    return [...mine, ...nested]
  }

  /** What only the git dirs of submodules have. */
  async function lookAtSubmodules(repository: Repository, own?: OwnTree): Promise<SubmoduleWork> {
    const { named, left } = await findSubmodules(repository, own)
    const states = await Promise.all(named.map(isUnpushed))
    const unpushed = named.filter((_, i) => states[i]).map(({ name }) => name)
    // a workspace may have made many: one after the other
    for (const one of left) if (await isUnpushed(one)) unpushed.push(one.name)
    const unfinished = [...named, ...left].flatMap(({ name, place }) =>
      place === undefined ? [] : listGitOperationsIn(place.gitDir).map((word) => `${word} in submodule ${name}`),
    )
    return { unpushed, unfinished }
  }

  async function isUnpushed({ place }: FoundSubmodule): Promise<boolean> {
    if (place === undefined) return true
    const { gitDir } = place
    const ids = [...readLooseTags(gitDir).values(), ...readWorktreeCommits(gitDir).map(({ id }) => id)]
    // with HEAD, where that has a commit
    const refs = ['--exclude=refs/remotes/*', '--exclude=refs/tags/*', '--all', ...ids]
    const args = ['rev-list', '--count', '--ignore-missing', ...refs, '--not', '--remotes']
    return (await within(place, (git) => git(args))).stdout.trim() !== '0'
  }

  /** Those that the index names, and those that are left of which only the git dir lies there. */
  async function findSubmodules(repository: Repository, own?: OwnTree) {
    const place = ownPlaceOf(repository, own)
    // of a worktree that was deleted by hand, git dirs are left
    const isThere = existsSync(place.worktree)
    const named = isThere ? await submodulesAt(place, DEPTH_MAX, dirsOf(repository, own)) : []
    const dirs = [
      ...listSubmoduleDirs(place.admin, ['modules']),
      ...(own === undefined ? [] : listSubmoduleDirs(own.path, ['modules', 'worktrees'])),
      ...named.flatMap(({ name, place: sub }) =>
        (sub === undefined ? [] : listSubmoduleDirs(sub.gitDir, ['modules', 'worktrees'])).map((dir) => ({
          ...dir,
          name: `${name}/${dir.name}`,
        })),
      ),
    ]
    const byPath = new Map(dirs.map((dir) => [dir.gitDir, dir]))
    for (const { place: sub } of named) byPath.delete(sub?.gitDir ?? '')
    const left = [...byPath.values()].map(({ name, gitDir, readable }): FoundSubmodule => {
      // it has no files any more, and a look that needs none begins somewhere
      return { name, place: readable ? { gitDir, admin: gitDir, worktree: gitDir } : undefined }
    })
    return { named, left }
  }

  function submodulesAt(place: GitPlace, depth: number, own?: OwnDirs): Promise<readonly FoundSubmodule[]> {
    return eachSubmodule(place, depth, own, async (sub, path) => {
      if (sub === 'not fetched') return []
      const nested = sub === undefined ? [] : await submodulesAt(sub, depth - 1, own)
      return [{ name: path, place: sub }, ...nested.map((one) => ({ ...one, name: `${path}/${one.name}` }))]
    })
  }

  /** With its place; undefined for one whose git dir is not where git puts it. */
  async function eachSubmodule<T>(
    place: GitPlace,
    depth: number,
    own: OwnDirs | undefined,
    visit: (sub: GitPlace | 'not fetched' | undefined, path: string, commit: string) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    if (depth === 0 || !mayHaveSubmodules(place)) return []
    const { stdout } = await within(place, (git) => git(['ls-files', '--stage', '-z']))
    const visits = listSubmodules(stdout).map(({ path, commit }) => {
      // it cannot be read
      if (path.includes(UNREADABLE)) return visit(undefined, path, commit)
      const fetched = existsSync(join(place.worktree, path, '.git'))
      return visit(fetched ? submoduleAt(place, path, own) : 'not fetched', path, commit)
    })
    return (await Promise.all(visits)).flat()
  }

  /**
   * How many commits of a revision no branch, tag or remote-tracking branch reaches, but for `ownRef`. A stash, or what is checked out
   * without a branch, is no place to find them again.
   */
  async function countUniqueCommits(repository: Repository, revision: string, ownRef?: string): Promise<number> {
    const own = ownRef === undefined ? [] : [`--exclude=${ownRef}`]
    const others = [...own, '--glob=refs/heads/*', '--tags', '--remotes']
    const args = ['rev-list', '--count', '--not', ...others, '--not', '--end-of-options', revision]
    return Number((await at(repository, (git) => git(args))).stdout.trim())
  }

  /** Which of these ids are of commits that no ref has, or are not here. Of Nexus's refs, those below `own` count. */
  async function listUnreached(
    repository: Repository,
    ids: readonly string[],
    own: string,
  ): Promise<readonly string[]> {
    if (ids.length === 0) return []
    return at(repository, async (git) => {
      const input = ids.map((id) => `${id}\n`).join('')
      const kinds = (await git(['cat-file', '--batch-check=%(objecttype)'], { input })).stdout.split('\n')
      const commits = ids.filter((_, i) => kinds[i] === 'commit')
      const args = ['rev-list', '--stdin', '--not', '--exclude=refs/nexus/*', '--glob=refs/*', `--glob=${own}/*`]
      const listed = commits.length === 0 ? '' : (await git(args, { input: `${commits.join('\n')}\n` })).stdout
      const unreached = new Set(listed.split('\n'))
      return ids.filter((id, i) => kinds[i]?.endsWith(' missing') || unreached.has(id))
    })
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

  /** Staged or marked files of a private git dir, which only its own index tells. */
  async function listStaged(repository: Repository, own: OwnTree): Promise<readonly string[]> {
    const place = ownPlaceOf(repository, own)
    const index = { root: own.path, folder: join('worktrees', basename(place.admin)) }
    if (!existsSync(join(index.root, index.folder, 'index'))) return []
    const args = ['diff-index', '--cached', '--no-renames', '--ignore-submodules=none', '--name-status', '-z', 'HEAD']
    return within({ ...place, index }, async (git, dir) => {
      const words = (await git(args)).stdout.split('\0').filter((word) => word !== '')
      const staged = words.flatMap((word, i) => (i % 2 === 0 ? [`${word}  ${words[i + 1] ?? ''}`] : []))
      return [...staged, ...(await listMarked(git, place.worktree, join(dir, 'unmarked'), {}))]
    })
  }

  /** Sets a worktree's index to a commit and touches no file; the cached state of unchanged files stays. */
  async function setIndex(repository: Repository, commit: string): Promise<void> {
    const { admin } = placeOf(repository)
    const env = { GIT_INDEX_FILE: join(admin, 'index'), GIT_OPTIONAL_LOCKS: '1' }
    await at(repository, (git) => git(['read-tree', '-i', '-m', commit], { env }))
  }

  return {
    at,
    listChanges,
    lookAtSubmodules,
    countUniqueCommits,
    listUnreached,
    listCommits,
    listContents,
    listStaged,
    setIndex,
  }
}

/** By what the repository says of its worktrees: the `.git` file in the tree could lead anywhere. */
function placeOf({ root, gitDir, worktree }: Repository): GitPlace {
  if (worktree === root) return { gitDir, admin: gitDir, worktree }
  const admin = findAdminDir(gitDir, worktree)
  if (admin !== undefined) return { gitDir, admin: admin.path, worktree }
  throw new NexusError('GIT_ERROR', `git knows no worktree at ${worktree} any more.`, {
    hint: `To see those it knows, run \`git -C ${root} worktree list\``,
  })
}

function dirsOf({ gitDir }: Repository, own: OwnTree | undefined): OwnDirs | undefined {
  return own === undefined ? undefined : { path: own.path, as: gitDir }
}

function ownPlaceOf(repository: Repository, own: SeenAs | undefined): GitPlace {
  const place = placeOf(repository)
  if (own === undefined) return place
  return { ...place, commit: own.commit, ...(own.inStep ? {} : { index: 'copy' as const }) }
}

/** Changes with those of files that were set aside, of which git tells what is staged alone. */
function withLarge(changes: readonly string[], large: readonly string[]): readonly string[] {
  if (large.length === 0) return changes
  const staged = new Map(changes.map((change) => [change.slice(3), change[0]]))
  const others = changes.filter((change) => !large.includes(change.slice(3)))
  return [...others, ...large.map((path) => `${staged.get(path) ?? ' '}M ${path}`)]
}

/** Finds submodules by their mode in the index: listing all files would cost more than the rest of the look. */
function mayHaveSubmodules({ admin }: GitPlace): boolean {
  const files = readdirSync(admin).filter((name) => name === 'index' || name.startsWith('sharedindex.'))
  return files.some((name) => readWithin(admin, name, INDEX_MAX_BYTES)?.includes(SUBMODULE_MODE) !== false)
}

/** Of what `ls-files --stage -z` lists. */
function listSubmodules(listed: string): readonly { readonly path: string; readonly commit: string }[] {
  const links = listed.split('\0').filter((line) => line.startsWith('160000 '))
  return links.map((line) => ({ path: line.slice(line.indexOf('\t') + 1), commit: line.split(' ')[1] ?? '' }))
}

/** A submodule's git dir lies in the repository's git dir or in the worktree; others are not read. */
function submoduleAt(parent: GitPlace, path: string, own?: OwnDirs): GitPlace | undefined {
  const worktree = join(parent.worktree, path)
  const dotGit = join(worktree, '.git')
  const text = readWithin(parent.worktree, join(path, '.git'), 4096)?.toString()
  const named = text?.startsWith('gitdir: ') ? resolve(worktree, text.slice('gitdir: '.length).trimEnd()) : dotGit
  const target = own !== undefined && named.startsWith(`${own.as}/`) ? own.path + named.slice(own.as.length) : named
  if (!existsSync(target) || !statSync(target).isDirectory()) return undefined
  const real = realpathSync(target)
  const homes = [own?.path ?? parent.gitDir, parent.worktree].map((folder) => `${realpathSync(folder)}/`)
  return homes.some((home) => real.startsWith(home)) ? { gitDir: real, admin: real, worktree } : undefined
}
