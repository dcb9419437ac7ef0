/** forward: ports inside a workspace on this machine's loopback, until Ctrl-C. */
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { forwardPorts, parseForward, planForward, type WantedForward } from '../../lib/workspace/inside/forward.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Run } from './command.ts'

export const forward: Run = async (call) => {
  const [name = '', ...ports] = call.args
  const wanted = ports.map(parseForward)
  const record = await requireWorkspace(call.app, name, call.value('repo'))
  if (call.flag('dry-run')) {
    const forwards = await planForward(call.app, record, wanted)
    return { data: { dryRun: true, ...describe(record, forwards) }, text: linesOf(record, forwards).join('\n') }
  }
  return forwardPorts(call.app, record, {
    wanted,
    onListening: async (there, forwards) => {
      const text = call.json ? JSON.stringify(describe(there, forwards)) : linesOf(there, forwards).join('\n')
      await call.print('stdout', `${text}\n`)
      call.app.emit({ type: 'notice', text: 'Ctrl-C ends' })
    },
  })
}

function describe({ id, name }: WorkspaceRecord, forwards: readonly WantedForward[]) {
  return { workspace: { id, name }, forwards }
}

function linesOf({ name }: WorkspaceRecord, forwards: readonly WantedForward[]): readonly string[] {
  return forwards.map(({ local, host, port }) => {
    const there = host === 'localhost' ? `${name}:${port}` : `${name}:${host}:${port}`
    return `localhost:${local ?? '<a leased port>'} -> ${there}`
  })
}
