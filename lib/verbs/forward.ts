/** forward: ports inside a workspace on this machine's loopback, until Ctrl-C. */
import type { WorkspaceRecord } from '../core/workspace.ts'
import { words } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import type { WantedForward } from '../workspace/exec/forward.ts'

const forward = verb({
  name: 'forward',
  group: 'inside',
  effect: 'changes',
  summary: 'reach ports inside a workspace on localhost, until Ctrl-C',
  fields: {
    name: NAME,
    ports: words('3000, 8080:3000 for port 8080 here, or db:5432 for a service as it is reached from inside'),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus forward feature-auth 3000',
  endless: true,
  run: async (call, { name, ports, repo, dryRun }) => {
    const { forwardPorts, parseForward, planForward } = await import('../workspace/exec/forward.ts')
    const wanted = ports.map(parseForward)
    const record = await call.workspace(name, repo)
    if (dryRun) {
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
  },
})

function describe({ id, name }: WorkspaceRecord, forwards: readonly WantedForward[]) {
  return { workspace: { id, name }, forwards }
}

function linesOf({ name }: WorkspaceRecord, forwards: readonly WantedForward[]): readonly string[] {
  return forwards.map(({ local, host, port }) => {
    const there = host === 'localhost' ? `${name}:${port}` : `${name}:${host}:${port}`
    return `localhost:${local ?? '<a leased port>'} -> ${there}`
  })
}

export const verbs = [forward]

export const withoutEndpoint = {
  forward:
    'it holds ports of this machine for as long as a terminal is open; GET /workspaces/{id}/ports has those that stay',
}
