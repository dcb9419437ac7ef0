/** Endpoints of what is configured: keys, trust in projects, the network of a workspace, the configuration of a repository. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from '@hono/zod-openapi'
import { showConfig } from '../../config/describe.ts'
import { editSetting } from '../../config/edit.ts'
import { type Config, requireKey } from '../../config/load.ts'
import { createApprovals } from '../../project/approvals.ts'
import type { Repository } from '../../tools/repository.ts'
import type { App } from '../../workspace/app.ts'
import { changeNetwork, listRefusals, showNetwork } from '../../workspace/create/network.ts'
import { findRepo } from '../../workspace/look/find.ts'
import { initProject } from '../../workspace/project/init.ts'
import { changeTrust } from '../../workspace/project/trust.ts'
import { type ApiContext, checkedRepo, chooseRepository } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { changeQuery, DRY_RUN, flag, idParams, REPO, scopedQuery, text } from './schemas.ts'
import { workspaceOf } from './workspaces.ts'

const PROJECT_FILE = join('.nexus', 'config.yaml')

const setting = z.object({ key: z.string(), value: z.unknown(), origin: z.string() })
const keyParams = z.strictObject({ key: z.string().min(1).max(200).openapi({ example: 'defaults.idle_timeout' }) })

async function repoOf(app: App, given: string | undefined): Promise<Repository | undefined> {
  return given === undefined ? undefined : findRepo(app, await checkedRepo(app, given))
}

async function configOf(app: App, given: string | undefined): Promise<Config> {
  const repo = await repoOf(app, given)
  return app.config(repo === undefined ? undefined : { file: join(repo.worktree, PROJECT_FILE) })
}

const showAll = endpoint({
  method: 'get',
  path: '/config',
  operationId: 'getConfig',
  tag: 'configuration',
  summary: "Show the configuration that holds: the user's alone, or with that of a repository",
  verbs: ['config show'],
  query: scopedQuery,
  answer: z.object({ settings: z.array(setting) }).openapi('Settings'),
  run: async ({ app, query }) => ({ settings: showConfig(await configOf(app, query.repo)) }),
})

const getOne = endpoint({
  method: 'get',
  path: '/config/{key}',
  operationId: 'getSetting',
  tag: 'configuration',
  summary: 'Show one value of the configuration',
  verbs: ['config get'],
  params: keyParams,
  query: scopedQuery,
  answer: z.object({ key: z.string(), value: z.unknown() }).openapi('Setting'),
  run: async ({ app, params: { key }, query }) => {
    requireKey(key)
    return { key, value: (await configOf(app, query.repo)).values.get(key)?.value ?? null }
  },
})

const edited = z.object({ key: z.string(), value: z.string().nullable(), file: z.string() }).openapi('EditedSetting')
const project = 'In the configuration of the repository instead of the user'

async function edit(
  api: ApiContext,
  app: App,
  key: string,
  value: string | undefined,
  inProject: boolean,
  given: string | undefined,
) {
  const repo = inProject ? await chooseRepository(api, app, given) : undefined
  const file = repo === undefined ? app.home.config : join(repo.worktree, PROJECT_FILE)
  const folder = repo?.worktree ?? app.env.HOME ?? homedir()
  await editSetting(file, repo === undefined ? 'user' : 'project', key, value, folder)
  return { key, value: value ?? null, file }
}

const setOne = endpoint({
  method: 'put',
  path: '/config/{key}',
  operationId: 'setSetting',
  tag: 'configuration',
  summary: 'Set a value in the configuration and keep its comments',
  verbs: ['config set'],
  quick: true,
  params: keyParams,
  body: z
    .strictObject({
      value: z.union([z.string().max(10_000), z.number(), z.boolean(), z.array(z.string().max(1_000)).max(1_000)]),
      project: z.boolean().optional().openapi({ description: project }),
      repo: REPO,
    })
    .openapi('SetSetting', { example: { value: '1h' } }),
  answer: edited,
  run: async ({ api, app, params: { key }, body }) => {
    const { value, repo } = body
    return edit(api, app, key, Array.isArray(value) ? value.join(',') : String(value), body.project === true, repo)
  },
})

const unsetOne = endpoint({
  method: 'delete',
  path: '/config/{key}',
  operationId: 'unsetSetting',
  tag: 'configuration',
  summary: 'Remove a value from the configuration',
  verbs: ['config unset'],
  quick: true,
  params: keyParams,
  query: z.strictObject({ project: flag(project), repo: REPO }),
  answer: edited,
  run: async ({ api, app, params: { key }, query }) =>
    edit(api, app, key, undefined, query.project === true, query.repo),
})

const approval = z
  .object({
    repo: z.string(),
    hash: z.string(),
    findings: z.array(z.object({ path: z.string(), value: z.string(), why: z.string() })),
    asker: z.object({ workspace: z.string(), branch: z.string() }).optional(),
    since: z.string(),
  })
  .openapi('Approval')

const showTrust = endpoint({
  method: 'get',
  path: '/trust',
  operationId: 'listApprovals',
  tag: 'configuration',
  summary: 'Show what repositories ask for beyond the ordinary, and what of it is approved',
  verbs: ['trust'],
  query: scopedQuery,
  answer: z.object({ pending: z.array(approval), approved: z.array(approval) }).openapi('Approvals'),
  run: async ({ app, query }) => createApprovals(app).list((await repoOf(app, query.repo))?.root),
})

function trust(verb: 'approve' | 'revoke', summary: string): Endpoint {
  const done = verb === 'approve' ? 'approved' : 'revoked'
  const all = verb === 'approve' ? 'the last refusal alone' : 'all of the repository'
  return endpoint({
    method: 'post',
    path: `/trust/${verb}`,
    operationId: `${verb}Trust`,
    tag: 'configuration',
    summary,
    verbs: [`trust ${verb}`],
    quick: true,
    query: z.strictObject(DRY_RUN),
    body: z
      .strictObject({
        hashes: z
          .array(text(`A hash of \`GET /trust\`, the name of the workspace that asked, or all: ${all}`, 200))
          .min(1)
          .max(100),
        repo: REPO,
      })
      .openapi(verb === 'approve' ? 'Approve' : 'Revoke'),
    answer: z.object({ [done]: z.array(approval) }),
    run: async ({ app, query, body }) => {
      const repo = await repoOf(app, body.repo)
      const chosen = await changeTrust(app, {
        ...{ verb, words: body.hashes, repo: repo?.root, named: repo !== undefined, dryRun: query.dryRun === true },
      })
      return { [done]: chosen }
    },
  })
}

const network = z
  .object({ workspace: z.string(), mode: z.enum(['open', 'allowlist', 'none']), allow: z.array(z.string()) })
  .openapi('Network')

const showHosts = endpoint({
  method: 'get',
  path: '/workspaces/{id}/network',
  operationId: 'getNetwork',
  tag: 'network',
  summary: 'Show what can be reached from a workspace',
  verbs: ['network show'],
  params: idParams,
  query: scopedQuery,
  answer: network,
  run: async (asked) => showNetwork(await workspaceOf(asked)),
})

function changeHosts(verb: 'allow' | 'deny', summary: string): Endpoint {
  return endpoint({
    method: 'post',
    path: `/workspaces/{id}/network/${verb}`,
    operationId: `${verb}Hosts`,
    tag: 'network',
    summary,
    verbs: [`network ${verb}`],
    params: idParams,
    query: changeQuery,
    body: z
      .strictObject({
        hosts: z
          .array(text('A name, *.name for those below it, .name for both, each perhaps with :port; or a preset', 300))
          .min(1)
          .max(200),
      })
      .openapi(verb === 'allow' ? 'AllowHosts' : 'DenyHosts', { example: { hosts: ['git-hosts', 'example.org'] } }),
    answer: network,
    run: async (asked) => {
      const words = asked.body.hosts
      return changeNetwork(asked.app, await workspaceOf(asked), { verb, words, dryRun: asked.query.dryRun === true })
    },
  })
}

const refusals = endpoint({
  method: 'get',
  path: '/workspaces/{id}/network/log',
  operationId: 'listRefusals',
  tag: 'network',
  summary: 'Show what was refused on the way out of a workspace',
  verbs: ['network log'],
  params: idParams,
  query: scopedQuery,
  answer: z
    .object({
      refusals: z.array(
        z.object({
          time: z.string(),
          method: z.string(),
          host: z.string(),
          port: z.int(),
          reason: z.enum(['name', 'port', 'address']),
        }),
      ),
    })
    .openapi('Refusals'),
  run: async (asked) => ({ refusals: await listRefusals(asked.app, await workspaceOf(asked)) }),
})

const init = endpoint({
  method: 'post',
  path: '/repositories/init',
  operationId: 'initRepository',
  tag: 'configuration',
  summary: 'Write a commented configuration into a repository from what it brings',
  verbs: ['init'],
  quick: true,
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      repo: REPO,
      make: z.boolean().optional().openapi({ description: 'Also nexus.mk with make targets' }),
      force: z
        .boolean()
        .optional()
        .openapi({ description: 'Write files that are there anew; the old ones are kept beside them' }),
    })
    .openapi('Init'),
  answer: z
    .object({ dryRun: z.boolean(), found: z.string(), files: z.array(z.string()), kept: z.array(z.string()) })
    .openapi('Initialised'),
  run: async ({ api, app, query, body }) => {
    const [make, force, dryRun] = [body.make === true, body.force === true, query.dryRun === true]
    const repo = await chooseRepository(api, app, body.repo)
    const { found, files, kept } = await initProject(app, { repo, make, force, dryRun })
    return { dryRun, found, files: files.map(({ path }) => path), kept }
  },
})

export const SETTINGS: readonly Endpoint[] = [
  showAll,
  getOne,
  setOne,
  unsetOne,
  showTrust,
  trust('approve', 'Allow what a repository asks for; it is asked again when that changes'),
  trust('revoke', 'Take approvals back; what runs goes on until it is stopped'),
  init,
]

export const NETWORK: readonly Endpoint[] = [
  showHosts,
  changeHosts('allow', 'Let hosts be reached from a workspace with the network allowlist, now and later'),
  changeHosts('deny', 'Take hosts off that list; connections that are open to them end'),
  refusals,
]
