/**
 * What was done in a workspace since its branch began: commits, changed files with their counts, what is not committed. Read
 * where the workspace is; see `git-look.ts`.
 */
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { observeOne } from '../observe.ts'
import { type LookingGit, lookWithGit } from './git-look.ts'

const LOOK_TIMEOUT_MS = 2 * 60_000
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
  /** Null for a binary file. */
  readonly insertions: number | null
  readonly deletions: number | null
}

export interface Review {
  readonly workspace: string
  readonly branch: string
  readonly base: string
  readonly commits: readonly Commit[]
  /** Between base and the files as they are now. */
  readonly files: readonly FileChange[]
  readonly untracked: readonly string[]
  readonly insertions: number
  readonly deletions: number
  /** Something of it is not committed. */
  readonly dirty: boolean
}

export interface Reviewed extends Review {
  /** The whole difference; only when asked for. */
  readonly patch: string
}

export async function review(app: App, record: WorkspaceRecord, wanted: { patch: boolean }): Promise<Reviewed> {
  const [{ state }, main] = await Promise.all([observeOne(app, record), app.git.findCommit(record.repo, 'HEAD')])
  return lookWithGit(app, record, state === 'running', async (git) => {
    const base = await findBase(git, record, main)
    const [commits, numbers, pending, untracked, patch] = await Promise.all([
      listCommits(git, base),
      text(git, [...PLAIN_DIFF, '--numstat', '-z', base, '--']),
      text(git, [...PLAIN_DIFF, '--name-only', '-z', 'HEAD', '--']),
      text(git, ['ls-files', '--others', '--exclude-standard', '-z']),
      wanted.patch ? text(git, [...PLAIN_DIFF, '--patch', base, '--']) : '',
    ])
    const files = parseNumbers(numbers)
    const others = fields(untracked)
    return {
      workspace: record.name,
      branch: record.branch,
      base,
      commits,
      files,
      untracked: others,
      insertions: sum(files.map(({ insertions }) => insertions)),
      deletions: sum(files.map(({ deletions }) => deletions)),
      dirty: pending !== '' || others.length > 0,
      patch,
    }
  })
}

async function text(git: LookingGit, args: readonly string[]): Promise<string> {
  return (await git(args, { timeoutMs: LOOK_TIMEOUT_MS })).stdout
}

/** Where the branch began; further on when it was put on top of, or has taken in, what the main worktree is on. */
async function findBase(git: LookingGit, { base }: WorkspaceRecord, main: string | undefined): Promise<string> {
  if (main === undefined) return base ?? 'HEAD'
  const common = await git(['merge-base', '--end-of-options', main, 'HEAD'], { okCodes: 'any' })
  const [shared, head] = [
    common.code === 0 ? common.stdout.trim() : '',
    (await text(git, ['rev-parse', 'HEAD'])).trim(),
  ]
  if (base === null) return shared === '' ? head : shared
  if (shared === '' || shared === head) return base
  const further = await git(['merge-base', '--is-ancestor', base, shared], { okCodes: 'any' })
  return further.code === 0 ? shared : base
}

async function listCommits(git: LookingGit, base: string): Promise<readonly Commit[]> {
  const format = '--format=%H%x00%s%x00%an%x00%cI%x00'
  const found = await text(git, [
    'log',
    '--no-color',
    '--no-show-signature',
    format,
    '--end-of-options',
    `${base}..HEAD`,
  ])
  const words = found.split('\0')
  return Array.from({ length: Math.floor(words.length / 4) }, (_, i) => {
    const [id = '', subject = '', author = '', date = ''] = words.slice(i * 4, i * 4 + 4)
    return { id: id.trim(), subject, author, date }
  })
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
