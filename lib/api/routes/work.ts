/** Endpoints that look at the work of workspaces and bring it where it is wanted. */
import { z } from '@hono/zod-openapi'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { bringBack } from '../../workspace/git/bring-back.ts'
import { mergeWorkspace } from '../../workspace/git/merge.ts'
import { findMoved } from '../../workspace/git/moved.ts'
import { pushIn } from '../../workspace/git/push-in.ts'
import { overlaps, review } from '../../workspace/git/review.ts'
import { requireWorkspace } from '../../workspace/look/find.ts'
import { observeOne } from '../../workspace/observe.ts'
import { planBringBack, planMerge, planPushIn } from '../../workspace/operation/steps.ts'
import { checkedRepo } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { planAnswer } from './plans.ts'
import { changeQuery, flag, idParams, planSchema, REPO, scopedQuery, text } from './schemas.ts'
import { workspaceOf } from './workspaces.ts'

const commit = z.object({ id: z.string(), subject: z.string(), author: z.string(), date: z.string() })
const file = z.object({
  path: z.string(),
  from: z.string().optional(),
  insertions: z.int().nullable().openapi({ description: 'Null for a binary file' }),
  deletions: z.int().nullable(),
})
const INCOMPLETE = z
  .string()
  .nullable()
  .openapi({ description: 'Why commits from inside are not all here; null when they are' })
const reviewed = z
  .object({
    workspace: z.string(),
    branch: z.string(),
    base: z.string(),
    commit: z
      .string()
      .nullable()
      .openapi({ description: 'The tip of what is shown as committed, found on this machine' }),
    commits: z.array(commit),
    files: z.array(file),
    uncommitted: z
      .array(file)
      .openapi({ description: 'Of the files, what is not committed and takes no part in a merge' }),
    untracked: z.array(z.string()),
    insertions: z.int(),
    deletions: z.int(),
    dirty: z.boolean(),
    incomplete: INCOMPLETE,
  })
  .openapi('Review')

const diff = endpoint({
  method: 'get',
  path: '/workspaces/{id}/diff',
  operationId: 'getDiff',
  tag: 'work',
  summary: 'Show what a workspace has changed since its branch began, committed or not',
  verbs: ['diff'],
  params: idParams,
  query: z.strictObject({ repo: REPO, patch: flag('With the whole difference as `patch`') }),
  answer: reviewed.extend({ patch: z.string().optional() }),
  run: async (asked) => {
    const wanted = asked.query.patch === true
    const { patch, ...found } = await review(asked.app, await workspaceOf(asked), { patch: wanted })
    return wanted ? { ...found, patch } : found
  },
})

const log = endpoint({
  method: 'get',
  path: '/workspaces/{id}/log',
  operationId: 'getLog',
  tag: 'work',
  summary: 'Show the commits that a workspace has made',
  verbs: ['log'],
  params: idParams,
  query: scopedQuery,
  answer: z
    .object({
      workspace: z.string(),
      branch: z.string(),
      base: z.string(),
      commits: z.array(commit),
      incomplete: INCOMPLETE,
    })
    .openapi('Log'),
  run: async (asked) => {
    const found = await review(asked.app, await workspaceOf(asked), { patch: false })
    const { workspace, branch, base, commits, incomplete } = found
    return { workspace, branch, base, commits, incomplete }
  },
})

const compare = endpoint({
  method: 'get',
  path: '/compare',
  operationId: 'compareWorkspaces',
  tag: 'work',
  summary: 'Show side by side what several workspaces have done, and which files more than one has changed',
  verbs: ['compare'],
  query: z.strictObject({
    workspaces: text('Names or ids, with commas between them', 4_000),
    repo: REPO,
  }),
  answer: z
    .object({
      workspaces: z.array(reviewed),
      overlaps: z.array(z.object({ path: z.string(), workspaces: z.array(z.string()) })),
    })
    .openapi('Comparison'),
  run: async ({ app, query }) => {
    const repo = query.repo === undefined ? undefined : await checkedRepo(app, query.repo)
    const names = query.workspaces.split(',').filter((name) => name !== '')
    const records = await Promise.all(names.map((name) => requireWorkspace(app, name, repo)))
    const reviews = await Promise.all(records.map((record) => review(app, record, { patch: false })))
    return { workspaces: reviews.map(({ patch: _, ...found }) => found), overlaps: overlaps(reviews) }
  },
})

const moved = z
  .object({
    name: z.string(),
    branch: z.string(),
    shared: z.boolean().openapi({ description: 'It shares the repository, so that there is nothing to do' }),
    commits: z.int(),
    commit: z.string().nullable().optional(),
    others: z.array(z.string()).optional(),
    standing: z.string().optional(),
  })
  .openapi('Moved')

function shared({ name, branch }: WorkspaceRecord) {
  return { name, branch, shared: true, commits: 0, others: [] }
}

const pull = endpoint({
  method: 'post',
  path: '/workspaces/{id}/pull',
  operationId: 'pullWorkspace',
  tag: 'work',
  summary: 'Bring commits back from a workspace with a git dir of its own',
  verbs: ['pull'],
  params: idParams,
  query: changeQuery,
  answer: z.union([moved, planSchema]),
  run: async (asked) => {
    const { app, query } = asked
    const record = await workspaceOf(asked)
    if (record.gitMode !== 'private') return shared(record)
    if (query.dryRun === true) {
      const plan = (await findMoved(app, record)) === undefined ? [] : planBringBack(record.branch)
      return planAnswer(plan, record)
    }
    const running = (await observeOne(app, record)).state === 'running'
    const { commits, commit, others, standing } = await bringBack(app, record, running)
    return { name: record.name, branch: record.branch, shared: false, commits, commit, others, standing }
  },
})

const push = endpoint({
  method: 'post',
  path: '/workspaces/{id}/push',
  operationId: 'pushWorkspace',
  tag: 'work',
  summary: 'Bring commits of this machine into a workspace with a git dir of its own',
  verbs: ['push'],
  params: idParams,
  query: changeQuery,
  answer: z.union([moved, planSchema]),
  run: async (asked) => {
    const record = await workspaceOf(asked)
    const { name, branch } = record
    if (record.gitMode !== 'private') return shared(record)
    if (asked.query.dryRun === true) return planAnswer(planPushIn(branch), record)
    return { name, branch, shared: false, ...(await pushIn(asked.app, record)) }
  },
})

const merge = endpoint({
  method: 'post',
  path: '/workspaces/{id}/merge',
  operationId: 'mergeWorkspace',
  tag: 'work',
  summary: "Merge a workspace's branch into the branch of the main worktree; all of it or nothing",
  verbs: ['merge'],
  params: idParams,
  query: changeQuery,
  body: z
    .strictObject({
      squash: z.boolean().optional().openapi({ description: 'As one commit' }),
      into: text('Refuse unless the main worktree is on this branch', 1_000).optional(),
    })
    .openapi('Merge'),
  answer: z.union([
    z
      .object({
        name: z.string(),
        squash: z.boolean(),
        into: z.string(),
        branch: z.string(),
        commits: z.int(),
        commit: z.string(),
        merged: z.string().openapi({ description: 'The tip of what came in' }),
        files: z.array(file),
      })
      .openapi('Merged'),
    planSchema,
  ]),
  run: async (asked) => {
    const { app, body } = asked
    const record = await workspaceOf(asked)
    const [squash, dryRun] = [body.squash === true, asked.query.dryRun === true]
    const merged = await mergeWorkspace(app, record, { squash, into: body.into, dryRun })
    const { branch, into, commits } = merged
    if (dryRun) return planAnswer(commits === 0 ? [] : planMerge(branch, into, commits), record)
    return { name: record.name, squash, ...merged }
  },
})

export const WORK: readonly Endpoint[] = [diff, log, compare, pull, push, merge]
