/** A plan as an answer, the same object that `--dry-run --json` prints. Pure. */
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Plan } from '../../workspace/operation/steps.ts'

export function planAnswer(
  plan: Plan,
  { name, branch, worktree }: Pick<WorkspaceRecord, 'name' | 'branch' | 'worktree'>,
) {
  const steps = plan.map(({ id, subject, cause, needs }) => ({ step: id, subject, cause, needs: [...needs] }))
  return { dryRun: true as const, name, branch, worktree, plan: steps }
}
