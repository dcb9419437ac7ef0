/**
 * trust, trust approve, trust revoke: what projects ask for beyond the ordinary, and the user's answer. Where `all` could mean several, a
 * person at a terminal is asked one by one.
 */
import { formatAge } from '../../lib/core/time.ts'
import { type Approval, createApprovals, formatFindings } from '../../lib/project/approvals.ts'
import { visible } from '../../lib/report/visible.ts'
import { findHere } from '../../lib/tools/repository.ts'
import { findRepo } from '../../lib/workspace/look/find.ts'
import { changeTrust } from '../../lib/workspace/project/trust.ts'
import type { Answer, Call, Run } from './command.ts'

export const show: Run = async (call) => {
  const repo = call.flag('all') ? undefined : await repositoryOf(call)
  const { pending, approved } = await createApprovals(call.app).list(repo)
  const parts = [
    ...pending.map((one) => describe(one, `asked for${byBranch(one)}`, ', not approved', repo)),
    ...approved.map((one) => describe(one, 'approved', '', repo)),
  ]
  const nothing = `nothing is asked for beyond the ordinary${repo === undefined ? '' : ` in ${repo}`}`
  const hint = 'To allow one of them, run `nexus trust approve <hash>`; all that a workspace asks for: its name'
  const answer = pending.length > 0 ? [hint] : []
  return { data: { pending, approved }, text: parts.length === 0 ? nothing : [...parts, ...answer].join('\n\n') }
}

function describe(one: Approval, done: string, state: string, repo: string | undefined): string {
  const where = repo === undefined ? ` in ${one.repo}` : ''
  const workspace = one.asker === undefined ? '' : ` (workspace ${one.asker.workspace})`
  const head = `${one.hash}  ${done}${where}, ${formatAge(one.since)} ago${workspace}${state}`
  return `${head}\n${indent(formatFindings(one.findings))}`
}

function byBranch({ asker }: Approval): string {
  return asker === undefined ? '' : ` by branch ${visible(asker.branch)}`
}

export const approve: Run = async (call) => {
  const nothing = 'nothing is asked for that is not approved'
  const repo = await repositoryOf(call)
  const here = repo === undefined ? [] : (await createApprovals(call.app).list(repo)).pending
  const isOpen = call.args.includes('all') && here.length > 1
  const asks = isOpen && !call.flag('dry-run') && !call.json && call.stdinIsTerminal && call.stderrIsTerminal
  if (asks) return change(call, 'approve', repo, await answered(call, here, repo), 'nothing is approved')
  const { data, text } = await change(call, 'approve', repo, call.args, nothing)
  const others = here.length === 2 ? 'one more request is' : `${here.length - 1} more requests are`
  return { data, text: isOpen ? `${text}\n${others} left as before: \`nexus trust\` shows what is asked for` : text }
}

export const revoke: Run = async (call) =>
  change(call, 'revoke', await repositoryOf(call), call.args, 'nothing is approved')

/** The words that were given, with the requests in place of `all` that the person at the terminal said yes to; the newest comes first. */
async function answered(call: Call, pending: readonly Approval[], repo: string | undefined) {
  const { askEach } = await import('./ask.ts')
  const newest = [...pending].reverse()
  const questions = newest.map((one) => {
    return `${describe(one, `asked for${byBranch(one)}`, '', repo)}\nAllow it? [y/N] `
  })
  const answers = await askEach(questions, call.app.interruption.signal)
  return [...call.args.filter((word) => word !== 'all'), ...newest.filter((_, i) => answers[i]).map(({ hash }) => hash)]
}

async function change(
  call: Call,
  verb: 'approve' | 'revoke',
  repo: string | undefined,
  words: readonly string[],
  nothing: string,
): Promise<Answer> {
  const chosen = await changeTrust(call.app, {
    verb,
    words,
    repo,
    named: call.value('repo') !== undefined,
    dryRun: call.flag('dry-run'),
  })
  return answer(call, verb === 'approve' ? 'approved' : 'revoked', chosen, nothing)
}

function answer(call: Call, done: 'approved' | 'revoked', chosen: readonly Approval[], nothing: string): Answer {
  const verb = call.flag('dry-run') ? `would be ${done}` : `is ${done}`
  const lines = chosen.map((one) => {
    const asked = one.asker === undefined ? '' : `, as asked for${byBranch(one)} (workspace ${one.asker.workspace})`
    return `${one.hash} ${verb} for ${one.repo}${asked}\n${indent(formatFindings(one.findings))}`
  })
  return { data: { [done]: chosen }, text: chosen.length === 0 ? nothing : lines.join('\n') }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

async function repositoryOf(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  return given === undefined ? findHere(call.cwd)?.root : (await findRepo(call.app, given)).root
}
