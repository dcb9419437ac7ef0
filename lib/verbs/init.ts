/** init: writes the project's configuration, and with --make its make targets. */
import type { Endpoints } from '../api/kit.ts'
import { flag } from '../verb-form/fields.ts'
import { DRY_RUN, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const init = verb({
  name: 'init',
  group: 'configuration',
  effect: 'changes',
  summary: 'write a commented configuration from what the repository brings',
  fields: {
    make: flag('also nexus.mk with the targets ws-up, ws-down, ws-list, ws-ssh, ws-exec and ws-delete', {
      http: 'Also nexus.mk with make targets',
    }),
    force: flag('write files that are there anew; the old ones are kept beside them'),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  example: 'nexus init --dry-run',
  run: async (call, { make, force, repo: given, dryRun }) => {
    const { initProject } = await import('../workspace/stack/init.ts')
    const repo = await call.repository(given)
    const { found, files, kept } = await initProject(call.app, { repo, make, force, dryRun })
    const data = { dryRun, found, files: files.map(({ path }) => path), kept }
    if (dryRun) return { data, text: files.map(({ path, text }) => `+ ${path}\n${text}`).join('\n') }
    const lines = [
      `found ${found}`,
      ...files.map(({ path }) => `${path} is written`),
      ...kept.map((path) => `the old one is ${path}`),
      ...(make ? ['to use the targets, put this line into the Makefile: include nexus.mk'] : []),
      'to start a workspace, run `nexus up <name>`',
    ]
    return { data, text: lines.join('\n') }
  },
})

export const verbs = [init]

export const endpoints: Endpoints = ({ z, via }) => [
  via(init, {
    http: 'POST /repositories/init',
    operationId: 'initRepository',
    tag: 'configuration',
    summary: 'Write a commented configuration into a repository from what it brings',
    quick: true,
    query: ['dryRun'],
    body: ['repo', 'make', 'force'],
    bodyName: 'Init',
    answer: z
      .object({ dryRun: z.boolean(), found: z.string(), files: z.array(z.string()), kept: z.array(z.string()) })
      .openapi('Initialised'),
    example: { dryRun: false, found: 'a compose file with 2 services', files: ['.nexus/config.yaml'], kept: [] },
  }),
]
