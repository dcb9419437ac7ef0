/**
 * What of a git dir of the workspace's own is known here: the commits that were brought back and checked, by refs of this
 * repository. What is checked out inside is read there as a name, and only a commit that is here is believed of it.
 */
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { OwnTree } from '../../tools/git-inert.ts'
import { readPrivateBranches } from '../../tools/private-refs.ts'
import type { App } from '../app.ts'
import { privateHead, privatePlace } from '../current-branch.ts'
import { refsOf } from './private-git.ts'

/** How this machine looks at its worktree; undefined where there is none, or it has never begun. */
export async function ownTreeOf(app: App, record: WorkspaceRecord): Promise<OwnTree | undefined> {
  const place = privatePlace(app.home, record)
  if (place === undefined) return undefined
  const refs = new Map((await app.git.listRefs(place.repo, [refsOf(record)])).map(({ name, commit }) => [name, commit]))
  const synced = refs.get(refsOf(record, 'synced'))
  const head = privateHead(app.home, record)
  if (synced === undefined) return undefined
  const own = head?.branch === record.branch ? synced : undefined
  const ref = head?.branch == null ? refsOf(record, 'HEAD') : refsOf(record, 'heads', head.branch)
  const commit = refs.get(ref) ?? own ?? (await borrowed(app, record, place.path, head?.branch)) ?? synced
  return { path: place.path, commit, inStep: commit === synced }
}

/** A branch that inside has from here and has not moved. */
async function borrowed(app: App, { repo }: WorkspaceRecord, path: string, branch: string | null | undefined) {
  const id = branch == null ? undefined : readPrivateBranches(path).get(branch)
  return id === undefined ? undefined : app.git.findCommit(repo, id)
}

/** What inside has on the workspace's branch, as it was brought back. */
export function findInside(app: App, record: WorkspaceRecord): Promise<string | undefined> {
  return app.git.findCommit(record.repo, refsOf(record, 'heads', record.branch))
}
