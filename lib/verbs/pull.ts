/** pull and push: commits between this machine and a workspace with a git dir of its own. */
import type { Endpoints } from '../api/kit.ts'
import { printable } from '../core/visible.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { DRY_RUN, NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, verb } from '../verb-form/verb.ts'
import { answerPlan, count } from '../verb-form/words.ts'

const fields = { name: NAME, repo: REPO, dryRun: DRY_RUN }

const pull = verb({
  name: 'pull',
  group: 'git',
  effect: 'changes',
  summary: 'bring commits back from a workspace with a git dir of its own',
  fields,
  example: 'nexus pull feature-auth',
  run: async (call, { name: given, repo, dryRun }) => {
    const record = await call.workspace(given, repo)
    if (record.gitMode !== 'private') return sharedAnswer(record)
    if (dryRun) {
      const { findMoved } = await import('../workspace/git/moved.ts')
      const { planBringBack } = await import('../workspace/operation/steps.ts')
      const moved = await findMoved(call.app, record)
      return answerPlan(moved === undefined ? [] : planBringBack(record.branch), record)
    }
    const { bringBack } = await import('../workspace/git/bring-back.ts')
    const { observeOne } = await import('../workspace/observe.ts')
    const running = (await observeOne(call.app, record)).state === 'running'
    const { commits, commit, others, standing } = await bringBack(call.app, record, running)
    const { name, branch } = record
    const here =
      commits > 0 ? `${count(commits, 'commit')} came back to ${branch}` : `${branch} has nothing new inside ${name}`
    const ahead =
      standing === 'host-ahead'
        ? [`it has commits here that are not inside yet; \`nexus push ${name}\` brings them in`]
        : []
    const text = [here, ...others.map((ref) => `another branch is here as ${printable(ref)}`), ...ahead].join('\n')
    return { data: { name, branch, shared: false, commits, commit, others, standing }, text }
  },
})

const push = verb({
  name: 'push',
  group: 'git',
  effect: 'changes',
  summary: 'bring commits of this machine into a workspace with a git dir of its own',
  fields,
  example: 'nexus push feature-auth',
  run: async (call, { name: given, repo, dryRun }) => {
    const record = await call.workspace(given, repo)
    const { name, branch } = record
    if (record.gitMode !== 'private') return sharedAnswer(record)
    if (dryRun) return answerPlan((await import('../workspace/operation/steps.ts')).planPushIn(branch), record)
    const { pushIn } = await import('../workspace/git/push-in.ts')
    const { commits, commit } = await pushIn(call.app, record)
    const text =
      commits > 0
        ? `${count(commits, 'commit')} of ${branch} went into ${name}`
        : `${branch} has nothing new for ${name}`
    return { data: { name, branch, shared: false, commits, commit }, text }
  },
})

/** In step without anything to do. */
function sharedAnswer({ name, branch }: WorkspaceRecord): Answer {
  const text = `nothing to do for ${name}: it shares the repository, so ${branch} is the same inside and here`
  return { data: { name, branch, shared: true, commits: 0, others: [] }, text }
}

export const verbs = [pull, push]

export const endpoints: Endpoints = ({ z, via, planSchema, sample }) => {
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
  const { ID, PLACE, COMMIT } = sample
  const example = { name: ID.name, branch: PLACE.branch, shared: false, commits: 2, commit: COMMIT.id }
  return [
    via(pull, {
      http: 'POST /workspaces/{id}/pull',
      operationId: 'pullWorkspace',
      tag: 'work',
      query: ['repo', 'dryRun'],
      answer: z.union([moved, planSchema]),
      example: { ...example, others: [], standing: 'inside-ahead' },
    }),
    via(push, {
      http: 'POST /workspaces/{id}/push',
      operationId: 'pushWorkspace',
      tag: 'work',
      query: ['repo', 'dryRun'],
      answer: z.union([moved, planSchema]),
      example,
    }),
  ]
}
