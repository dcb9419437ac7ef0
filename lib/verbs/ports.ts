/** ports: where the ports of a workspace are published. */

import type { Endpoints } from '../api/kit.ts'
import { publishedAt } from '../core/reach.ts'
import { formatTable } from '../report/tables.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const ports = verb({
  name: 'ports',
  group: 'look',
  effect: 'looks',
  summary: 'show where the ports of a workspace are published',
  fields: { name: NAME, repo: REPO },
  example: 'nexus ports feature-auth',
  run: async (call, { name, repo }) => {
    const { describeWorkspace } = await import('../workspace/status/list.ts')
    const record = await call.workspace(name, repo)
    const workspace = await describeWorkspace(call.app, record)
    const rows = workspace.ports.map((port) => [
      port.name,
      `${port.service === undefined ? '' : `${port.service}:`}${port.container}/${port.protocol}`,
      publishedAt(record, port) ?? '-',
      port.url ?? '',
    ])
    return { data: { ports: workspace.ports }, text: () => formatTable(['NAME', 'INSIDE', 'HERE', 'URL'], rows) }
  },
})

export const verbs = [ports]

export const endpoints: Endpoints = ({ z, via, portSchema, sample }) => [
  via(ports, {
    http: 'GET /workspaces/{id}/ports',
    operationId: 'listPorts',
    tag: 'inside',
    query: ['repo'],
    answer: z.object({ ports: z.array(portSchema) }).openapi('Ports'),
    example: { ports: sample.PORTS },
  }),
]
