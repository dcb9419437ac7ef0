/**
 * Where the content of a new workspace's branch comes from: a pull request is fetched, and it is decided whether the content is the
 * user's own. What HEAD of the main worktree has is the user's, and so is a local branch that began here; what a remote, a pull
 * request or an agent's workspace brought is somebody else's, until HEAD has it.
 */

import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent } from '../../system/store.ts'
import { cameFromElsewhere } from '../../tools/branch-log.ts'
import {
  filtersIn,
  type GitSetting,
  isFilter,
  isPartial,
  isTransport,
  ownAttributes,
  type Relative,
  relativeProgram,
  relativePrograms,
  type Whose,
} from '../../tools/git-programs.ts'
import type { Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import type { BranchChoice } from './branch.ts'

/** The commit behind GitHub's or GitLab's ref of `origin`; a dry run asks for it and fetches nothing. */
export async function findPullRequest(app: App, repo: Repository, number: number, dryRun: boolean): Promise<string> {
  const refs = [`refs/pull/${number}/head`, `refs/merge-requests/${number}/head`]
  const ref = await app.git.findRemoteRef(repo.root, refs)
  if (ref === undefined) {
    throw new NexusError('INVALID_ARGUMENT', `origin has no pull or merge request ${number}.`, {
      hint: 'To see what origin offers, run `git ls-remote origin`',
    })
  }
  if (!dryRun) await app.git.fetchRef(repo.root, ref.name)
  return ref.commit
}

/** The choice with `taken` where, and only where, its content is somebody else's. */
export async function settleOrigin(
  app: App,
  { root, gitDir }: Repository,
  choice: BranchChoice,
  asked: { readonly from: string | undefined; readonly start: string | undefined },
): Promise<BranchChoice> {
  const { taken: revision, ...own } = choice
  const local = choice.create ? asked.from : choice.branch
  const taken = revision ?? (local !== undefined && cameFromElsewhere(gitDir, local) ? local : undefined)
  if (taken === undefined) return own
  const head = asked.from === undefined ? asked.start : await app.git.findCommit(root, 'HEAD')
  if (head === undefined || choice.commit === head) return own
  // a dry run has not fetched the commit of a pull request
  const known = (await app.git.findCommit(root, choice.commit)) !== undefined
  return known && (await app.git.isAncestor(root, choice.commit, head)) ? own : { ...own, taken }
}

/** Whose the content of an existing workspace's branch is. What an agent works on is not the user's. */
export function whoseIs({ isolation, gitMode, local, branch }: WorkspaceRecord): Whose {
  if (isolation === 'agent' || gitMode === 'private' || local === null) return 'other'
  return cameFromElsewhere(local.gitDir, branch) ? 'other' : 'own'
}

/**
 * Refuses what git would run of the branch itself while it fills the worktree. HEAD of the main worktree is no stranger to it.
 * @param names at the top of the commit's tree, where they are known
 * @param known the configuration that counts, where that is not the main worktree's
 * @throws {NexusError} UNSUPPORTED with the line of configuration that mends it, before anything is changed
 */
export async function refuseRelativePrograms(
  app: App,
  { root, gitDir }: Pick<Repository, 'root' | 'gitDir'>,
  { branch, commit }: Pick<BranchChoice, 'branch' | 'commit'>,
  names?: readonly string[],
  known?: readonly GitSetting[],
): Promise<void> {
  const settings = known ?? (await app.git.settings(root))
  const runs = settings.filter(({ key }) => isFilter(key) || (isTransport(key) && isPartial(settings)))
  if (runs.length === 0) return
  const top = new Set(names ?? (await app.git.listNames(root, commit)))
  const found = relativePrograms(runs, root, (name) => top.has(name))
  if (found.length === 0 || commit === (await app.git.findCommit(root, 'HEAD'))) return
  const transport = found.find(({ setting }) => isTransport(setting.key))
  if (transport !== undefined) throw relativeProgram(transport, branch, 'git fetches missing objects with it')
  const uses = [...(await app.git.listFilterUses(root, commit)), ...(await usesOfTheUser(app, root, gitDir))]
  for (const one of found) {
    const use = uses.find(({ filter }) => filter === filterOf(one))
    if (use !== undefined)
      throw relativeProgram(one, branch, `${use.place} sends files through the filter ${use.filter}`)
  }
}

/** Attributes that are not the branch's. */
async function usesOfTheUser(app: App, root: string, gitDir: string) {
  const files = [join(gitDir, 'info', 'attributes'), ...ownAttributes(await app.git.settings(root), root, app.env)]
  const texts = await Promise.all(files.map(readIfPresent))
  return texts.flatMap((text, i) =>
    (text ?? '')
      .split('\n')
      .flatMap((line, at) => filtersIn(line).map((filter) => ({ filter, place: `${files[i]}:${at + 1}` }))),
  )
}

function filterOf({ setting }: Relative): string {
  return setting.key.slice('filter.'.length, setting.key.lastIndexOf('.'))
}
