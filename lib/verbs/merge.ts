/** merge: a workspace's branch into that of the main worktree. */
import type { Endpoints } from '../api/kit.ts'
import { flag, option } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { answerPlan, count } from '../verb-form/words.ts'

const merge = verb({
  name: 'merge',
  group: 'git',
  effect: 'changes',
  summary: "merge a workspace's branch into the branch of the main worktree; all of it or nothing",
  fields: {
    name: NAME,
    squash: flag('as one commit'),
    into: option('branch', 'refuse unless the main worktree is on this branch', { max: 1_000 }),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus merge feature-auth --dry-run',
  run: async (call, { name, repo, squash, into: wanted, dryRun }) => {
    const { mergeWorkspace } = await import('../workspace/git/merge.ts')
    const { planMerge } = await import('../workspace/operation/steps.ts')
    const record = await call.workspace(name, repo)
    const merged = await mergeWorkspace(call.app, record, { squash, into: wanted, dryRun })
    const { branch, into, commits } = merged
    if (dryRun) return answerPlan(commits === 0 ? [] : planMerge(branch, into, commits), record)
    const what = `${count(commits, 'commit')} of ${branch}`
    const text =
      commits === 0
        ? `${into} has all of ${branch} already`
        : `${what} ${squash ? 'became one commit of' : 'merged into'} ${into}`
    return { data: { name: record.name, squash, ...merged }, text }
  },
})

export const verbs = [merge]

export const endpoints: Endpoints = ({ z, via, fileSchema, planSchema, sample }) => [
  via(merge, {
    http: 'POST /workspaces/{id}/merge',
    operationId: 'mergeWorkspace',
    tag: 'work',
    query: ['repo', 'dryRun'],
    body: ['squash', 'into'],
    bodyName: 'Merge',
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
          files: z.array(fileSchema),
        })
        .openapi('Merged'),
      planSchema,
    ]),
    example: sample.MERGED,
  }),
]
