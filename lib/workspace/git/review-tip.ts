/**
 * Which commit a review shows, found on this machine: what was brought back of the workspace's branch. What did not come back is
 * told, and what is here is shown all the same.
 */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { SeenAs } from '../../tools/git-inert.ts'
import { readBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'
import { observeOne } from '../observe.ts'

export interface Tip {
  /** What a merge would bring; where inside and here have parted, what inside has. */
  readonly tip: string
  /** What the files are compared with. */
  readonly from: SeenAs
  readonly incomplete: string | null
}

/** Looked up once: what is shown of it is by ids. */
export async function findTip(app: App, record: WorkspaceRecord): Promise<Tip> {
  const own = record.gitMode === 'private' ? await import('./own-tree.ts') : undefined
  const incomplete = own === undefined ? null : await bringHome(app, record)
  const known = await own?.ownTreeOf(app, record)
  const here = await app.git.findCommit(record.repo, `refs/heads/${record.branch}`)
  const inside = incomplete?.code === 'DIVERGED' ? await own?.findInside(app, record) : undefined
  const tip = inside ?? here ?? (await app.git.findCommit(record.local?.worktree ?? '', 'HEAD'))
  if (tip === undefined) {
    throw new NexusError('GIT_ERROR', `Branch ${record.branch} is gone.`, {
      hint: `To see what there is, run \`git -C ${record.repo} branch --all\``,
    })
  }
  const now = currentBranch(app.home, record)
  if (now !== undefined && now !== record.branch) {
    const is = now === null ? 'no branch' : `branch ${now}`
    app.emit({ type: 'notice', text: `${record.name} is on ${is} now; this is ${record.branch}, which a merge takes` })
  }
  const where = (commit: string, inStep: boolean): Tip => ({
    tip,
    from: { commit, inStep },
    incomplete: incomplete?.message ?? null,
  })
  if (known === undefined) return where(tip, readBranch(record.local?.worktree ?? '') === record.branch)
  // commits of this machine that have not gone in yet are nothing that was undone inside
  const { commit } = known
  const behind = now === record.branch && (commit === tip || (await app.git.isAncestor(record.repo, commit, tip)))
  return behind ? where(commit, known.inStep) : where(tip, known.inStep && tip === commit)
}

/** What stood in the way, which is told too; what is here is shown all the same. */
async function bringHome(app: App, record: WorkspaceRecord): Promise<NexusError | null> {
  const [{ bringBack, tell }, { findMoved }] = await Promise.all([import('./bring-back.ts'), import('./moved.ts')])
  const moved = (await findMoved(app, record)) !== undefined
  const running = moved && (await observeOne(app, record)).state === 'running'
  try {
    tell(app, record, await bringBack(app, record, running))
    return null
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const text = `what ${record.name} has inside and what is here differ: ${error.message}`
    app.emit({ type: 'warning', text, hint: error.hint })
    return error
  }
}
