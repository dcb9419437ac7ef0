/** Words that the answers of several verbs are made of. */

import { existsSync } from 'node:fs'
import { publishedAt } from '../core/reach.ts'
import { worktreeOf } from '../core/record-parts.ts'
import { shellWord } from '../core/shell.ts'
import { printable } from '../core/visible.ts'
import type { WorkspaceRecord, WorkspaceResource } from '../core/workspace.ts'
import { formatFields } from '../report/tables.ts'
import { isWithin } from '../stack/places.ts'
import type { UpResult } from '../workspace/lifecycle/up.ts'
import type { Plan } from '../workspace/operation/steps.ts'
import type { Answer, Call } from './verb.ts'

type Field = readonly [string, string]

/** `3 commits` */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

/** What a record is told by where more would only distract. */
export function summaryOf(record: WorkspaceRecord) {
  const { id, name, repo, branch } = record
  return { id, name, repo, branch, worktree: worktreeOf(record) }
}

/** The mark of an answer that changed nothing. */
export function planned(dryRun: boolean): { dryRun?: true } {
  return dryRun ? { dryRun } : {}
}

/** A plan as the answer of a dry run. */
export function answerPlan(plan: Plan, record: WorkspaceRecord): Answer {
  const { name, branch } = record
  const steps = plan.map(({ id, subject, cause, needs }) => ({ step: id, subject, cause, needs: [...needs] }))
  return {
    data: { dryRun: true, name, branch, worktree: worktreeOf(record), plan: steps },
    text: async () => {
      if (plan.length === 0) return `nothing to do for ${name}`
      const { formatPlan } = await import('../workspace/operation/steps.ts')
      return formatPlan(plan).map(printable).join('\n')
    },
  }
}

/** What a start made of a workspace, with how to get in. */
export async function answerUp(call: Call, { plan, record, changed }: UpResult, dryRun: boolean): Promise<Answer> {
  if (dryRun) return answerPlan(plan, record)
  const { resourceOf } = await import('../workspace/status/list.ts')
  const resource = await resourceOf(call.app, record)
  const text = async () => {
    const fields = formatFields(describeAccess(record, resource, await opensByAlias(call)))
    return `${record.name} is${changed ? '' : ' already'} ${resource.state}\n${fields}`
  }
  return { data: resource, text }
}

/** What a change of state made of a workspace; `done` names the state. */
export async function answerChange(call: Call, result: UpResult, dryRun: boolean, done: string): Promise<Answer> {
  if (dryRun) return answerPlan(result.plan, result.record)
  const { resourceOf } = await import('../workspace/status/list.ts')
  return {
    data: await resourceOf(call.app, result.record),
    text: `${result.record.name} is ${result.changed ? done : `already ${done}`}`,
  }
}

/** Whether plain `ssh <alias>` works now. */
export async function opensByAlias({ app }: Call): Promise<boolean> {
  return (await import('../workspace/ssh/ssh-installed.ts')).isIncludeInstalled(app)
}

/** Where a workspace is and how to get in; `isShort` as `opensByAlias` says. */
export function describeAccess(
  record: WorkspaceRecord,
  resource: WorkspaceResource,
  isShort: boolean,
): readonly Field[] {
  const { ssh } = resource
  const verified = isShort && ssh.alias !== null ? `ssh ${ssh.alias}` : (ssh.verifiedCommand ?? '')
  const fields: Field[] = [...placeFields(resource)]
  if (ssh.connectionCommand !== null) {
    fields.push(['ssh', ssh.connectionCommand])
    fields.push(['', `${verified}   (host key verified: ${ssh.hostKeyFingerprint ?? 'not made yet'})`])
  }
  for (const port of resource.ports.filter(({ name }) => name !== 'ssh')) {
    const place = port.url ?? publishedAt(record, port) ?? `port ${port.container} inside`
    fields.push([port.name, `${place}   (${port.container} inside)`])
  }
  return fields
}

/** `said`, with the branch and the folder below. */
export function describeRecord(record: WorkspaceRecord, said: string): string {
  return `${record.name} ${said}\n${formatFields(placeFields({ branch: record.branch, worktree: worktreeOf(record) }))}`
}

function placeFields({ branch, worktree }: Pick<WorkspaceResource, 'branch' | 'worktree'>): readonly Field[] {
  return [
    ['branch', branch],
    ['worktree', worktree ?? 'not on this machine'],
  ]
}

/** A last line for a shell in the worktree of a workspace that was removed: no program runs well in a folder that is gone. */
export function wayOut({ cwd }: Call, removed: readonly WorkspaceRecord[]): string {
  const own = removed.find(({ local }) => local !== null && isWithin(cwd, local.worktree))
  if (own === undefined || existsSync(cwd)) return ''
  return `\nthis shell stands in its folder, which is gone; to leave it: cd ${shellWord(own.repo)}`
}
