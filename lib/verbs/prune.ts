/** prune: deletes the workspaces whose branch is merged. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { formatAge } from '../core/time.ts'
import { formatTable } from '../report/tables.ts'
import { flag, parsed } from '../verb-form/fields.ts'
import { DRY_RUN, REPO, readAge } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { wayOut } from '../verb-form/words.ts'
import type { Verdict } from '../workspace/trash/prune.ts'

const prune = verb({
  name: 'prune',
  group: 'care',
  effect: 'changes',
  summary: 'delete the workspaces whose branch is merged; those that hold changes stay',
  fields: {
    merged: flag('merged into the default branch; needed, so that nothing else is ever meant'),
    olderThan: parsed(
      'time',
      'made and last committed to so long ago: 12h, 30d',
      readAge('To mean a month, use `--older-than 30d`'),
      { max: 40 },
    ),
    all: flag('of every repository'),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus prune --merged --older-than 30d --dry-run',
  run: async (call, { merged, olderThan, all, repo: given, dryRun }) => {
    if (!merged) {
      throw new NexusError('INVALID_ARGUMENT', '`nexus prune` needs to be told what to delete.', {
        hint: 'To see which workspaces are merged, run `nexus prune --merged --dry-run`',
      })
    }
    const { pruneMerged } = await import('../workspace/trash/prune.ts')
    const repo = await call.scope(given, all)
    const verdicts = await pruneMerged(call.app, { repo, olderThanMs: olderThan, dryRun })
    const told = (wanted: boolean) =>
      verdicts
        .filter((one) => one.prune === wanted)
        .map(({ record: { id, name, branch }, reason, lastUsed }) => ({ id, name, branch, reason, lastUsed }))
    const pruned = verdicts.filter((one) => one.prune).map(({ record }) => record)
    return {
      data: { dryRun, pruned: told(true), kept: told(false) },
      text: verdicts.length === 0 ? 'no workspaces' : formatVerdicts(verdicts, dryRun) + wayOut(call, pruned),
      exitCode: verdicts.some(({ failed }) => failed) ? 1 : 0,
    }
  },
})

function formatVerdicts(verdicts: readonly Verdict[], dryRun: boolean): string {
  const word = (verdict: Verdict) => (verdict.prune ? (dryRun ? 'would be deleted' : 'deleted') : 'kept')
  const rows = verdicts.map((verdict) => [
    verdict.record.name,
    verdict.record.branch,
    formatAge(verdict.lastUsed),
    `${word(verdict)}: ${verdict.reason}`,
  ])
  return formatTable(['NAME', 'BRANCH', 'AGE', 'WHAT'], rows)
}

export const verbs = [prune]

export const endpoints: Endpoints = ({ z, via, sample }) => {
  const pruned = z.object({
    id: z.string(),
    name: z.string(),
    branch: z.string(),
    reason: z.string(),
    lastUsed: z.string(),
  })
  return [
    via(prune, {
      http: 'POST /prune',
      operationId: 'pruneWorkspaces',
      tag: 'care',
      query: ['dryRun'],
      body: ['merged', 'olderThan', 'repo'],
      bodyName: 'Prune',
      bodyAbout: { example: { merged: true, olderThan: '30d' } },
      own: { merged: z.literal(true).openapi({ description: 'Needed, so that nothing else is ever meant' }) },
      answer: z.object({ dryRun: z.boolean(), pruned: z.array(pruned), kept: z.array(pruned) }).openapi('Pruned'),
      example: { dryRun: true, pruned: [sample.PRUNED], kept: [] },
    }),
  ]
}
