/** trust, trust approve, trust revoke: what projects ask for beyond the ordinary, and the user's answer. Asks nothing back. */
import { formatAge } from '../../lib/core/time.ts'
import { type Approval, createApprovals, formatFindings } from '../../lib/project/approvals.ts'
import { findHere } from '../../lib/tools/repository.ts'
import { findRepo } from '../../lib/workspace/look/find.ts'
import { changeTrust } from '../../lib/workspace/project/trust.ts'
import type { Answer, Call, Run } from './command.ts'

export const show: Run = async (call) => {
  const repo = call.flag('all') ? undefined : await repositoryOf(call)
  const { pending, approved } = await createApprovals(call.app).list(repo)
  const parts = [
    ...pending.map((one) => describe(one, 'asked for, not approved', repo)),
    ...approved.map((one) => describe(one, 'approved', repo)),
  ]
  const nothing = `nothing is asked for beyond the ordinary${repo === undefined ? '' : ` in ${repo}`}`
  const answer = pending.length > 0 ? ['To allow one of them, run `nexus trust approve <hash>`'] : []
  return { data: { pending, approved }, text: parts.length === 0 ? nothing : [...parts, ...answer].join('\n\n') }
}

function describe(one: Approval, state: string, repo: string | undefined): string {
  const where = repo === undefined ? ` in ${one.repo}` : ''
  const lines = formatFindings(one.findings).split('\n')
  return [`${one.hash}  ${state}${where}, ${formatAge(one.since)} ago`, ...lines.map((line) => `  ${line}`)].join('\n')
}

export const approve: Run = (call) => change(call, 'approve', 'nothing is asked for that is not approved')
export const revoke: Run = (call) => change(call, 'revoke', 'nothing is approved')

async function change(call: Call, verb: 'approve' | 'revoke', nothing: string): Promise<Answer> {
  const chosen = await changeTrust(call.app, {
    verb,
    words: call.args,
    repo: await repositoryOf(call),
    named: call.value('repo') !== undefined,
    dryRun: call.flag('dry-run'),
  })
  return answer(call, verb === 'approve' ? 'approved' : 'revoked', chosen, nothing)
}

function answer(call: Call, done: 'approved' | 'revoked', chosen: readonly Approval[], nothing: string): Answer {
  const verb = call.flag('dry-run') ? `would be ${done}` : `is ${done}`
  const lines = chosen.map((one) => `${one.hash} ${verb} for ${one.repo}\n${indent(formatFindings(one.findings))}`)
  return { data: { [done]: chosen }, text: chosen.length === 0 ? nothing : lines.join('\n') }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

async function repositoryOf(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  return given === undefined ? findHere(call.cwd)?.root : (await findRepo(call.app, given)).root
}
