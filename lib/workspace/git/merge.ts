/**
 * Merges a workspace's branch into what the main worktree is on, as `git merge` by hand would, with the user's own
 * configuration. The commit is looked up once: what is told of it, by git on this machine, is what is merged. Conflicts are
 * found before a file is touched, and whatever fails later is taken back.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { removeTree } from '../../system/store.ts'
import { isMarked, UNREADABLE } from '../../tools/git-marked.ts'
import type { Foreseen, TreeChange } from '../../tools/git-merge.ts'
import { listGitOperationsIn, readHeadBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { observeOne } from '../observe.ts'
import { withRepository } from '../operation/operate.ts'
import { listInTheWay } from './in-the-way.ts'
import { listChanges } from './losses.ts'
import { lookAtPrograms } from './merge-programs.ts'
import { type Commit, type FileChange, listCommits, listFiles } from './review.ts'

/** Commits and files that are named before a merge. */
const TOLD_MAX = 50

export interface MergeRequest {
  readonly squash: boolean
  /** The branch that the main worktree must be on; undefined for any. */
  readonly into: string | undefined
  readonly dryRun: boolean
}

export interface Merged {
  readonly into: string
  readonly branch: string
  /** How many commits came in; in a dry run would. */
  readonly commits: number
  /** What the branch of the main worktree is at now. */
  readonly commit: string
  /** The tip of what came in; in a dry run would. */
  readonly merged: string
  readonly files: readonly FileChange[]
}

/**
 * @throws {NexusError} SYNC_CONFLICT with the files; WORKSPACE_DIRTY for changes in the main worktree; nothing is changed then
 */
export async function mergeWorkspace(app: App, record: WorkspaceRecord, request: MergeRequest): Promise<Merged> {
  const { repo, branch, local } = record
  if (local === null) {
    throw new NexusError('UNSUPPORTED', `Workspace ${record.name} has no branch on this machine.`, {
      hint: `To see where it runs, run \`nexus status ${record.name}\``,
    })
  }
  const { gitDir } = local
  refuseUnfinished(record, gitDir)
  const into = requireInto(record, gitDir, request.into)
  if (record.gitMode === 'private') {
    const { bringBack, tell } = await import('./bring-back.ts')
    const running = (await observeOne(app, record)).state === 'running'
    tell(app, record, await bringBack(app, record, running))
  }
  await tellUncommitted(app, record)
  return withRepository(app, gitDir, async () => {
    const edited = await requireClean(app, record, gitDir)
    const coming = await findComing(app, record, gitDir)
    const { head, tip, commits, files, foreseen } = coming
    if (commits.length > 0) {
      tellComing(app, record, into, coming)
      const { conflicts, changes } = foreseen
      if (conflicts.length > 0) throw conflict(record, into, conflicts)
      refuseReplacing(record, changes, listInTheWay(repo, changes, edited))
      if (!request.dryRun) await merge(app, record, { into, head, tip, changes, squash: request.squash })
    }
    const commit = (await app.git.findCommit(repo, 'HEAD')) ?? ''
    return { into, branch, commits: commits.length, commit, merged: tip, files }
  })
}

/** What a merge brings, by ids. */
interface Coming {
  readonly head: string
  readonly tip: string
  /** Newest first. */
  readonly commits: readonly Commit[]
  readonly files: readonly FileChange[]
  readonly foreseen: Foreseen
}

async function findComing(app: App, { repo, branch }: WorkspaceRecord, gitDir: string): Promise<Coming> {
  const [head, tip] = await Promise.all([
    app.git.findCommit(repo, 'HEAD'),
    app.git.findCommit(repo, `refs/heads/${branch}`),
  ])
  if (head === undefined || tip === undefined) {
    throw new NexusError('GIT_ERROR', `${head === undefined ? 'HEAD' : `Branch ${branch}`} names no commit.`, {
      hint: `To see what there is, run \`git -C ${repo} branch --all\``,
    })
  }
  // what the merge will make, not what the branch changed: with several merge bases these are two things
  const foreseen = await app.git.foresee(repo, head, tip)
  return app.inertGit.at({ root: repo, gitDir, worktree: repo }, async (git) => {
    const { stdout } = await git(['merge-base', head, tip], { okCodes: 'any' })
    const [base = tip] = stdout.split('\n').filter((line) => line !== '')
    const [from, to] = foreseen.tree === undefined ? [base, tip] : [head, foreseen.tree]
    const [commits, files] = await Promise.all([listCommits(git, head, tip), listFiles(git, from, to)])
    return { head, tip, commits, files, foreseen }
  })
}

/** Before anything of it is merged. */
function tellComing(app: App, { branch }: WorkspaceRecord, into: string, { tip, commits, files }: Coming): void {
  const say = (text: string) => app.emit({ type: 'notice', text })
  const rest = (all: readonly unknown[]) => (all.length > TOLD_MAX ? [`... and ${all.length - TOLD_MAX} more`] : [])
  say(`what ${branch} at ${tip.slice(0, 10)} brings into ${into}:`)
  const subjects = commits.slice(0, TOLD_MAX).map(({ id, subject }) => `${id.slice(0, 10)} ${subject}`)
  for (const line of [...subjects, ...rest(commits)]) say(`  ${line}`)
  const counted = files.slice(0, TOLD_MAX).map(({ path, from, insertions, deletions }) => {
    const counts = insertions === null ? 'binary' : `+${insertions} -${deletions}`
    return `${counts}  ${from === undefined ? path : `${from} -> ${path}`}`
  })
  for (const line of [...counted, ...rest(files)]) say(`  ${line}`)
}

function requireInto({ name, repo, branch }: WorkspaceRecord, gitDir: string, wanted: string | undefined): string {
  const now = readHeadBranch(gitDir)
  if (now !== null && now !== branch && (wanted === undefined || wanted === now)) return now
  const is = now === null ? 'no branch' : `branch ${now}`
  throw new NexusError(
    'INVALID_ARGUMENT',
    `The main worktree ${repo} is on ${is}, so ${name} cannot be merged there.`,
    {
      hint: `To change that, run \`git -C ${repo} switch ${wanted ?? 'main'}\``,
      details: { branch: now },
    },
  )
}

/** @returns marked files with edits: the user keeps them so, and only a merge that changes them is in their way */
async function requireClean(app: App, record: WorkspaceRecord, gitDir: string): Promise<readonly string[]> {
  refuseUnfinished(record, gitDir)
  const { repo } = record
  const changes = await app.inertGit.listChanges({ root: repo, gitDir, worktree: repo })
  const tracked = changes.filter((change) => !change.startsWith('??') && !isMarked(change))
  if (tracked.length === 0) return changes.filter(isMarked).map((line) => line.slice(3))
  throw new NexusError('WORKSPACE_DIRTY', `The main worktree ${repo} holds changes that are not committed.`, {
    hint: `To see it, run \`git -C ${repo} status\``,
    details: { changes: tracked.slice(0, 1000), unfinished: null },
    output: tracked.slice(0, 20).map(printable).join('\n'),
  })
}

/** While it lasts, HEAD may be on no branch, and git switches to none. @throws {NexusError} WORKSPACE_DIRTY */
function refuseUnfinished({ repo }: WorkspaceRecord, gitDir: string): void {
  const [word] = listGitOperationsIn(gitDir)
  if (word === undefined) return
  const unfinished = existsSync(join(gitDir, 'rebase-apply', 'applying')) ? 'am' : word
  const git = `git -C ${shellWord(repo)} ${unfinished}`
  throw new NexusError('WORKSPACE_DIRTY', `The main worktree ${repo} holds an unfinished ${unfinished}.`, {
    hint:
      unfinished === 'bisect'
        ? `To end it, run \`${git} reset\``
        : `To finish it, run \`${git} --continue\`; to take it back, \`${git} --abort\``,
    details: { changes: [], unfinished },
  })
}

async function tellUncommitted(app: App, record: WorkspaceRecord): Promise<void> {
  const changes = await listChanges(app, record)
  if (changes.length === 0) return
  const what =
    changes.length === 1
      ? 'a change that is not committed stays'
      : `${changes.length} changes that are not committed stay`
  app.emit({ type: 'warning', text: `${what} in ${record.name}` })
}

/** @throws {NexusError} SYNC_CONFLICT with files of the main worktree that git does not keep */
function refuseReplacing(
  { name, branch, repo }: WorkspaceRecord,
  changes: readonly TreeChange[],
  files: readonly string[],
): void {
  const [first] = files
  if (first === undefined) return
  const count = files.length === 1 ? 'a file' : `${files.length} files`
  // of a folder that would become a file all of it goes, unless it has tracked files too
  const folder = changes.find(({ path }) => first.startsWith(`${path}/`))?.path ?? first
  const isMixed = changes.some(({ path }) => path.startsWith(`${folder}/`))
  const [from, to] = [isMixed ? first : folder, `${folder}.mine`].map((path) => shellWord(join(repo, path)))
  throw new NexusError(
    'SYNC_CONFLICT',
    `Branch ${branch} would replace ${count} in ${repo} that git does not keep; nothing was merged.`,
    {
      hint: first.includes(UNREADABLE)
        ? `To keep it, give it another name (its name is not UTF-8), and run \`nexus merge ${name}\``
        : `To keep it under another name, run \`mv ${from} ${to} && nexus merge ${name}\``,
      details: { files, branch },
      output: files.slice(0, 20).map(printable).join('\n'),
    },
  )
}

function conflict({ name, branch }: WorkspaceRecord, into: string, files: readonly string[]): NexusError {
  const count = files.length === 1 ? 'a file' : `${files.length} files`
  return new NexusError(
    'SYNC_CONFLICT',
    `Branch ${branch} and ${into} changed ${count} in different ways; nothing was merged.`,
    {
      hint: `To settle it in the workspace, run \`nexus exec ${name} -- git merge ${into}\``,
      details: { files, branch, into },
      output: files.slice(0, 20).map(printable).join('\n'),
    },
  )
}

interface Wish extends Pick<Coming, 'head' | 'tip'> {
  readonly into: string
  readonly changes: readonly TreeChange[]
  readonly squash: boolean
}

async function merge(app: App, record: WorkspaceRecord, { into, head, tip, changes, squash }: Wish): Promise<void> {
  const { repo, branch } = record
  // the message is for a merge commit, of which git says that a fast-forward makes none
  const onLine = (line: string) =>
    app.emit({ type: 'progress', text: line.replace(/ \(no commit created; -m option ignored\)/, '') })
  const paths = changes.map(({ path }) => path)
  const whose = await lookAtPrograms(app, record, head, paths)
  const added = changes.filter(({ status, path }) => status === 'A' && !existsSync(join(repo, path)))
  try {
    await app.interruption.undoable(() => app.git.merge(repo, tip, { branch, squash, whose, onLine }))
  } catch (error) {
    const files = await app.git.listUnmerged(repo)
    app.interruption.reset()
    await app.git.undoMerge(repo)
    // files that git wrote and then did not take in
    for (const { path } of added) await removeTree(join(repo, path))
    throw files.length > 0 ? conflict(record, into, files) : error
  }
}
