/**
 * What a delete would lose: one table of its kinds. Of what git's status does not tell it knows files with a mark, unfinished work,
 * commits that no branch has, stashes, and repositories and linked worktrees in any folder. What git ignores is looked for too; it
 * refuses nothing, and what of it is found nowhere else goes to the trash.
 */

import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { localOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type Ignored, judgeIgnored } from '../../project/ignored-work.ts'
import { readPlain } from '../../system/read.ts'
import { lastLogged } from '../../tools/branch-log.ts'
import { isMarked, withMark } from '../../tools/git-marked.ts'
import { listNested } from '../../tools/nested-repositories.ts'
import { readPrivateHead, readWorktreeRefs } from '../../tools/private-refs.ts'
import {
  findAdminDir,
  hasBranch,
  isLinked,
  listGitOperations,
  type Repository,
  readBranch,
} from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'
import { isEmpty } from '../drift.ts'
import type { Inside } from './private-losses.ts'
import { isHalfMade } from './worktree-owner.ts'

const LOOK_TIMEOUT_MS = 60_000

/** A worktree that git knows, as the looks see it. */
export interface Sight {
  readonly app: App
  readonly repository: Repository
  /** Undefined where the repository's git dir is shared. */
  readonly inside: Inside | undefined
  /** What git's status says, of ignored files too, and of marked ones. */
  readonly status: Promise<readonly string[]>
}

/** What a delete would lose. */
export interface Losses {
  /** A line for each thing of the table, for which it refuses. */
  readonly refused: readonly string[]
  /** For which it does not. */
  readonly ignored: Ignored
}

export const NO_LOSSES: Losses = { refused: [], ignored: { work: [], dropped: [] } }
const IGNORED = '!! '

type Look = (sight: Sight) => Promise<readonly string[]>

/** Every kind of loss, by how it is looked for: a line for each thing. */
export const LOSSES = {
  files: listFiles,
  unfinished: async ({ repository, inside }) =>
    (inside?.unfinished ?? listGitOperations(repository.worktree)).map((word) => `an unfinished ${word}`),
  submodules: async ({ app, repository, inside }) => {
    const { unpushed, unfinished } = await app.inertGit.lookAtSubmodules(repository, inside?.own)
    const commits = unpushed.map((path) => `commits of submodule ${path} that are not pushed`)
    return [...commits, ...unfinished.map((words) => `an unfinished ${words}`)]
  },
  commits: listCommits,
  stashes: async ({ inside }) => {
    const count = inside?.stashes ?? 0
    return count === 0 ? [] : [count === 1 ? 'a stash' : `${count} stashes`]
  },
  repositories: ({ app, repository, inside }) => {
    const { gitDir, worktree } = repository
    const admin = findAdminDir(gitDir, worktree)?.path
    const modules = [gitDir, admin, inside?.gitDir].flatMap((dir) => (dir === undefined ? [] : [join(dir, 'modules')]))
    return listNested(app.runner, worktree, modules, LOOK_TIMEOUT_MS)
  },
} as const satisfies Readonly<Record<string, Look>>

/** Changed, untracked and marked files, each once; of a marked one the mark says most. */
async function listFiles({ app, repository, inside, status }: Sight): Promise<readonly string[]> {
  const own = inside?.own
  const [changes, staged] = await Promise.all([
    status.then((lines) => lines.filter((line) => !line.startsWith(IGNORED))),
    own === undefined ? [] : app.inertGit.listStaged(repository, own),
  ])
  const told = (line: string) => (isMarked(line) ? withMark(line) : `${line} (staged, as the inside tells it)`)
  const all = [...changes.map((line) => [line, withMark(line)]), ...staged.map((line) => [line, told(line)])]
  const byPath = new Map<string, string>()
  for (const [line = '', text = ''] of all) {
    const path = line.slice(3)
    if (isMarked(line) || !byPath.has(path)) byPath.set(path, text)
  }
  return [...byPath.values()]
}

async function listCommits({ app, repository, inside }: Sight): Promise<readonly string[]> {
  if (inside !== undefined) return inside.commits
  const { root, gitDir, worktree } = repository
  const admin = findAdminDir(gitDir, worktree)?.path
  if (admin === undefined) return []
  const held = [...readWorktreeRefs(admin)].map(([name, id]): [string, string] => [`of refs/worktree/${name}`, id])
  const head = detachedIn(gitDir, admin)
  if (head !== undefined) held.unshift(['on a detached HEAD', head])
  const branch = readBranch(worktree)
  const last = lastLogged(admin)
  const isLost = branch != null && !hasBranch(gitDir, branch) && last !== undefined
  if (isLost && (await app.git.findCommit(root, last))) held.unshift([`of ${branch}, which is gone`, last])
  const lines = held.map(async ([where, commit]) => {
    const count = await countUnique(app, repository, commit)
    return count === 0 ? [] : [`${count} commits ${where}`]
  })
  return (await Promise.all(lines)).flat()
}

/** By the repository, as the worktree may be gone. */
function countUnique(app: App, repository: Repository, commit: string): Promise<number> {
  return app.inertGit.countUniqueCommits({ ...repository, worktree: repository.root }, commit)
}

/** The commit that is checked out without a branch, also where the folder was deleted by hand. */
export function readDetached({ gitDir, worktree }: Pick<Repository, 'gitDir' | 'worktree'>): string | undefined {
  const admin = findAdminDir(gitDir, worktree)?.path
  return admin === undefined ? undefined : detachedIn(gitDir, admin)
}

function detachedIn(gitDir: string, admin: string): string | undefined {
  return readPrivateHead(gitDir, basename(admin))?.commit ?? undefined
}

/** Before git forgets a worktree that was deleted by hand: commits that no branch has get one. */
export async function keepDetached(app: App, record: WorkspaceRecord): Promise<void> {
  const repository = repositoryOf(record)
  if (repository === undefined || record.gitMode === 'private') return
  const commit = readDetached(repository)
  if (commit === undefined || (await countUnique(app, repository, commit)) === 0) return
  const branch = `${record.branch}-detached-${commit.slice(0, 10)}`
  await app.git.makeBranch(record.repo, branch, commit)
  const text = `commits that the worktree had on no branch are on branch ${branch} now`
  app.emit({
    type: 'warning',
    text,
    hint: `To see them, run \`git -C ${shellWord(record.repo)} log ${shellWord(branch)}\``,
  })
}

/** Changed, untracked and marked paths, as `git status --porcelain` names them. Nothing of the tree is run on this machine. */
export async function listChanges(
  app: App,
  record: WorkspaceRecord,
  timeoutMs = LOOK_TIMEOUT_MS,
): Promise<readonly string[]> {
  const repository = repositoryOf(record)
  if (repository === undefined) return []
  if (record.gitMode !== 'private') return app.inertGit.listChanges(repository, timeoutMs)
  return (await import('./private-losses.ts')).listPrivateChanges(app, record, repository, timeoutMs)
}

/**
 * With `bring`, commits come back first from a git dir of the workspace's own.
 * @throws {NexusError} GIT_ERROR and the like where git cannot look
 */
export async function findLosses(app: App, record: WorkspaceRecord, bring: boolean): Promise<Losses> {
  const repository = repositoryOf(record)
  if (repository === undefined || isHalfMade(record)) return NO_LOSSES
  const { gitDir, worktree } = repository
  const staysOrGone = record.local?.adopted === true || isEmpty(worktree)
  if (!staysOrGone && !isLinked(gitDir, worktree))
    return { ...NO_LOSSES, refused: [`everything in ${worktree}: it is no worktree of ${gitDir} any more`] }
  // what comes back first is what the files are compared with
  const inside =
    record.gitMode === 'private'
      ? await (await import('./private-losses.ts')).lookInside(app, record, bring)
      : undefined
  if (inside === null) return NO_LOSSES
  if (staysOrGone) {
    const isAdopted = record.local?.adopted === true
    return { ...NO_LOSSES, refused: await lookWithoutFiles({ app, repository, inside }, isAdopted) }
  }
  const status = app.inertGit.listChanges(repository, LOOK_TIMEOUT_MS, inside?.own, 'matching')
  const sight = { app, repository, inside, status }
  const [refused, ignored] = await Promise.all([
    Promise.all(Object.values(LOSSES).map((look) => look(sight))),
    status.then((lines) => {
      const paths = lines.filter((line) => line.startsWith(IGNORED)).map((line) => line.slice(IGNORED.length))
      return judgeIgnored(worktree, record.repo, paths)
    }),
  ])
  return { refused: refused.flat(), ignored }
}

/**
 * A delete leaves the folder of an adopted worktree, and one that was deleted by hand is gone: a git dir of the workspace's own is
 * there, and what the repository's knows of the one that is gone.
 */
async function lookWithoutFiles(sight: Omit<Sight, 'status'>, isAdopted: boolean): Promise<readonly string[]> {
  if (sight.inside === undefined) return isAdopted ? [] : listCommits({ ...sight, status: Promise.resolve([]) })
  const { unfinished, commits, stashes } = LOSSES
  const looks = [unfinished, commits, stashes].map((look) => look({ ...sight, status: Promise.resolve([]) }))
  return (await Promise.all(looks)).flat()
}

/** Why a worktree is locked (`git worktree lock`), in words; undefined where it is not. Its folder may be on a drive that is away. */
export function findLock(record: WorkspaceRecord): string | undefined {
  const { local } = record
  if (local === null || isHalfMade(record)) return undefined
  const file = join(findAdminDir(local.gitDir, local.worktree)?.path ?? '', 'locked')
  if (file === 'locked' || !existsSync(file)) return undefined
  const reason = readPlain(file)?.toString().trim() ?? ''
  return `the worktree is locked${reason === '' ? '' : `: ${reason}`}`
}

/** @throws {NexusError} WORKSPACE_DIRTY: git was told to keep it */
export function refuseLock(record: WorkspaceRecord): void {
  const lock = findLock(record)
  if (lock === undefined) return
  const { name, repo } = record
  const unlock = `git -C ${shellWord(repo)} worktree unlock ${shellWord(localOf(record).worktree)}`
  throw new NexusError('WORKSPACE_DIRTY', `Workspace ${name} is kept by a lock of git.`, {
    hint: `To delete it all the same, add \`--locked\`; to take the lock away, run \`${unlock}\``,
    details: { lost: [lock] },
    output: printable(lock),
  })
}

/** What refuses nothing. @throws {NexusError} WORKSPACE_DIRTY with what would be lost */
export async function refuseLoss(app: App, record: WorkspaceRecord, locked: boolean): Promise<Ignored> {
  const lock = locked ? undefined : findLock(record)
  const { refused, ignored } = await findLosses(app, record, true)
  const lost = [...(lock === undefined ? [] : [lock]), ...refused]
  if (lost.length === 0) return ignored
  throw dirty(record, lost, lock !== undefined)
}

/** For a delete that would lose something; a line for each thing. */
export function dirty(record: WorkspaceRecord, lost: readonly string[], isLocked = false): NexusError {
  const force = `nexus delete ${record.name} --force${isLocked ? ' --locked' : ''}`
  const more = lost.length > 20 ? `\n... and ${lost.length - 20} more` : ''
  return new NexusError(
    'WORKSPACE_DIRTY',
    `Workspace ${record.name} holds ${lost.length === 1 ? 'a change' : `${lost.length} changes`} that would be lost.`,
    {
      hint: `To delete it and keep them in the trash for a while, run \`${force}\``,
      details: { lost: lost.slice(0, 1000) },
      output: `${lost.slice(0, 20).map(printable).join('\n')}${more}`,
    },
  )
}
