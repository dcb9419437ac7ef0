/** trust, trust approve, trust revoke: what projects ask for beyond the ordinary, and the user's answer. Asks nothing back. */
import { NexusError } from '../../lib/core/errors.ts'
import { formatAge } from '../../lib/core/time.ts'
import { type Approval, createApprovals, formatFindings, unknownHash } from '../../lib/project/approvals.ts'
import { findRepository } from '../../lib/tools/repository.ts'
import { findRepo } from '../../lib/workspace/find.ts'
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

export const approve: Run = async (call) => {
  const approvals = createApprovals(call.app)
  const { pending, approved } = await approvals.list()
  const chosen = await choose(call, pending, approved)
  if (!call.flag('dry-run')) {
    for (const repo of new Set(chosen.map((one) => one.repo))) {
      await approvals.approve(
        repo,
        chosen.filter((one) => one.repo === repo).map((one) => one.hash),
      )
    }
  }
  return answer(call, 'approved', chosen, 'nothing is asked for that is not approved')
}

export const revoke: Run = async (call) => {
  const approvals = createApprovals(call.app)
  const { pending, approved } = await approvals.list()
  const chosen = await choose(call, [...approved, ...pending], [])
  if (!call.flag('dry-run')) for (const { repo, hash } of chosen) await approvals.revoke(repo, hash)
  return answer(call, 'revoked', chosen, 'nothing is approved')
}

function answer(call: Call, done: 'approved' | 'revoked', chosen: readonly Approval[], nothing: string): Answer {
  const verb = call.flag('dry-run') ? `would be ${done}` : `is ${done}`
  const lines = chosen.map((one) => `${one.hash} ${verb} for ${one.repo}\n${indent(formatFindings(one.findings))}`)
  return { data: { [done]: chosen }, text: chosen.length === 0 ? nothing : lines.join('\n') }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

/** Of `among`, what the hashes name. What is among `done` needs no doing. */
async function choose(call: Call, among: readonly Approval[], done: readonly Approval[]): Promise<readonly Approval[]> {
  const repo = await repositoryOf(call)
  if (call.args.includes('all')) {
    if (repo !== undefined) return among.filter((one) => one.repo === repo)
    throw new NexusError('INVALID_ARGUMENT', '`all` means all of one repository, and this folder is in none.', {
      hint: 'To see those of every repository, run `nexus trust --all`',
    })
  }
  return [...new Set(call.args)].flatMap((hash) => chooseOne(call, hash, repo, among, done))
}

/** In this repository, else, as a hash can be copied from anywhere, in the only one that it is known of. */
function chooseOne(
  call: Call,
  hash: string,
  repo: string | undefined,
  among: readonly Approval[],
  done: readonly Approval[],
): readonly Approval[] {
  const known = (list: readonly Approval[]) => list.filter((one) => one.hash === hash)
  const here = known(among).filter((one) => one.repo === repo)
  if (here.length > 0) return here
  if (known(done).some((one) => one.repo === repo)) return []
  const elsewhere = call.value('repo') === undefined ? known(among) : []
  if (elsewhere.length === 1) return elsewhere
  if (elsewhere.length === 0) {
    if (call.value('repo') === undefined && known(done).length > 0) return []
    throw unknownHash(repo ?? 'any repository', hash, among)
  }
  throw new NexusError('NAME_AMBIGUOUS', `${hash} is known of ${elsewhere.length} repositories.`, {
    output: elsewhere.map((one) => one.repo).join('\n'),
    details: { candidates: elsewhere.map((one) => one.repo) },
    hint: `To name one, add \`--repo ${elsewhere[0]?.repo}\``,
  })
}

async function repositoryOf(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  return given === undefined ? findRepository(call.cwd)?.root : (await findRepo(call.app, given)).root
}
