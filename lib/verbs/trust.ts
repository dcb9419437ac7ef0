/**
 * trust, trust approve, trust revoke: what projects ask for beyond the ordinary, and the user's answer. Where `all` could mean several, a
 * person at a terminal is asked one by one.
 */
import type { Endpoints } from '../api/kit.ts'
import { formatAge } from '../core/time.ts'
import { visible } from '../report/visible.ts'
import type { Approval } from '../trust/approvals.ts'
import { flag, type Values, words } from '../verb-form/fields.ts'
import { DRY_RUN, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'

const load = () => import('../trust/approvals.ts')

const show = verb({
  name: 'trust',
  group: 'agents',
  effect: 'looks',
  summary: 'show what this repository asks for beyond the ordinary, and what of it you approved',
  fields: { all: flag('of every repository'), repo: REPO },
  example: 'nexus trust',
  run: async (call, { all, repo: given }) => {
    const { createApprovals, formatFindings } = await load()
    const repo = await call.scope(given, all)
    const { pending, approved } = await createApprovals(call.app).list(repo)
    const text = () => {
      const parts = [
        ...pending.map((one) => describe(one, formatFindings, `asked for${byBranch(one)}`, ', not approved', repo)),
        ...approved.map((one) => describe(one, formatFindings, 'approved', '', repo)),
      ]
      const nothing = `nothing is asked for beyond the ordinary${repo === undefined ? '' : ` in ${repo}`}`
      const hint = 'To allow one of them, run `nexus trust approve <hash>`; all that a workspace asks for: its name'
      return parts.length === 0 ? nothing : [...parts, ...(pending.length > 0 ? [hint] : [])].join('\n\n')
    }
    return { data: { pending, approved }, text }
  },
})

type FormatFindings = (findings: Approval['findings']) => string

function describe(
  one: Approval,
  format: FormatFindings,
  done: string,
  state: string,
  repo: string | undefined,
): string {
  const where = repo === undefined ? ` in ${one.repo}` : ''
  const workspace = one.asker === undefined ? '' : ` (workspace ${one.asker.workspace})`
  const head = `${one.hash}  ${done}${where}, ${formatAge(one.since)} ago${workspace}${state}`
  return `${head}\n${indent(format(one.findings))}`
}

function byBranch({ asker }: Approval): string {
  return asker === undefined ? '' : ` by branch ${visible(asker.branch)}`
}

const fieldsOf = (all: string) => ({
  hashes: words(`as \`nexus ${all}`, { as: 'hash' }),
  repo: REPO,
  dryRun: DRY_RUN,
})
const APPROVE_FIELDS = fieldsOf(
  'up` or `nexus trust` shows it, the name of the workspace that asked, or all: the last refusal alone',
)
const REVOKE_FIELDS = fieldsOf('trust` shows it, the name of the workspace that asked, or all: all here')
type Input = Values<typeof APPROVE_FIELDS>

const approve = verb({
  name: 'trust approve',
  group: 'agents',
  effect: 'changes',
  summary: 'allow what a repository asks for; it is asked again when that changes',
  fields: APPROVE_FIELDS,
  example: 'nexus trust approve all',
  run: async (call, input) => {
    const { createApprovals } = await load()
    const repo = await call.scope(input.repo)
    const here = repo === undefined ? [] : (await createApprovals(call.app).list(repo)).pending
    const isOpen = input.hashes.includes('all') && here.length > 1
    const asks = isOpen && !input.dryRun && !call.json && call.stdinIsTerminal && call.stderrIsTerminal
    if (asks) {
      const hashes = await answered(call, input.hashes, here, repo)
      return change(call, 'approve', { ...input, hashes }, repo, 'nothing is approved')
    }
    const { data, text } = await change(call, 'approve', input, repo, 'nothing is asked for that is not approved')
    const others = here.length === 2 ? 'one more request is' : `${here.length - 1} more requests are`
    return { data, text: isOpen ? `${text}\n${others} left as before: \`nexus trust\` shows what is asked for` : text }
  },
})

const revoke = verb({
  name: 'trust revoke',
  group: 'agents',
  effect: 'changes',
  summary: 'take approvals back; what runs goes on until it is stopped',
  fields: REVOKE_FIELDS,
  example: 'nexus trust revoke all',
  run: async (call, input) => change(call, 'revoke', input, await call.scope(input.repo), 'nothing is approved'),
})

/** The words that were given, with the requests in place of `all` that the person at the terminal said yes to; the newest comes first. */
async function answered(call: Call, hashes: readonly string[], pending: readonly Approval[], repo: string | undefined) {
  const { formatFindings } = await load()
  const newest = [...pending].reverse()
  const questions = newest.map((one) => {
    return `${describe(one, formatFindings, `asked for${byBranch(one)}`, '', repo)}\nAllow it? [y/N] `
  })
  const answers = await call.ask(questions)
  return [...hashes.filter((word) => word !== 'all'), ...newest.filter((_, i) => answers[i]).map(({ hash }) => hash)]
}

async function change(
  { app }: Call,
  verbWord: 'approve' | 'revoke',
  { hashes, repo: given, dryRun }: Input,
  repo: string | undefined,
  nothing: string,
): Promise<Answer & { readonly text: string }> {
  const { changeTrust } = await import('../workspace/trust/trust.ts')
  const { createApprovals, formatFindings } = await load()
  const done = verbWord === 'approve' ? 'approved' : 'revoked'
  const { pending } = await createApprovals(app).list()
  const isRequest = ({ repo: of, hash }: Approval) => pending.some((one) => one.repo === of && one.hash === hash)
  const wordOf = (one: Approval) => (verbWord === 'revoke' && isRequest(one) ? 'forgotten, never approved,' : done)
  const request = { verb: verbWord, words: hashes, repo, named: given !== undefined, dryRun }
  const chosen = await changeTrust(app, request)
  const lines = chosen.map((one) => {
    const asked = one.asker === undefined ? '' : `, as asked for${byBranch(one)} (workspace ${one.asker.workspace})`
    const head = `${one.hash} ${dryRun ? 'would be' : 'is'} ${wordOf(one)} for ${one.repo}${asked}`
    return `${head}\n${indent(formatFindings(one.findings))}`
  })
  return { data: { [done]: chosen }, text: chosen.length === 0 ? nothing : lines.join('\n') }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

export const verbs = [show, approve, revoke]

export const endpoints: Endpoints = ({ z, via, sample, text }) => {
  const approval = z
    .object({
      repo: z.string(),
      hash: z.string(),
      findings: z.array(z.object({ path: z.string(), value: z.string(), why: z.string() })),
      asker: z.object({ workspace: z.string(), branch: z.string() }).optional(),
      since: z.string(),
    })
    .openapi('Approval')
  const hashes = (all: string) =>
    z
      .array(text(`A hash of \`GET /trust\`, the name of the workspace that asked, or all: ${all}`, 200))
      .min(1)
      .max(100)
  return [
    via(show, {
      http: 'GET /trust',
      operationId: 'listApprovals',
      tag: 'configuration',
      summary: 'Show what repositories ask for beyond the ordinary, and what of it is approved',
      query: ['repo'],
      answer: z.object({ pending: z.array(approval), approved: z.array(approval) }).openapi('Approvals'),
      example: { pending: [sample.APPROVAL], approved: [] },
    }),
    via(approve, {
      http: 'POST /trust/approve',
      operationId: 'approveTrust',
      tag: 'configuration',
      quick: true,
      query: ['dryRun'],
      body: ['hashes', 'repo'],
      bodyName: 'Approve',
      own: { hashes: hashes('the last refusal alone') },
      answer: z.object({ approved: z.array(approval) }),
      example: { approved: [sample.APPROVAL] },
    }),
    via(revoke, {
      http: 'POST /trust/revoke',
      operationId: 'revokeTrust',
      tag: 'configuration',
      quick: true,
      query: ['dryRun'],
      body: ['hashes', 'repo'],
      bodyName: 'Revoke',
      own: { hashes: hashes('all of the repository') },
      answer: z.object({ revoked: z.array(approval) }),
      example: { revoked: [sample.APPROVAL] },
    }),
  ]
}
