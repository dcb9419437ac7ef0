/** compare: the work of several workspaces side by side. */
import type { Endpoints } from '../api/kit.ts'
import { printable } from '../core/visible.ts'
import { formatTable } from '../report/tables.ts'
import { words } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const compare = verb({
  name: 'compare',
  group: 'git',
  effect: 'looks',
  summary: 'show side by side what several workspaces have done, and which files more than one has changed',
  fields: { workspaces: words(NAME.text, { as: 'name', completes: 'workspaces' }), repo: REPO },
  example: 'nexus compare feature-auth feature-b',
  run: async (call, { workspaces: names, repo }) => {
    const { overlaps: overlapsOf, review } = await import('../workspace/git/review.ts')
    const records = await Promise.all(names.map((name) => call.workspace(name, repo)))
    const reviews = await Promise.all(records.map((record) => review(call.app, record, { patch: false })))
    const overlaps = overlapsOf(reviews)
    const text = () => {
      const rows = reviews.map(({ workspace, commits, files, untracked, insertions, deletions, dirty }) => [
        workspace,
        String(commits.length),
        String(files.length + untracked.length),
        `+${insertions}`,
        `-${deletions}`,
        dirty ? 'yes' : 'no',
      ])
      const table = formatTable(['NAME', 'COMMITS', 'FILES', 'ADDED', 'REMOVED', 'DIRTY'], rows)
      const both = overlaps.map(({ path, workspaces }) => [printable(path), workspaces.join(', ')])
      return both.length === 0 ? table : `${table}\n\n${formatTable(['CHANGED BY SEVERAL', 'WORKSPACES'], both)}`
    }
    return { data: { workspaces: reviews.map(({ patch: _, ...found }) => found), overlaps }, text }
  },
})

export const verbs = [compare]

export const endpoints: Endpoints = ({ z, via, reviewSchema, sample, text }) => [
  via(compare, {
    http: 'GET /compare',
    operationId: 'compareWorkspaces',
    tag: 'work',
    query: ['workspaces', 'repo'],
    own: { workspaces: text('Names or ids, with commas between them', 4_000) },
    input: ({ workspaces }) => ({ workspaces: workspaces.split(',').filter((name: string) => name !== '') }),
    answer: z
      .object({
        workspaces: z.array(reviewSchema),
        overlaps: z.array(z.object({ path: z.string(), workspaces: z.array(z.string()) })),
      })
      .openapi('Comparison'),
    example: {
      workspaces: [sample.REVIEW],
      overlaps: [{ path: 'src/login.ts', workspaces: ['feature-auth', 'feature-b'] }],
    },
  }),
]
