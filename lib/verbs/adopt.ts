/** adopt: a workspace of a worktree that is there. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { option, word } from '../verb-form/fields.ts'
import { DRY_RUN, GUARD_FIELDS } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { describeRecord, planned, summaryOf } from '../verb-form/words.ts'

const adopt = verb({
  name: 'adopt',
  group: 'care',
  effect: 'changes',
  summary: 'make a workspace of a git worktree that is there, or of one whose record was lost; the folder stays',
  fields: {
    place: word('folder of the worktree, or name or id of a container of the lost workspace'),
    name: option('name', "name of the workspace; default: what it was called, or the folder's", {
      http: "Default: what it was called, or the folder's name",
      max: 200,
    }),
    ...GUARD_FIELDS,
    dryRun: DRY_RUN,
  },
  example: 'nexus adopt ../my-worktree --name mine',
  run: async (call, { place, name, dryRun }) => {
    const adopting = await import('../workspace/lifecycle/adopt.ts')
    const { noteNamed } = await import('../workspace/names/find.ts')
    const { record, lost } = await adopting.adopt(call.app, { given: place, name, dryRun })
    call.concerns(record.id)
    if (!dryRun) await noteNamed(call.app, record, '')
    const state = record.desired === 'running' ? 'running' : `stopped; \`nexus up ${record.name}\` starts it`
    const what = lost ? 'a workspace again' : 'a workspace'
    return {
      data: { ...planned(dryRun), adopted: { ...summaryOf(record), lost } },
      text: describeRecord(record, dryRun ? `would be ${what}` : `is ${what}, ${state}`),
    }
  },
})

export const verbs = [adopt]

export const endpoints: Endpoints = ({ z, via, text, recordSchema, sample }) => [
  via(adopt, {
    http: 'POST /adopt',
    operationId: 'adoptWorkspace',
    tag: 'workspaces',
    query: ['dryRun'],
    body: ['place', 'name', 'isolation', 'gitMode', 'network', 'allow'],
    bodyName: 'Adopt',
    own: { place: text('Absolute folder of the worktree, or name or id of a container of the lost workspace') },
    refuse: ({ place }) => {
      if (!/^\.{0,2}\/?[^/]+\//.test(place) || place.startsWith('/')) return
      throw new NexusError('INVALID_ARGUMENT', `The place ${JSON.stringify(place)} is not an absolute folder.`, {
        hint: 'To see the worktrees of a repository, run `git worktree list`',
      })
    },
    answer: z
      .object({ dryRun: z.literal(true).optional(), adopted: recordSchema.extend({ lost: z.boolean() }) })
      .openapi('Adopted'),
    example: { adopted: { ...sample.ID, ...sample.PLACE, lost: false } },
  }),
]
