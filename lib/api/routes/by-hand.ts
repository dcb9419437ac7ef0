/** Endpoints that take over what was done by hand, and rename. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { findRepository } from '../../tools/repository.ts'
import { renameWorkspace } from '../../workspace/change/rename.ts'
import { type Repaired, repairWorkspace } from '../../workspace/change/repair.ts'
import { adopt } from '../../workspace/create/adopt.ts'
import { listMoved } from '../../workspace/drift.ts'
import { findRepo, requireWorkspace } from '../../workspace/look/find.ts'
import { checkedRepo } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { GUARD_FIELDS, settingsOf } from './create-body.ts'
import { changeQuery, DRY_RUN, idParams, recordSchema, text } from './schemas.ts'
import { workspaceOf } from './workspaces.ts'

function summary({ id, name, repo, branch, worktree }: WorkspaceRecord) {
  return { id, name, repo, branch, worktree }
}

const dryRunMark = z.literal(true).optional()

const rename = endpoint({
  method: 'post',
  path: '/workspaces/{id}/rename',
  operationId: 'renameWorkspace',
  tag: 'workspaces',
  summary: 'Give a workspace another name; branch, worktree, ports and data stay',
  verbs: ['rename'],
  params: idParams,
  query: changeQuery,
  body: z.strictObject({ name: text('The new name', 200) }).openapi('Rename'),
  answer: z
    .object({ dryRun: dryRunMark, renamed: recordSchema.extend({ from: z.string() }), changed: z.boolean() })
    .openapi('Renamed'),
  run: async (asked) => {
    const found = await workspaceOf(asked)
    const dryRun = asked.query.dryRun === true
    const { record, changed } = await renameWorkspace(asked.app, found, { to: asked.body.name, dryRun })
    return { ...(dryRun ? { dryRun } : {}), renamed: { ...summary(record), from: found.name }, changed }
  },
})

const adoption = endpoint({
  method: 'post',
  path: '/adopt',
  operationId: 'adoptWorkspace',
  tag: 'workspaces',
  summary: 'Make a workspace of a git worktree that is there, or of one whose record was lost; the folder stays',
  verbs: ['adopt'],
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      place: text('Absolute folder of the worktree, or name or id of a container of the lost workspace'),
      name: text("Default: what it was called, or the folder's name", 200).optional(),
      ...GUARD_FIELDS,
    })
    .openapi('Adopt'),
  settings: settingsOf,
  answer: z.object({ dryRun: dryRunMark, adopted: recordSchema.extend({ lost: z.boolean() }) }).openapi('Adopted'),
  run: async ({ app, query, body, concerns }) => {
    if (/^\.{0,2}\/?[^/]+\//.test(body.place) && !body.place.startsWith('/')) {
      throw new NexusError('INVALID_ARGUMENT', `The place ${JSON.stringify(body.place)} is not an absolute folder.`, {
        hint: 'To see the worktrees of a repository, run `git worktree list`',
      })
    }
    const dryRun = query.dryRun === true
    const { record, lost } = await adopt(app, { given: body.place, name: body.name, dryRun })
    concerns(record.id)
    return { ...(dryRun ? { dryRun } : {}), adopted: { ...summary(record), lost } }
  },
})

const repaired = z
  .object({
    dryRun: dryRunMark,
    repaired: z.array(recordSchema.extend({ done: z.array(z.string()), left: z.unknown() })),
  })
  .openapi('Repaired')

function repairAnswer(dryRun: boolean, all: readonly Repaired[]) {
  const shown = all.map(({ record, done, left }) => ({ ...summary(record), done, left: left ?? null }))
  return { ...(dryRun ? { dryRun } : {}), repaired: shown }
}

const repairOne = endpoint({
  method: 'post',
  path: '/workspaces/{id}/repair',
  operationId: 'repairWorkspace',
  tag: 'workspaces',
  summary: 'Make record and git agree with what was changed by hand: repository or worktree moved, branch switched',
  verbs: ['repair'],
  params: idParams,
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      repo: text('Where the repository is now').optional(),
      worktree: z
        .string()
        .regex(/^\//)
        .max(4_096)
        .optional()
        .openapi({ description: 'Where the worktree is now, absolute' }),
    })
    .openapi('Repair'),
  answer: repaired,
  run: async ({ app, params, query, body, concerns }) => {
    const dryRun = query.dryRun === true
    const record = await requireWorkspace(app, params.id)
    concerns(record.id)
    const repo = body.repo === undefined ? undefined : await findRepo(app, await checkedRepo(app, body.repo))
    return repairAnswer(dryRun, [await repairWorkspace(app, record, { repo, worktree: body.worktree, dryRun })])
  },
})

const repairAll = endpoint({
  method: 'post',
  path: '/repair',
  operationId: 'repairWorkspaces',
  tag: 'workspaces',
  summary: 'Repair all workspaces, or those of the repository that is now at `repo`',
  verbs: ['repair'],
  query: z.strictObject(DRY_RUN),
  body: z.strictObject({ repo: text('Where the repository is now').optional() }).openapi('RepairAll'),
  answer: repaired,
  run: async ({ app, query, body }) => {
    const dryRun = query.dryRun === true
    const records = await app.records.list()
    const given = body.repo === undefined ? undefined : await findRepo(app, await checkedRepo(app, body.repo))
    const repo = given && findRepository(given.root)
    const chosen =
      repo === undefined ? records : [...records.filter((one) => one.repo === repo.root), ...listMoved(records, repo)]
    const done: Repaired[] = []
    for (const record of chosen) done.push(await repairWorkspace(app, record, { repo, worktree: undefined, dryRun }))
    return repairAnswer(dryRun, done)
  },
})

export const BY_HAND: readonly Endpoint[] = [rename, adoption, repairOne, repairAll]
