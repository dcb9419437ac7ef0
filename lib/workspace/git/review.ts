/**
 * What was done in a workspace since its branch began: commits, changed files with their counts, what is not committed. All of
 * it is found by git on this machine, over commits that were brought back and the files as they lie in the worktree; nothing
 * inside is asked. What is committed and undone again in the files is shown all the same: a merge would bring it.
 */
import { NexusError } from '../../core/errors.ts'
import { notCompared } from '../../core/sizes.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { InertRun, SetAside } from '../../tools/git-inert.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'
import { findTip } from './review-tip.ts'

const LOOK_TIMEOUT_MS = 2 * 60_000
/** More is nothing to read. */
const PATCH_MAX_BYTES = 32 * 1024 * 1024
const PLAIN_DIFF = [
  'diff',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--ignore-submodules=dirty',
  '--find-renames',
]

export interface Commit {
  readonly id: string
  readonly subject: string
  readonly author: string
  readonly date: string
}

export interface FileChange {
  readonly path: string
  /** Its former path. */
  readonly from?: string
  /** Null for a binary file, and one that is not compared. */
  readonly insertions: number | null
  readonly deletions: number | null
  /** How large the file is now; only where it is too large to be compared. */
  readonly tooLarge?: number
}

export interface Review {
  readonly workspace: string
  readonly branch: string
  readonly base: string
  /** The tip of what is shown as committed; null where the branch is gone. */
  readonly commit: string | null
  readonly commits: readonly Commit[]
  /** What the commits change and what the files as they are now have besides; of a file that is in both, the sum. */
  readonly files: readonly FileChange[]
  /** Of these, what is not committed. */
  readonly uncommitted: readonly FileChange[]
  readonly untracked: readonly string[]
  readonly insertions: number
  readonly deletions: number
  /** Something of it is not committed. */
  readonly dirty: boolean
  /** Why commits from inside are not all here; null when they are. */
  readonly incomplete: string | null
}

export interface Reviewed extends Review {
  /** The whole difference; only when asked for. */
  readonly patch: string
}

export async function review(app: App, record: WorkspaceRecord, wanted: { patch: boolean }): Promise<Reviewed> {
  const repository = repositoryOf(record)
  if (repository === undefined) throw noFiles(record)
  const [{ tip, from, incomplete }, main] = await Promise.all([
    findTip(app, record),
    app.git.findCommit(record.repo, 'HEAD'),
  ])
  const look = async (git: InertRun, setAside: SetAside): Promise<Reviewed> => {
    const large = (await setAside(LOOK_TIMEOUT_MS)).map(({ path, bytes }) => ({
      path,
      insertions: null,
      deletions: null,
      tooLarge: bytes,
    }))
    const base = await findBase(git, record, main, tip)
    const numbers = (...range: readonly string[]) => text(git, [...PLAIN_DIFF, '--numstat', '-z', ...range, '--'])
    const [commits, committed, compared, untracked] = await Promise.all([
      listCommits(git, base, tip),
      numbers(base, tip).then(parseNumbers),
      numbers(...filesOnly(record), from.commit).then(parseNumbers),
      text(git, ['ls-files', '--others', '--exclude-standard', '-z']).then(fields),
    ])
    const pending = [...compared.filter(({ path }) => large.every((one) => one.path !== path)), ...large]
    const files = addUp(committed, pending)
    return {
      workspace: record.name,
      branch: record.branch,
      base,
      commit: tip,
      commits,
      files,
      uncommitted: pending,
      untracked,
      insertions: sum(files.map(({ insertions }) => insertions)),
      deletions: sum(files.map(({ deletions }) => deletions)),
      dirty: pending.length > 0 || untracked.length > 0,
      incomplete,
      patch: wanted.patch ? await readPatch(git, record, { base, tip, from: from.commit }, { committed, pending }) : '',
    }
  }
  return app.inertGit.at(repository, look, from)
}

function noFiles({ name, backend }: WorkspaceRecord): NexusError {
  return new NexusError('UNSUPPORTED', `Workspace ${name} of the backend ${backend} has no files on this machine.`, {
    hint: `To see where it runs, run \`nexus status ${name}\``,
  })
}

async function text(git: InertRun, args: readonly string[]): Promise<string> {
  return (await git(args, { timeoutMs: LOOK_TIMEOUT_MS })).stdout
}

/** Where the branch began; further on when it was put on top of, or has taken in, what the main worktree is on. */
async function findBase(
  git: InertRun,
  { base }: WorkspaceRecord,
  main: string | undefined,
  tip: string,
): Promise<string> {
  if (main === undefined) return base ?? tip
  const common = await git(['merge-base', '--all', '--end-of-options', main, tip], { okCodes: 'any' })
  const [shared = '', another] = common.code === 0 ? common.stdout.trim().split('\n') : []
  // a merge would start from all of them: by one alone, what it takes back of the others would not be seen
  if (another !== undefined) return main
  if (base === null) return shared === '' ? tip : shared
  if (shared === '' || shared === tip) return base
  const further = await git(['merge-base', '--is-ancestor', base, shared], { okCodes: 'any' })
  return further.code === 0 ? shared : base
}

/** Also what a merge is about to bring. */
export async function listCommits(git: InertRun, base: string, tip: string): Promise<readonly Commit[]> {
  const format = '--format=%H%x00%s%x00%an%x00%cI%x00'
  const args = ['log', '--no-color', '--no-show-signature', format, '--end-of-options', `${base}..${tip}`]
  const words = (await text(git, args)).split('\0')
  return Array.from({ length: Math.floor(words.length / 4) }, (_, i) => {
    const [id = '', subject = '', author = '', date = ''] = words.slice(i * 4, i * 4 + 4)
    return { id: id.trim(), subject, author, date }
  })
}

/** Files that two commits differ in. */
export async function listFiles(git: InertRun, base: string, tip: string): Promise<readonly FileChange[]> {
  return parseNumbers(await text(git, [...PLAIN_DIFF, '--numstat', '-z', base, tip, '--']))
}

interface Range {
  readonly base: string
  readonly tip: string
  readonly from: string
}

interface Changes {
  readonly committed: readonly FileChange[]
  readonly pending: readonly FileChange[]
}

/** From the base to the files; in two parts where one would hide what is committed. */
async function readPatch(
  git: InertRun,
  record: WorkspaceRecord,
  { base, tip, from }: Range,
  changes: Changes,
): Promise<string> {
  const { name, branch } = record
  const patch = async (...range: readonly string[]) => {
    const limits = { timeoutMs: LOOK_TIMEOUT_MS, keepBytes: PATCH_MAX_BYTES }
    const { stdout, cut } = await git([...PLAIN_DIFF, '--patch', ...range, '--'], limits)
    if (cut !== true) return stdout
    throw new NexusError('RESOURCE_EXHAUSTED', `The difference of ${name} is too large to be shown.`, {
      hint: `To see which files it is in, run \`nexus diff ${name} --stat\``,
    })
  }
  const large = changes.pending.flatMap((change) =>
    change.tooLarge === undefined ? [] : [{ ...change, bytes: change.tooLarge }],
  )
  const told = large.map(({ path, bytes }) => `# ${printable(path)}: ${notCompared(bytes)}\n`).join('')
  if (changes.pending.length === large.length) return `${await patch(base, tip)}${told}`
  const only = filesOnly(record)
  // of submodules, two commits tell
  const links =
    only.length > 0 && (await text(git, ['diff-tree', '-r', '--ignore-submodules=none', base, tip])).includes('160000')
  if (from === tip && !links && !hides(changes)) return `${await patch(...only, base)}${told}`
  const [committed, pending] = await Promise.all([patch(base, tip), patch(...only, from)])
  return `${committed}${pending === '' ? '' : `# not committed on ${branch}:\n${pending}`}${told}`
}

/** With a git dir of the workspace's own, the submodules that git finds from here are not those that are worked on. */
function filesOnly({ gitMode }: WorkspaceRecord): readonly string[] {
  return gitMode === 'private' ? ['--ignore-submodules=all'] : []
}

/** True where a file is changed in both: what is not committed can hide what is, also by lines that it only adds around it. */
export function hides({ committed, pending }: Changes): boolean {
  const paths = new Set(pending.flatMap(pathsOf))
  return committed.some((change) => pathsOf(change).some((path) => paths.has(path)))
}

function pathsOf({ path, from }: FileChange): readonly string[] {
  return from === undefined ? [path] : [path, from]
}

/** By path; a file that cannot be counted in one of them cannot be counted. */
export function addUp(committed: readonly FileChange[], pending: readonly FileChange[]): readonly FileChange[] {
  const files = new Map(committed.map((change) => [change.path, change]))
  const add = (a: number | null, b: number | null) => (a === null || b === null ? null : a + b)
  for (const change of pending) {
    const { insertions, deletions, ...known } = files.get(change.path) ?? { ...change, insertions: 0, deletions: 0 }
    const both = { insertions: add(insertions, change.insertions), deletions: add(deletions, change.deletions) }
    const large = change.tooLarge === undefined ? {} : { tooLarge: change.tooLarge }
    files.set(change.path, { ...known, ...both, ...large })
  }
  return [...files.values()]
}

/** Of `git diff --numstat -z`: `1\t2\tpath`, or `1\t2\t` with the old and the new path behind it. */
export function parseNumbers(output: string): readonly FileChange[] {
  const parts = fields(output)
  const files: FileChange[] = []
  for (let i = 0; i < parts.length; i++) {
    const [added = '', removed = '', path = ''] = (parts[i] ?? '').split('\t')
    const counts = { insertions: count(added), deletions: count(removed) }
    if (path !== '') files.push({ path, ...counts })
    else files.push({ path: parts[i + 2] ?? '', from: parts[i + 1] ?? '', ...counts })
    if (path === '') i += 2
  }
  return files
}

function count(word: string): number | null {
  return word === '-' ? null : Number(word)
}

function fields(output: string): readonly string[] {
  return output.split('\0').filter((field) => field !== '')
}

function sum(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((total, number) => total + (number ?? 0), 0)
}

/** Files that more than one of them has changed, with who did. */
export function overlaps(
  reviews: readonly Review[],
): readonly { readonly path: string; readonly workspaces: readonly string[] }[] {
  const touched = new Map<string, string[]>()
  for (const { workspace, files, untracked } of reviews) {
    const paths = new Set([
      ...files.flatMap(({ path, from }) => (from === undefined ? [path] : [path, from])),
      ...untracked,
    ])
    for (const path of paths) touched.set(path, [...(touched.get(path) ?? []), workspace])
  }
  return [...touched]
    .filter(([, workspaces]) => workspaces.length > 1)
    .map(([path, workspaces]) => ({ path, workspaces }))
    .sort((a, b) => b.workspaces.length - a.workspaces.length || (a.path < b.path ? -1 : 1))
}
