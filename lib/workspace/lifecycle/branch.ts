/**
 * Which branch a new workspace works on, decided from the refs that were read once. Pure; the order is the contract's:
 * `--branch` and `--pr` as said; else a local branch, else a remote-tracking branch of exactly the text given; else a new
 * branch `nexus/<name>` from `--from` or HEAD, with the text in place of a name that has lost letters of it.
 */
import { NexusError } from '../../core/errors.ts'
import { branchWord, parseName, type WorkspaceName } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Ref } from '../../tools/git.ts'
import { orAnew } from '../drift.ts'

export interface BranchRequest {
  readonly given: string
  readonly name: WorkspaceName
  readonly from: string | undefined
  readonly branch: string | undefined
  readonly pr: number | undefined
}

export interface BranchChoice {
  readonly branch: string
  /** Make the branch at `commit`. */
  readonly create: boolean
  readonly commit: string
  /** Nexus may delete the branch with the workspace. */
  readonly ours: boolean
  /** How it was chosen, for the plan. */
  readonly cause: string
  /** A pull request, a remote's branch or another revision that its content comes from, where that is not the user's own. */
  readonly taken?: string | undefined
}

const HEADS = 'refs/heads/'
const REMOTES = 'refs/remotes/'

/** Patterns for `git for-each-ref` that cover every ref the decision can depend on, also those in the way of a new branch. */
export function refPatterns(request: BranchRequest): readonly string[] {
  const { given, branch, from } = request
  const text = branch ?? given
  const inner = text.split('/').slice(1).join('/')
  const local = [text, freshBranch(request), ...(inner === '' ? [] : [inner]), ...(from === undefined ? [] : [from])]
  const heads = local.flatMap((one) => [one, ...foldersOf(one)]).map((one) => `${HEADS}${escapeGlob(one)}`)
  return [...new Set([...heads, `${REMOTES}*/${escapeGlob(text)}`, `${REMOTES}${escapeGlob(text)}`])]
}

function freshBranch({ given, name }: BranchRequest): string {
  return `nexus/${branchWord(given, name)}`
}

/** `a` and `a/b` of `a/b/c`. */
function foldersOf(branch: string): readonly string[] {
  const words = branch.split('/').filter((word) => word !== '')
  return words.slice(1).map((_, i) => words.slice(0, i + 1).join('/'))
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\\]/g, '\\$&')
}

export interface BranchFacts {
  readonly refs: readonly Ref[]
  /** Commit that `--from` (or HEAD) names; undefined when it names none. */
  readonly start: string | undefined
  /** Commit that was fetched for `--pr`. */
  readonly pr: string | undefined
}

/**
 * @throws {NexusError} INVALID_ARGUMENT for a revision or branch that is not there, and for a text that no new branch gets its name
 * from; BRANCH_IN_USE when the branch is checked out in another worktree, or cannot be made beside those that are there
 */
export function chooseBranch(request: BranchRequest, facts: BranchFacts): BranchChoice {
  const local = new Map(
    facts.refs.filter((ref) => ref.name.startsWith(HEADS)).map((ref) => [ref.name.slice(HEADS.length), ref]),
  )
  if (request.branch === undefined && request.pr === undefined && request.from === undefined) {
    const named = existing(request.given, local, facts, request)
    if (named !== undefined) return named
  }
  parseName(request.given)
  if (request.branch !== undefined)
    return existing(request.branch, local, facts, request) ?? refuseUnknown(request.branch)
  if (request.pr !== undefined) {
    const taken = `pull request ${request.pr}`
    return { ...fresh(request, local, facts.pr, `new, from ${taken}`), taken }
  }
  if (request.from !== undefined) {
    if (facts.start === undefined) throw unknownRevision(request.from)
    const choice = fresh(request, local, facts.start, `new, from ${request.from}`)
    return local.get(request.from)?.commit === facts.start ? choice : { ...choice, taken: request.from }
  }
  return fresh(request, local, facts.start, 'new, from HEAD')
}

function existing(
  text: string,
  local: ReadonlyMap<string, Ref>,
  facts: BranchFacts,
  request: BranchRequest,
): BranchChoice | undefined {
  const own = local.get(text)
  if (own !== undefined) return useLocal(text, own, request)
  const remotes = facts.refs.filter(({ name }) => name.startsWith(REMOTES))
  const matching = remotes.filter(({ name }) => withoutRemote(name) === text || name === `${REMOTES}${text}`)
  const remote = matching.find(({ name }) => name.startsWith(`${REMOTES}origin/`)) ?? matching[0]
  if (remote === undefined) return undefined
  const branch = withoutRemote(remote.name)
  if (branch.startsWith('-')) throw impossible(branch, request)
  const taken = remote.name.slice(REMOTES.length)
  if (local.has(branch)) throw besideLocal(branch, taken, request)
  requireFreeRef(branch, local, request)
  const cause = `new, from the remote-tracking branch ${taken}`
  return { branch, create: true, commit: remote.commit, ours: true, cause, taken }
}

/** Which of the two is meant is the user's to say: they may have come apart. */
function besideLocal(branch: string, taken: string, { given, name, branch: asked }: BranchRequest): NexusError {
  const [word, other] = [shellWord(branch), asked === undefined ? `${branch}-2` : `${given}-2`]
  const up = asked === undefined ? `nexus up ${word}` : `nexus up ${shellWord(given)} --branch ${word}`
  const fresh = `nexus up ${isPlain(other) ? other : `${name}-2`} --from ${shellWord(taken)}`
  return new NexusError('BRANCH_IN_USE', `There is a local branch ${branch} beside ${taken}.`, {
    hint: `For a new branch from ${taken}, run \`${fresh}\`; to work on the local one, run \`${up}\``,
    details: { branch, remote: taken },
  })
}

function isPlain(text: string): boolean {
  return /^[\w./+-]+$/.test(text)
}

/** git keeps a branch as a file, so that none can be a folder of another. */
function requireFreeRef(branch: string, local: ReadonlyMap<string, Ref>, { name }: BranchRequest): void {
  const above = foldersOf(branch).find((folder) => local.has(folder))
  const below = [...local.keys()].find((one) => one.startsWith(`${branch}/`))
  const other = above ?? below
  if (other === undefined) return
  throw new NexusError('BRANCH_IN_USE', `A branch named ${JSON.stringify(other)} stands in the way of ${branch}.`, {
    hint:
      above === undefined
        ? `To make a workspace of another name, run \`nexus up ${name}-2\``
        : `To give it another name, run \`git branch -m ${shellWord(above)} ${shellWord(`${above}-old`)}\``,
    details: { branch: other, wanted: branch },
  })
}

/** A remote may have such a ref; git makes no branch of it. */
function impossible(branch: string, { name }: BranchRequest): NexusError {
  return new NexusError('INVALID_ARGUMENT', `git allows no branch that begins with "-", such as ${branch}.`, {
    hint: `To start a branch of another name from it, run \`nexus up ${name}-2 --from <commit>\``,
    details: { branch },
  })
}

function withoutRemote(ref: string): string {
  return ref.slice(REMOTES.length).split('/').slice(1).join('/')
}

function useLocal(branch: string, ref: Ref, request: BranchRequest): BranchChoice {
  if (ref.worktree !== '') {
    throw new NexusError('BRANCH_IN_USE', `Branch ${branch} is checked out at ${ref.worktree}.`, {
      hint: `To start a new branch from it, run \`nexus up ${request.name}-2 --from ${shellWord(branch)}\``,
      details: { branch, worktree: ref.worktree },
    })
  }
  return { branch, create: false, commit: ref.commit, ours: false, cause: 'exists' }
}

function fresh(
  request: BranchRequest,
  local: ReadonlyMap<string, Ref>,
  commit: string | undefined,
  cause: string,
): BranchChoice {
  const branch = freshBranch(request)
  const kept = local.get(branch)
  const explicit = request.from !== undefined || request.pr !== undefined
  if (kept !== undefined && explicit) {
    throw new NexusError('BRANCH_IN_USE', `Branch ${branch} exists already, so it cannot be started anew.`, {
      hint: `To work on it as it is, run \`nexus up ${request.name} --branch ${shellWord(branch)}\``,
      details: { branch },
    })
  }
  if (kept !== undefined)
    return { ...useLocal(branch, kept, request), ours: true, cause: 'kept from an earlier workspace' }
  if (commit === undefined) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      'The repository has no commit yet, so there is nothing to start a branch from.',
      {
        hint: 'To make the first one, run `git commit --allow-empty -m "First commit"`',
      },
    )
  }
  requireFreeRef(branch, local, request)
  return { branch, create: true, commit, ours: true, cause }
}

export function unknownRevision(text: string): NexusError {
  return new NexusError('INVALID_ARGUMENT', `${JSON.stringify(text)} names no commit in this repository.`, {
    hint: 'To see what there is, run `git branch --all`; to get what others pushed, `git fetch`',
    details: { revision: text },
  })
}

function refuseUnknown(text: string): never {
  throw new NexusError(
    'INVALID_ARGUMENT',
    `There is no branch ${JSON.stringify(text)}, neither here nor on a remote.`,
    {
      hint: 'To see the branches, run `git branch --all`; to get new ones, `git fetch`',
      details: { branch: text },
    },
  )
}

/** @throws {NexusError} INVALID_ARGUMENT for a text that must not reach git as a revision or branch */
export function requirePlainRevision(text: string, option: string): string {
  const problem =
    text === ''
      ? 'it is empty'
      : text.startsWith('-')
        ? 'it starts with "-"'
        : /[\p{Cc}\s]/u.test(text)
          ? 'it holds a space or a control character'
          : text.includes('..')
            ? 'it holds ".."'
            : text.length > 250
              ? 'it is longer than 250 characters'
              : undefined
  if (problem === undefined) return text
  throw new NexusError(
    'INVALID_ARGUMENT',
    `${option} ${JSON.stringify(text.slice(0, 60))} cannot be used: ${problem}.`,
    {
      hint: 'To see the branches, run `git branch --all`',
    },
  )
}

/** A worktree that is gone cannot be made again: the repository was made anew at its path, or garbage was collected. */
export function lostBranch(record: WorkspaceRecord): NexusError {
  const { name, repo, branch, base } = record
  return new NexusError(
    'GIT_ERROR',
    `${repo} has neither branch ${branch} any more nor the commit at which it was made.`,
    {
      hint: `If the repository was moved, run \`nexus repair ${name} --repo <where it is now>\`${orAnew(record)}`,
      details: { branch, commit: base },
    },
  )
}
