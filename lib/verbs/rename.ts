/** rename: another name for a workspace. */
import type { Endpoints } from '../api/kit.ts'
import { word } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { describeRecord, planned, summaryOf } from '../verb-form/words.ts'

const rename = verb({
  name: 'rename',
  group: 'care',
  effect: 'changes',
  summary: 'give a workspace another name; branch, worktree, ports and data stay',
  fields: { name: NAME, to: word('the new name', { as: 'new-name' }), repo: REPO, dryRun: DRY_RUN },
  example: 'nexus rename feature-auth auth --dry-run',
  run: async (call, { name, to, repo, dryRun }) => {
    const { renameWorkspace } = await import('../workspace/lifecycle/rename.ts')
    const found = await call.workspace(name, repo)
    const { record, changed } = await renameWorkspace(call.app, found, { to, dryRun })
    const said = `${dryRun ? 'would be' : 'is'} what ${found.name} is called${changed ? ' now' : ' already'}`
    return {
      data: { ...planned(dryRun), renamed: { ...summaryOf(record), from: found.name }, changed },
      text: describeRecord(record, said),
    }
  },
})

export const verbs = [rename]

export const endpoints: Endpoints = ({ z, via, text, recordSchema, sample }) => [
  via(rename, {
    http: 'POST /workspaces/{id}/rename',
    operationId: 'renameWorkspace',
    tag: 'workspaces',
    query: ['repo', 'dryRun'],
    body: ['name'],
    bodyName: 'Rename',
    own: { name: text('The new name', 200) },
    input: ({ id, name }) => ({ name: id, to: name }),
    answer: z
      .object({
        dryRun: z.literal(true).optional(),
        renamed: recordSchema.extend({ from: z.string() }),
        changed: z.boolean(),
      })
      .openapi('Renamed'),
    example: { renamed: { ...sample.ID, ...sample.PLACE, name: 'auth', from: sample.ID.name }, changed: true },
  }),
]
