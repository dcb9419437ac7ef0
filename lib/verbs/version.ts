/** version: that of Nexus and of what it works with. */
import type { Endpoints } from '../api/kit.ts'
import { formatFields } from '../report/tables.ts'
import { verb } from '../verb-form/verb.ts'

const version = verb({
  name: 'version',
  group: 'configuration',
  effect: 'looks',
  summary: 'print the version of Nexus and of what it works with',
  fields: {},
  example: 'nexus version',
  run: async ({ app, version: own }) => {
    const { toolVersions } = await import('../backends/registry.ts')
    const { docker = null, compose = null } = await toolVersions(app)
    const others = { node: process.versions.node, docker, compose }
    const fields = Object.entries(others).map(([name, value]) => [name, value ?? 'does not answer'] as const)
    return { data: { version: own, ...others }, text: `nexus ${own}\n${formatFields(fields)}` }
  },
})

export const verbs = [version]

export const endpoints: Endpoints = ({ z, via }) => [
  via(version, {
    http: 'GET /version',
    operationId: 'getVersion',
    tag: 'about',
    summary: 'Show the version of Nexus and of what it works with',
    answer: z
      .object({ version: z.string(), node: z.string(), docker: z.string().nullable(), compose: z.string().nullable() })
      .openapi('Version'),
    example: { version: '0.1.0', node: '20.20.2', docker: '26.1.5', compose: '2.26.1' },
  }),
]
