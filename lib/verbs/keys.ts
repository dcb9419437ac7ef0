/** keys list, keys rotate: whom a workspace lets in by ssh, and how its server proves what it is. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { formatTable } from '../report/tables.ts'
import { flag } from '../verb-form/fields.ts'
import { DRY_RUN, MAYBE_NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'
import { planned } from '../verb-form/words.ts'
import type { WorkspaceKeys } from '../workspace/ssh/keys.ts'

const list = verb({
  name: 'keys list',
  group: 'configuration',
  effect: 'looks',
  summary: 'show which keys open a workspace, and its host key; without a name, of all workspaces',
  fields: { name: MAYBE_NAME, repo: REPO },
  example: 'nexus keys list feature-auth',
  run: async (call, { name, repo }) => {
    const { listKeys, withSsh } = await import('../workspace/ssh/keys.ts')
    const records = name === undefined ? await withSsh(call.app) : [await call.workspace(name, repo)]
    const workspaces = await listKeys(call.app, records)
    const text = () => (workspaces.length === 0 ? 'there is no workspace yet' : workspaces.map(describe).join('\n\n'))
    return { data: { workspaces }, text }
  },
})

const FROM = { nexus: "Nexus's own", agent: 'the agent', unknown: 'an earlier start' } as const

function describe({ name, hostKey, keys }: WorkspaceKeys): string {
  const rotating = hostKey?.rotating ? '   (the one before it is trusted too: an exchange was cut off)' : ''
  const host = hostKey === null ? 'none yet' : `${shortType(hostKey.type)} ${hostKey.fingerprint}${rotating}`
  const rows = keys.map(({ type, bits, fingerprint, comment, from, source }) => {
    const weak = type === 'ssh-rsa' && bits !== null && bits < 2048 ? ' weak' : ''
    const where = from === 'file' || from === 'sources' ? (source ?? '') : FROM[from]
    return [shortType(type), `${bits ?? '?'}${weak}`, fingerprint, where, comment]
  })
  const table = formatTable(['TYPE', 'BITS', 'FINGERPRINT', 'FROM', 'COMMENT'], rows)
  return `${name}\nhost key  ${host}\n${rows.length === 0 ? 'nobody is let in yet' : table}`
}

function shortType(type: string): string {
  return type.replace(/^ssh-|@openssh\.com$/g, '').replace(/^ecdsa-sha2-/, '')
}

const rotate = verb({
  name: 'keys rotate',
  group: 'configuration',
  effect: 'changes',
  summary: 'give a workspace a new host key, or Nexus a new key of its own; open connections go on',
  fields: {
    name: MAYBE_NAME,
    own: flag('the key that Nexus itself comes in with, in all workspaces'),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus keys rotate feature-auth',
  run: async (call, { name, own, repo, dryRun }) => {
    if ((name === undefined) !== own) {
      const what = own ? '--own is for all workspaces, and one is named' : 'There is no workspace named'
      throw new NexusError('INVALID_ARGUMENT', `${what}.`, {
        hint: 'To exchange a host key, run `nexus keys rotate <name>`; for the key of Nexus, `nexus keys rotate --own`',
      })
    }
    return name === undefined ? rotateOwn(call, dryRun) : rotateOne(call, name, repo, dryRun)
  },
})

async function rotateOne(call: Call, name: string, repo: string | undefined, dryRun: boolean): Promise<Answer> {
  const { rotateHostKey } = await import('../workspace/ssh/keys.ts')
  const data = await rotateHostKey(call.app, await call.workspace(name, repo), dryRun)
  const when = data.running ? 'its server shows it from now on' : 'its server shows it from the next start on'
  const text = dryRun
    ? `${data.name} would get a new host key in place of ${data.before}; ${when}`
    : `${data.name} has a new host key\n  before  ${data.before}\n  now     ${data.after}\n${when}; open connections go on`
  return { data: { ...planned(dryRun), rotated: data }, text }
}

async function rotateOwn({ app }: Call, dryRun: boolean): Promise<Answer> {
  const { rotateOwnKey } = await import('../workspace/ssh/keys.ts')
  const data = await rotateOwnKey(app, dryRun)
  const names = data.workspaces.map(({ name, state }) => `${name} (${state})`).join(', ')
  const text = dryRun
    ? `the key of Nexus ${data.before ?? '(lost)'} would be exchanged in ${names}`
    : `Nexus has a new key\n  before  ${data.before ?? 'lost'}\n  now     ${data.after}\nlet in by ${names}; open connections go on`
  return { data: { ...planned(dryRun), rotated: data }, text }
}

export const verbs = [list, rotate]

export const endpoints: Endpoints = ({ z, via, sample }) => {
  const key = z.object({ type: z.string(), bits: z.int().nullable(), fingerprint: z.string(), comment: z.string() })
  const from = z.enum(['nexus', 'file', 'sources', 'agent', 'unknown'])
  const keys = z
    .object({
      id: z.string(),
      name: z.string(),
      repo: z.string(),
      hostKey: key.extend({ rotating: z.boolean() }).nullable(),
      keys: z.array(key.extend({ from, source: z.string().nullable() })),
    })
    .openapi('Keys')
  const dryRun = z.literal(true).optional()
  const change = { before: z.string().nullable(), after: z.string().nullable() }
  const { ID, WORKSPACE_KEYS, SSH } = sample
  const exchanged = { before: SSH.hostKeyFingerprint, after: SSH.hostKeyFingerprint }
  return [
    via(list, {
      http: 'GET /keys',
      operationId: 'listAllKeys',
      tag: 'inside',
      summary: 'Show which keys open workspaces, and their host keys',
      answer: z.object({ workspaces: z.array(keys) }).openapi('AllKeys'),
      example: { workspaces: [WORKSPACE_KEYS] },
    }),
    via(list, {
      http: 'GET /workspaces/{id}/keys',
      operationId: 'listKeys',
      tag: 'inside',
      summary: 'Show which keys open a workspace, and its host key',
      query: ['repo'],
      answerOf: ({ workspaces }) => workspaces[0],
      answer: keys,
      example: WORKSPACE_KEYS,
    }),
    via(rotate, {
      http: 'POST /workspaces/{id}/keys/rotate',
      operationId: 'rotateHostKey',
      tag: 'inside',
      summary: 'Give a workspace a new host key; open connections go on',
      query: ['repo', 'dryRun'],
      answer: z
        .object({ dryRun, rotated: z.object({ id: z.string(), name: z.string(), ...change, running: z.boolean() }) })
        .openapi('RotatedHostKey'),
      example: { rotated: { ...ID, ...exchanged, running: true } },
    }),
    via(rotate, {
      http: 'POST /keys/rotate',
      operationId: 'rotateOwnKey',
      tag: 'inside',
      summary: 'Give Nexus a new key of its own, in all workspaces; open connections go on',
      query: ['dryRun'],
      input: () => ({ own: true }),
      answer: z
        .object({
          dryRun,
          rotated: z.object({
            ...change,
            workspaces: z.array(z.object({ id: z.string(), name: z.string(), state: z.string() })),
          }),
        })
        .openapi('RotatedOwnKey'),
      example: { rotated: { ...exchanged, workspaces: [{ ...ID, state: 'running' }] } },
    }),
  ]
}
