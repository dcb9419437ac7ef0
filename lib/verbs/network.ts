/** network show, allow, deny, log: what a guarded workspace can reach, and what it was refused. */
import type { Endpoints } from '../api/kit.ts'
import { formatTable } from '../report/tables.ts'
import { option, type Values, words } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'
import type { NetworkAnswer } from '../workspace/network/network.ts'

const WHY = {
  name: 'not on the list',
  port: 'on the list, but not at this port',
  address: 'its name leads to a private address or to this machine',
} as const

const show = verb({
  name: 'network show',
  group: 'agents',
  effect: 'looks',
  summary: 'show what can be reached from a workspace',
  fields: { name: NAME, repo: REPO },
  example: 'nexus network show feature-auth',
  run: async (call, { name, repo }) => {
    const { showNetwork } = await import('../workspace/network/network.ts')
    return answer(showNetwork(await call.workspace(name, repo)))
  },
})

const fields = {
  name: NAME,
  hosts: words(
    'a name, *.name for those below it, .name for both, each perhaps with :port; or git-hosts, model-apis, registries',
    { as: 'host' },
  ),
  repo: REPO,
  dryRun: DRY_RUN,
}

const allow = verb({
  name: 'network allow',
  group: 'agents',
  effect: 'changes',
  summary: 'let hosts be reached from a workspace with the network allowlist, now and later',
  fields,
  example: 'nexus network allow feature-auth git-hosts example.org',
  run: (call, input) => change(call, 'allow', input),
})

const deny = verb({
  name: 'network deny',
  group: 'agents',
  effect: 'changes',
  summary: 'take hosts off that list; connections that are open to them end',
  fields,
  example: 'nexus network deny feature-auth example.org',
  run: (call, input) => change(call, 'deny', input),
})

async function change(call: Call, how: 'allow' | 'deny', { name, hosts, repo, dryRun }: Values<typeof fields>) {
  const { changeNetwork } = await import('../workspace/network/network.ts')
  const request = { verb: how, words: hosts, dryRun }
  return answer(await changeNetwork(call.app, await call.workspace(name, repo), request))
}

function answer(data: NetworkAnswer): Answer {
  const said = {
    open: 'everything can be reached',
    none: 'nothing can be reached',
    allowlist: data.allow.length === 0 ? 'nothing can be reached yet' : data.allow.join('\n'),
  }
  return { data, text: `${data.workspace}: network ${data.mode}\n${said[data.mode].replace(/^/gm, '  ')}` }
}

const log = verb({
  name: 'network log',
  group: 'agents',
  effect: 'looks',
  summary: 'show what was refused on the way out of a workspace',
  fields: { name: NAME, tail: option('lines', 'only the last ones'), repo: REPO },
  example: 'nexus network log feature-auth',
  run: async (call, { name, tail: given, repo }) => {
    const { listRefusals } = await import('../workspace/network/network.ts')
    const { parseTail } = await import('../workspace/status/logs.ts')
    const tail = parseTail(given)
    const all = await listRefusals(call.app, await call.workspace(name, repo))
    const refusals = tail === null ? all : all.slice(Math.max(0, all.length - tail))
    const rows = refusals.map(({ time, method, host, port, reason }) => [time, method, `${host}:${port}`, WHY[reason]])
    const text = rows.length === 0 ? 'nothing was refused' : formatTable(['TIME', 'METHOD', 'HOST', 'WHY'], rows)
    return { data: { refusals }, text }
  },
})

export const verbs = [show, allow, deny, log]

export const endpoints: Endpoints = ({ z, via, sample, text }) => {
  const network = z
    .object({ workspace: z.string(), mode: z.enum(['open', 'allowlist', 'none']), allow: z.array(z.string()) })
    .openapi('Network')
  const refusal = z.object({
    time: z.string(),
    method: z.string(),
    host: z.string(),
    port: z.int(),
    reason: z.enum(['name', 'port', 'address']),
  })
  const hosts = z
    .array(text('A name, *.name for those below it, .name for both, each perhaps with :port; or a preset', 300))
    .min(1)
    .max(200)
  const bodyAbout = { example: { hosts: ['git-hosts', 'example.org'] } }
  return [
    via(show, {
      http: 'GET /workspaces/{id}/network',
      operationId: 'getNetwork',
      tag: 'network',
      query: ['repo'],
      answer: network,
      example: sample.NETWORK,
    }),
    via(allow, {
      http: 'POST /workspaces/{id}/network/allow',
      operationId: 'allowHosts',
      tag: 'network',
      query: ['repo', 'dryRun'],
      body: ['hosts'],
      bodyName: 'AllowHosts',
      bodyAbout,
      own: { hosts },
      answer: network,
      example: sample.NETWORK,
    }),
    via(deny, {
      http: 'POST /workspaces/{id}/network/deny',
      operationId: 'denyHosts',
      tag: 'network',
      query: ['repo', 'dryRun'],
      body: ['hosts'],
      bodyName: 'DenyHosts',
      bodyAbout,
      own: { hosts },
      answer: network,
      example: { ...sample.NETWORK, allow: ['github.com'] },
    }),
    via(log, {
      http: 'GET /workspaces/{id}/network/log',
      operationId: 'listRefusals',
      tag: 'network',
      query: ['repo'],
      answer: z.object({ refusals: z.array(refusal) }).openapi('Refusals'),
      example: {
        refusals: [{ time: '2026-11-23T08:30:00Z', method: 'CONNECT', host: 'example.com', port: 443, reason: 'name' }],
      },
    }),
  ]
}
