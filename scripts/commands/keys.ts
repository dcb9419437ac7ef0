/** keys list, keys rotate: what opens a workspace's door, and what the door proves itself with. */
import { NexusError } from '../../lib/core/errors.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { listKeys, rotateHostKey, rotateOwnKey, type WorkspaceKeys, withDoors } from '../../lib/workspace/door/keys.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'

export const list: Run = async (call) => {
  const given = call.args[0]
  const one = given === undefined ? undefined : await requireWorkspace(call.app, given, call.value('repo'))
  const workspaces = await listKeys(call.app, one === undefined ? await withDoors(call.app) : [one])
  const text = workspaces.length === 0 ? 'there is no workspace yet' : workspaces.map(describe).join('\n\n')
  return { data: { workspaces }, text }
}

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

export const rotate: Run = async (call) => {
  const [given] = call.args
  const own = call.flag('own')
  if ((given === undefined) !== own) {
    const what = own ? '--own is for all workspaces, and one is named' : 'There is no workspace named'
    throw new NexusError('INVALID_ARGUMENT', `${what}.`, {
      hint: 'To exchange a host key, run `nexus keys rotate <name>`; for the key of Nexus, `nexus keys rotate --own`',
    })
  }
  return own ? rotateOwn(call) : rotateOne(call, given ?? '')
}

async function rotateOne(call: Call, given: string): Promise<Answer> {
  const dryRun = call.flag('dry-run')
  const record = await requireWorkspace(call.app, given, call.value('repo'))
  const data = await rotateHostKey(call.app, record, dryRun)
  const when = data.running ? 'its server shows it from now on' : 'its server shows it from the next start on'
  const text = dryRun
    ? `${data.name} would get a new host key in place of ${data.before}; ${when}`
    : `${data.name} has a new host key\n  before  ${data.before}\n  now     ${data.after}\n${when}; open connections go on`
  return { data: { ...(dryRun ? { dryRun } : {}), rotated: data }, text }
}

async function rotateOwn(call: Call): Promise<Answer> {
  const dryRun = call.flag('dry-run')
  const data = await rotateOwnKey(call.app, dryRun)
  const names = data.workspaces.map(({ name, state }) => `${name} (${state})`).join(', ')
  const text = dryRun
    ? `the key of Nexus ${data.before ?? '(lost)'} would be exchanged in ${names}`
    : `Nexus has a new key\n  before  ${data.before ?? 'lost'}\n  now     ${data.after}\nlet in by ${names}; open connections go on`
  return { data: { ...(dryRun ? { dryRun } : {}), rotated: data }, text }
}
