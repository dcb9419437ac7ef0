/**
 * Deletes a workspace, completely or not at all: refuses while something would be lost and lists it, keeps and names a
 * branch with commits found nowhere else, then removes parts, worktree, branch, lease and record in that order, so that
 * a delete cut short is found by the next command and finished.
 */
import { existsSync } from 'node:fs'
import type { Backend } from '../backends/backend.ts'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { App } from './app.ts'
import type { Actions } from './apply.ts'
import { admitNamed, findSettings, runHook, tryHook } from './hooks.ts'
import { listLosses } from './losses.ts'
import { observeOne } from './observe.ts'
import { beginOperation, exclusively, type Working, walk, withRepository } from './operate.ts'
import { type Plan, planDelete } from './steps.ts'
import { projectOf, releaseAll } from './up.ts'
import { removeEmptyFolders } from './up-actions.ts'

export interface DeleteRequest {
  readonly force: boolean
  readonly deleteBranch: boolean
  readonly dryRun: boolean
}

export interface DeleteResult {
  readonly record: WorkspaceRecord
  readonly plan: Plan
  /** The branch that stays, with the number of its commits that are found nowhere else. */
  readonly keptBranch: { readonly name: string; readonly uniqueCommits: number } | null
  readonly changed: boolean
}

export async function deleteWorkspace(app: App, found: WorkspaceRecord, request: DeleteRequest): Promise<DeleteResult> {
  return exclusively(app, found.id, async () => {
    const record = await app.records.load(found.id)
    if (record === undefined) return { record: found, plan: [], keptBranch: null, changed: false }
    const looked = request.force ? saveCommits(app, record, request) : refuseLoss(app, record, request)
    // what comes back first takes part in what is judged of the branch
    if (record.gitMode === 'private') await looked
    const [branch] = await Promise.all([judgeBranch(app, record, request), looked])
    const backend = await app.backend(record.backend)
    const preDelete = await findPreDelete(app, record, request)
    const plan = planDelete({
      preDelete: preDelete?.run,
      name: record.name,
      worktree: record.worktree,
      branch: record.branch,
      deleteBranchCause: branch.delete?.cause,
      // also when the record knows none: a create may have been killed between lease and note
      portsLeased: backend.capabilities.has('local-ports'),
    })
    const keptBranch = branch.kept
    if (request.dryRun) return { record, plan, keptBranch, changed: false }
    const working: Working = { record: { ...record, desired: 'absent', operation: beginOperation('delete') } }
    let saved = true
    const actions = deleteActions(app, working, backend, branch.delete?.commit, async () => {
      saved = false
      await working.notes
      if (record.gitMode === 'private')
        await (await import('./private-git.ts')).forgetRefs(app, record, request.force && request.deleteBranch)
    })
    // before the point of no return: a hook that fails stops the delete
    await preDelete?.perform()
    await app.records.save(working.record)
    await walk(
      app,
      working,
      plan.filter(({ id }) => id !== 'pre-delete'),
      actions,
      () => saved,
    )
    return { record, plan, keptBranch, changed: true }
  })
}

/**
 * The hook before a delete; only where it can run.
 * @throws {NexusError} HOOK_FAILED and APPROVAL_REQUIRED without `force`
 */
async function findPreDelete(app: App, record: WorkspaceRecord, { force, dryRun }: DeleteRequest) {
  const settings = await findSettings(app, record.repo, projectOf(record), force && !dryRun ? ['pre-delete'] : [])
  const hook = settings?.hooks.get('pre-delete')
  if (settings === undefined || hook === undefined) return undefined
  const perform = async () => {
    if (!force) await admitNamed(app, record.repo, settings, ['pre-delete'])
    if (hook.on === 'container' && (await observeOne(app, record)).state !== 'running') {
      app.emit({ type: 'warning', text: 'the hook pre-delete was left out: the workspace does not run' })
    } else if (force) await tryHook(app, record, settings, 'pre-delete')
    else await runHook(app, record, settings, 'pre-delete')
  }
  return { run: hook.run, perform }
}

function deleteActions(
  app: App,
  { record }: Working,
  backend: Backend,
  branchCommit: string | undefined,
  beforeForget: () => Promise<void>,
): Actions {
  const { worktree, gitDir, repo } = record
  return {
    remove: { run: () => backend.remove(record) },
    'worktree-remove': {
      run: async () => {
        if (worktree === null || gitDir === null) return
        if (existsSync(gitDir)) await withRepository(app, gitDir, () => app.git.removeWorktree(repo, worktree))
        await removeEmptyFolders(worktree)
      },
    },
    'branch-delete': {
      run: async () => {
        if (gitDir === null || branchCommit === undefined) return
        await withRepository(app, gitDir, () => app.git.deleteBranch(repo, record.branch, branchCommit))
      },
    },
    release: { run: () => releaseAll(app, record.id) },
    forget: {
      run: async () => {
        await beforeForget()
        await app.records.remove(record.id)
      },
    },
  }
}

/** @throws {NexusError} WORKSPACE_DIRTY with what would be lost */
async function refuseLoss(app: App, record: WorkspaceRecord, { dryRun }: DeleteRequest): Promise<void> {
  // the worktree of a create that never finished holds nothing of the user's
  if (record.operation?.kind === 'create' && !record.operation.done.includes('worktree')) return
  const lost = await listLosses(app, record, { dryRun })
  if (lost.length === 0) return
  const more = lost.length > 20 ? `\n... and ${lost.length - 20} more` : ''
  throw new NexusError(
    'WORKSPACE_DIRTY',
    `Workspace ${record.name} holds ${lost.length === 1 ? 'a change' : `${lost.length} changes`} that would be lost.`,
    {
      hint: `To lose them, run \`nexus delete ${record.name} --force\``,
      details: { lost: lost.slice(0, 1000) },
      output: `${lost.slice(0, 20).join('\n')}${more}`,
    },
  )
}

/** Forced or not, commits that can come back do. */
async function saveCommits(app: App, record: WorkspaceRecord, { dryRun }: DeleteRequest): Promise<void> {
  if (record.gitMode !== 'private' || dryRun) return
  const running = (await observeOne(app, record)).state === 'running'
  await (await import('./bring-back.ts')).bringBackIfMoved(app, record, running)
}

interface BranchVerdict {
  readonly delete: { readonly commit: string; readonly cause: string } | undefined
  readonly kept: DeleteResult['keptBranch']
}

/** @throws {NexusError} WORKSPACE_DIRTY for `--delete-branch` without `--force` on a branch with commits of its own */
async function judgeBranch(app: App, record: WorkspaceRecord, request: DeleteRequest): Promise<BranchVerdict> {
  const { gitDir, repo, branch, worktree } = record
  if (gitDir === null || !existsSync(gitDir)) return { delete: undefined, kept: null }
  const ownRef = `refs/heads/${branch}`
  const ref = (await app.git.listRefs(repo, [ownRef])).find(({ name }) => name === ownRef)
  if (ref === undefined) return { delete: undefined, kept: null }
  const uniqueCommits = await app.inertGit.countUniqueCommits({ root: repo, gitDir, worktree: repo }, ownRef, ownRef)
  const kept = { delete: undefined, kept: { name: branch, uniqueCommits } }
  if (ref.worktree !== '' && ref.worktree !== worktree) return kept
  if (!record.branchCreated && !request.deleteBranch) return kept
  // what was fetched and not built upon is as it was before the workspace
  if (record.base === ref.commit)
    return { delete: { commit: ref.commit, cause: 'still where it was made' }, kept: null }
  if (uniqueCommits === 0) return { delete: { commit: ref.commit, cause: 'no commits of its own' }, kept: null }
  if (!request.deleteBranch) return kept
  if (request.force)
    return { delete: { commit: ref.commit, cause: `--force, with ${uniqueCommits} commits of its own` }, kept: null }
  throw new NexusError(
    'WORKSPACE_DIRTY',
    `Branch ${branch} has ${uniqueCommits} commits that are found nowhere else.`,
    {
      hint: `To lose them, run \`nexus delete ${record.name} --delete-branch --force\``,
      details: { branch, uniqueCommits },
    },
  )
}
