/** delete: removes a workspace; what would be lost goes to the trash, or refuses it. */
import type { Endpoints } from '../api/kit.ts'
import { flag } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { type Call, verb } from '../verb-form/verb.ts'
import { answerPlan, count, wayOut } from '../verb-form/words.ts'
import type { TrashEntry } from '../workspace/trash/trash.ts'

const remove = verb({
  name: 'delete',
  group: 'everyday',
  effect: 'changes',
  aliases: ['rm'],
  summary: 'delete a workspace; refuses while something would be lost',
  fields: {
    name: NAME,
    force: flag('also what is not committed; it stays in the trash for a while'),
    locked: flag('also a worktree that `git worktree lock` keeps'),
    trash: flag('keep nothing: ignored files and data of services too are lost at once', {
      on: true,
      http: 'False keeps nothing: ignored files and data of services too are lost at once',
    }),
    deleteBranch: flag('delete its branch too; with --force even one with commits found nowhere else', {
      http: 'Delete its branch too; with force even one with commits found nowhere else',
    }),
    noHooks: { ...NO_HOOKS, http: 'Run no hooks this time' },
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus delete feature-auth',
  run: async (call, { name, repo, force, locked, trash: keeps, deleteBranch, dryRun }) => {
    const { deleteWorkspace } = await import('../workspace/trash/delete.ts')
    const record = await call.workspace(name, repo)
    const request = { force, locked, deleteBranch, trash: keeps, dryRun }
    const { plan, keptBranch, trash, data: words } = await deleteWorkspace(call.app, record, request)
    if (dryRun) return answerPlan(plan, record)
    const commits = keptBranch?.uniqueCommits
    const only = commits ? `: it has ${count(commits, 'commit')} found nowhere else` : ''
    const kept = keptBranch === null ? '' : `; branch ${keptBranch.name} is kept${only}`
    const told = trash && (await tellTrash(call, trash, words))
    return {
      data: { deleted: { id: record.id, name: record.name }, keptBranch, trash: told?.data ?? null },
      text: `${record.name} is deleted${kept}${told === null ? '' : `\n${told.text}`}${wayOut(call, [record])}`,
    }
  },
})

/** Loaded only by a delete that kept something. */
async function tellTrash({ app }: Call, trash: TrashEntry, words: string) {
  const { describeKept, nameInTrash } = await import('../workspace/trash/trash.ts')
  const data = await describeKept(app, trash)
  const until = data.until === null ? '' : ` until ${data.until}`
  const back = `\`nexus trash restore ${await nameInTrash(app, trash)}\` brings it back`
  return { data, text: `${inTrash(trash, words)} in the trash${until}; ${back}` }
}

/** What the trash has of a workspace, with its verb. */
function inTrash({ lost, data = [] }: TrashEntry, words: string): string {
  if (lost.length > 0) return `what it held${words === '' ? '' : `, with ${words},`} is`
  return `${words} ${data.length === 1 ? 'is' : 'are'}`
}

export const verbs = [remove]

export const endpoints: Endpoints = ({ z, via, keptDataSchema, planSchema, sample }) => [
  via(remove, {
    http: 'DELETE /workspaces/{id}',
    operationId: 'deleteWorkspace',
    tag: 'workspaces',
    summary: 'Delete a workspace; refused while something would be lost',
    query: ['repo', 'dryRun', 'force', 'locked', 'trash', 'deleteBranch', 'noHooks'],
    answer: z.union([
      z
        .object({
          deleted: z.object({ id: z.string(), name: z.string() }),
          keptBranch: z.object({ name: z.string(), uniqueCommits: z.int() }).nullable(),
          trash: z
            .object({
              key: z.string(),
              files: z.string().nullable(),
              until: z.string().nullable(),
              data: z.array(keptDataSchema),
            })
            .nullable(),
        })
        .openapi('Deletion'),
      planSchema,
    ]),
    example: { deleted: sample.ID, keptBranch: { name: sample.PLACE.branch, uniqueCommits: 2 }, trash: null },
  }),
]
