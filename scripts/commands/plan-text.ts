/** A plan as the answer of a dry run. */
import { printable } from '../../lib/core/visible.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { formatPlan, type Plan } from '../../lib/workspace/operation/steps.ts'
import type { Answer } from './command.ts'

export function answerPlan(plan: Plan, record: WorkspaceRecord): Answer {
  const steps = plan.map(({ id, subject, cause, needs }) => ({ step: id, subject, cause, needs }))
  const text = plan.length === 0 ? `nothing to do for ${record.name}` : formatPlan(plan).map(printable).join('\n')
  return {
    data: { dryRun: true, name: record.name, branch: record.branch, worktree: record.worktree, plan: steps },
    text,
  }
}
