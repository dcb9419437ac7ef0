/**
 * Which branch a new workspace works on, decided from the refs that were read once. Pure; the order is the contract's:
 * `--branch` and `--pr` as said; else a local branch, else a remote-tracking branch of exactly the text given; else a new
 * branch `nexus/<name>` from `--from` or HEAD.
 */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceName } from '../../core/names.ts'
import type { Ref } from '../../tools/git.ts'

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

/** Patterns for `git for-each-ref` that cover every ref the decision can depend on. */
export function refPatterns({ given, name, branch, from }: BranchRequest): readonly string[] {
  const text = branch ?? given
  return [
    `${HEADS}${escapeGlob(text)}`,
    `${HEADS}nexus/${name}`,
    `${HEADS}nexus`,
    `${REMOTES}*/${escapeGlob(text)}`,
    `${REMOTES}${escapeGlob(text)}`,
    ...(from === undefined ? [] : [`${HEADS}${escapeGlob(from)}`]),
  ]
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
 * @throws {NexusError} INVALID_ARGUMENT for a revision or branch that is not there; BRANCH_IN_USE when the branch is checked
 * out in another worktree or would have to be made over an existing one
 */
export function chooseBranch(request: BranchRequest, facts: BranchFacts): BranchChoice {
  const local = new Map(
    facts.refs.filter((ref) => ref.name.startsWith(HEADS)).map((ref) => [ref.name.slice(HEADS.length), ref]),
  )
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
  return existing(request.given, local, facts, request) ?? fresh(request, local, facts.start, 'new, from HEAD')
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
  const tracked = local.get(branch)
  if (tracked !== undefined) return useLocal(branch, tracked, request)
  const taken = remote.name.slice(REMOTES.length)
  const cause = `new, from the remote-tracking branch ${taken}`
  return { branch, create: true, commit: remote.commit, ours: true, cause, taken }
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
      hint: `To start a new branch from it, run \`nexus up ${request.name}-2 --from ${branch}\``,
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
  const branch = `nexus/${request.name}`
  const kept = local.get(branch)
  const explicit = request.from !== undefined || request.pr !== undefined
  if (kept !== undefined && explicit) {
    throw new NexusError('BRANCH_IN_USE', `Branch ${branch} exists already, so it cannot be started anew.`, {
      hint: `To work on it as it is, run \`nexus up ${request.name} --branch ${branch}\``,
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
  if (local.has('nexus')) {
    throw new NexusError('BRANCH_IN_USE', `A branch named "nexus" stands in the way of ${branch}.`, {
      hint: `To give it another name, run \`git branch -m nexus nexus-old\``,
      details: { branch },
    })
  }
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
