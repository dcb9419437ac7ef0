/** network show, allow, deny, log: what a guarded workspace can reach, and what it was refused. */
import { formatTable } from '../../lib/report/tables.ts'
import { changeNetwork, listRefusals, type NetworkAnswer, showNetwork } from '../../lib/workspace/create/network.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import { parseTail } from '../../lib/workspace/look/logs.ts'
import type { Answer, Call, Run } from './command.ts'

export const show: Run = async (call) => answer(showNetwork(await workspaceOf(call)))
export const allow: Run = (call) => change(call, 'allow')
export const deny: Run = (call) => change(call, 'deny')

export const log: Run = async (call) => {
  const tail = parseTail(call.value('tail'))
  const all = await listRefusals(call.app, await workspaceOf(call))
  const refusals = tail === null ? all : all.slice(Math.max(0, all.length - tail))
  const rows = refusals.map(({ time, method, host, port, reason }) => [time, method, `${host}:${port}`, WHY[reason]])
  const text = rows.length === 0 ? 'nothing was refused' : formatTable(['TIME', 'METHOD', 'HOST', 'WHY'], rows)
  return { data: { refusals }, text }
}

const WHY = {
  name: 'not on the list',
  port: 'on the list, but not at this port',
  address: 'its name leads to a private address or to this machine',
} as const

async function change(call: Call, verb: 'allow' | 'deny'): Promise<Answer> {
  const words = call.args.slice(1)
  return answer(await changeNetwork(call.app, await workspaceOf(call), { verb, words, dryRun: call.flag('dry-run') }))
}

function workspaceOf(call: Call) {
  return requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
}

function answer(data: NetworkAnswer): Answer {
  const said = {
    open: 'everything can be reached',
    none: 'nothing can be reached',
    allowlist: data.allow.length === 0 ? 'nothing can be reached yet' : data.allow.join('\n'),
  }
  return { data, text: `${data.workspace}: network ${data.mode}\n${said[data.mode].replace(/^/gm, '  ')}` }
}
