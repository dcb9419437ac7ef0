/** ssh: a shell inside, or a command as ssh would run it; its exit code is the answer. */
import type { Endpoints } from '../api/kit.ts'
import { sshInfo } from '../backends/facets.ts'
import { flag } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const ssh = verb({
  name: 'ssh',
  group: 'everyday',
  effect: 'changes',
  summary: 'open a shell in a workspace, or run a command as ssh would; one that does not run is started',
  fields: { name: NAME, wake: flag('start nothing: fail where it does not run', { on: true }), repo: REPO },
  takesCommand: true,
  example: 'nexus ssh feature-auth -- uname -a',
  passesSignals: true,
  passesCode: true,
  run: async (call, { name, repo, wake }) => {
    const { shell } = await import('../workspace/exec/inside.ts')
    const record = await call.workspace(name, repo)
    const request = { argv: call.rest, login: { forwardAgent: record.forwardAgent } }
    return { data: null, text: '', exitCode: await shell(call.app, record, request, wake) }
  },
})

export const verbs = [ssh]

export const endpoints: Endpoints = ({ endpoint, idParams, scopedQuery, sample, sshSchema, workspaceOf }) => [
  endpoint({
    method: 'get',
    path: '/workspaces/{id}/ssh',
    operationId: 'getSshInfo',
    tag: 'inside',
    summary: 'Show how to get in by SSH',
    verbs: ['ssh'],
    params: idParams,
    query: scopedQuery,
    answer: sshSchema,
    example: sample.SSH,
    run: async (asked) => {
      const record = await workspaceOf(asked)
      return sshInfo(await asked.app.backend(record.backend), record)
    },
  }),
]
