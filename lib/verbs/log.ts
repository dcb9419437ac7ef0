/** log: the commits that a workspace has made. */
import type { Endpoints } from '../api/kit.ts'
import { formatTable } from '../report/tables.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const log = verb({
  name: 'log',
  group: 'git',
  effect: 'looks',
  summary: 'show the commits that a workspace has made',
  fields: { name: NAME, repo: REPO },
  example: 'nexus log feature-auth',
  run: async (call, { name, repo }) => {
    const { review } = await import('../workspace/git/review.ts')
    const record = await call.workspace(name, repo)
    const { workspace, branch, base, commits, incomplete } = await review(call.app, record, { patch: false })
    const rows = commits.map(({ id, subject, author, date }) => [id.slice(0, 10), date.slice(0, 16), author, subject])
    const text =
      rows.length === 0
        ? `${record.name} has no commits of its own on ${branch}`
        : formatTable(['COMMIT', 'DATE', 'AUTHOR', 'SUBJECT'], rows)
    return { data: { workspace, branch, base, commits, incomplete }, text }
  },
})

export const verbs = [log]

export const endpoints: Endpoints = ({ z, via, commitSchema, INCOMPLETE, sample }) => [
  via(log, {
    http: 'GET /workspaces/{id}/log',
    operationId: 'getLog',
    tag: 'work',
    query: ['repo'],
    answer: z
      .object({
        workspace: z.string(),
        branch: z.string(),
        base: z.string(),
        commits: z.array(commitSchema),
        incomplete: INCOMPLETE,
      })
      .openapi('Log'),
    example: {
      workspace: sample.ID.name,
      branch: sample.PLACE.branch,
      base: sample.REVIEW.base,
      commits: [sample.COMMIT],
      incomplete: null,
    },
  }),
]
