/** repair: records and git agree again with what was changed by hand. */
import { resolve } from 'node:path'
import type { Endpoints } from '../api/kit.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { findHere, type Repository } from '../tools/repository.ts'
import { flag, option } from '../verb-form/fields.ts'
import { DRY_RUN, MAYBE_NAME } from '../verb-form/shared-fields.ts'
import { type Call, verb } from '../verb-form/verb.ts'
import { planned, summaryOf } from '../verb-form/words.ts'
import type { Repaired } from '../workspace/lifecycle/repair.ts'

const repair = verb({
  name: 'repair',
  group: 'care',
  effect: 'changes',
  summary: 'make records and git agree with what was changed by hand: repository or worktree moved, branch switched',
  fields: {
    name: MAYBE_NAME,
    all: flag('all workspaces of the repository, or with --repo all that belong to it'),
    repo: option('path', 'where the repository is now'),
    worktree: option('path', 'where the worktree is now', {
      pattern: /^\//,
      http: 'Where the worktree is now, absolute',
    }),
    dryRun: DRY_RUN,
  },
  example: 'nexus repair feature-auth',
  run: async (call, { name, all, repo: given, worktree, dryRun }) => {
    const { app } = call
    const { repairWorkspace } = await import('../workspace/lifecycle/repair.ts')
    const { noteNamed } = await import('../workspace/names/find.ts')
    const { listMoved } = await import('../workspace/drift.ts')
    const repo = await call.namedRepository(given)
    const here = findHere(call.cwd)
    const isHere = (record: WorkspaceRecord) => here !== undefined && listMoved([record], here).length > 0
    const records = await chooseRecords(call, name, all, repo ?? here)
    const repaired: Repaired[] = []
    for (const record of records) {
      await noteNamed(app, record, '')
      // a repository that was moved is most likely the one that the user stands in
      const moved = repo ?? (isHere(record) ? here : undefined)
      const place = worktree === undefined ? undefined : resolve(call.cwd, worktree)
      repaired.push(await repairWorkspace(app, record, { repo: moved, worktree: place, dryRun }))
    }
    const told = repaired.map(({ record, done, left }) => ({ ...summaryOf(record), done, left: left ?? null }))
    return {
      data: { ...planned(dryRun), repaired: told },
      text: repaired.length === 0 ? 'no workspaces to repair' : repaired.map(describe).join('\n'),
    }
  },
})

async function chooseRecords(
  call: Call,
  name: string | undefined,
  all: boolean,
  repo: Repository | undefined,
): Promise<readonly WorkspaceRecord[]> {
  if (name !== undefined && !all) return [await call.workspace(name, undefined)]
  if (name !== undefined || !all) throw call.usage('`nexus repair` needs the name of a workspace, or --all.')
  const { listMoved } = await import('../workspace/drift.ts')
  const records = await call.app.records.list()
  if (repo === undefined) return records
  return [...records.filter((record) => record.repo === repo.root), ...listMoved(records, repo)]
}

function describe({ record, done, left }: Repaired): string {
  if (left !== undefined) return `${record.name}: ${left.text}; \`${left.command}\` mends it`
  if (done.length === 0) return `${record.name}: nothing to repair`
  return [`${record.name}:`, ...done.map((one) => `  ${one}`)].join('\n')
}

export const verbs = [repair]

export const endpoints: Endpoints = ({ z, via, recordSchema, sample }) => {
  const answer = z
    .object({
      dryRun: z.literal(true).optional(),
      repaired: z.array(recordSchema.extend({ done: z.array(z.string()), left: z.unknown() })),
    })
    .openapi('Repaired')
  return [
    via(repair, {
      http: 'POST /workspaces/{id}/repair',
      operationId: 'repairWorkspace',
      tag: 'workspaces',
      summary: 'Make record and git agree with what was changed by hand: repository or worktree moved, branch switched',
      query: ['dryRun'],
      body: ['repo', 'worktree'],
      bodyName: 'Repair',
      answer,
      example: { repaired: [{ ...sample.ID, ...sample.PLACE, done: [], left: null }] },
    }),
    via(repair, {
      http: 'POST /repair',
      operationId: 'repairWorkspaces',
      tag: 'workspaces',
      summary: 'Repair all workspaces, or those of the repository that is now at `repo`',
      query: ['dryRun'],
      body: ['repo'],
      bodyName: 'RepairAll',
      input: () => ({ all: true }),
      answer,
      example: {
        repaired: [{ ...sample.ID, ...sample.PLACE, done: ['generated files are written again'], left: null }],
      },
    }),
  ]
}
