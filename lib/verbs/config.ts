/** config show, get, set, unset. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Endpoints } from '../api/kit.ts'
import { type Config, requireKey } from '../config/load.ts'
import { formatTable } from '../report/tables.ts'
import { findHere } from '../tools/repository.ts'
import { flag, word } from '../verb-form/fields.ts'
import { REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'

const PROJECT_FILE = join('.nexus', 'config.yaml')
const IN_PROJECT = 'In the configuration of the repository instead of the user'

const key = (example: string) => word(`such as ${example}`, { completes: 'keys' })

const show = verb({
  name: 'config show',
  group: 'configuration',
  effect: 'looks',
  summary: 'show the configuration that holds here',
  fields: { origin: flag('with the file and line, flag or variable of each value'), repo: REPO },
  example: 'nexus config show --origin',
  run: async (call, { origin, repo }) => {
    const { formatValue, showConfig } = await import('../config/describe.ts')
    const settings = showConfig(await configHere(call, repo))
    const rows = settings.map((one) => [one.key, formatValue(one.value), ...(origin ? [one.origin] : [])])
    return { data: { settings }, text: () => formatTable(['KEY', 'VALUE', ...(origin ? ['ORIGIN'] : [])], rows) }
  },
})

const get = verb({
  name: 'config get',
  group: 'configuration',
  effect: 'looks',
  summary: 'print one value of the configuration',
  fields: { key: key('defaults.backend'), repo: REPO },
  example: 'nexus config get defaults.backend',
  run: async (call, { key: wanted, repo }) => {
    const { formatValue } = await import('../config/describe.ts')
    requireKey(wanted)
    const setting = (await configHere(call, repo)).values.get(wanted)
    const text = setting === undefined ? '' : formatValue(setting.value)
    return { data: { key: wanted, value: setting?.value ?? null }, text }
  },
})

/** As it holds in this folder: the worktree's own project file, or that of the repository that is named. */
async function configHere(call: Call, given: string | undefined): Promise<Config> {
  const folder = given === undefined ? findHere(call.cwd)?.worktree : (await call.repository(given)).worktree
  return call.app.config(folder === undefined ? undefined : { file: join(folder, PROJECT_FILE) })
}

const set = verb({
  name: 'config set',
  group: 'configuration',
  effect: 'changes',
  summary: "set a value in the user's configuration and keep its comments",
  fields: {
    key: key('defaults.idle_timeout'),
    value: word('the new value; lists as a,b'),
    project: flag("in the project's .nexus/config.yaml instead", { http: IN_PROJECT }),
    repo: REPO,
  },
  example: 'nexus config set defaults.idle_timeout 1h',
  run: (call, input) => edit(call, input, input.value),
})

const unset = verb({
  name: 'config unset',
  group: 'configuration',
  effect: 'changes',
  summary: "remove a value from the user's configuration",
  fields: {
    key: key('defaults.idle_timeout'),
    project: flag("from the project's .nexus/config.yaml instead", { http: IN_PROJECT }),
    repo: REPO,
  },
  example: 'nexus config unset defaults.idle_timeout',
  run: (call, input) => edit(call, input, undefined),
})

interface Edit {
  readonly key: string
  readonly project: boolean
  readonly repo: string | undefined
}

async function edit(call: Call, { key: name, project, repo: given }: Edit, value: string | undefined): Promise<Answer> {
  const { app } = call
  const { editSetting } = await import('../config/edit.ts')
  const repo = project ? await call.repository(given) : undefined
  const file = repo === undefined ? app.home.config : join(repo.worktree, PROJECT_FILE)
  // where a relative path in the value begins
  const folder = call.http ? (repo?.worktree ?? app.env.HOME ?? homedir()) : call.cwd
  await editSetting(file, project ? 'project' : 'user', name, value, folder)
  if (!project && !call.http) await (await import('../workspace/ssh/ssh-agent-reach.ts')).tellFurtherReach(app, name)
  const done = value === undefined ? `${name} is removed from ${file}` : `${name} is ${value} in ${file}`
  return { data: { key: name, value: value ?? null, file }, text: done }
}

export const verbs = [show, get, set, unset]

export const endpoints: Endpoints = ({ z, via, sample }) => {
  const params = z.strictObject({
    key: z.string().min(1).max(200).openapi({ example: 'defaults.idle_timeout' }),
  })
  const setting = z.object({ key: z.string(), value: z.unknown(), origin: z.string() })
  const edited = z.object({ key: z.string(), value: z.string().nullable(), file: z.string() }).openapi('EditedSetting')
  const list = z.array(z.string().max(1_000)).max(1_000)
  return [
    via(show, {
      http: 'GET /config',
      operationId: 'getConfig',
      tag: 'configuration',
      summary: "Show the configuration that holds: the user's alone, or with that of a repository",
      query: ['repo'],
      answer: z.object({ settings: z.array(setting) }).openapi('Settings'),
      example: { settings: [{ ...sample.SETTING, origin: '/home/u/.nexus/config.yaml:3' }] },
    }),
    via(get, {
      http: 'GET /config/{key}',
      operationId: 'getSetting',
      tag: 'configuration',
      summary: 'Show one value of the configuration',
      params,
      query: ['repo'],
      answer: z.object({ key: z.string(), value: z.unknown() }).openapi('Setting'),
      example: sample.SETTING,
    }),
    via(set, {
      http: 'PUT /config/{key}',
      operationId: 'setSetting',
      tag: 'configuration',
      summary: 'Set a value in the configuration and keep its comments',
      quick: true,
      params,
      body: ['value', 'project', 'repo'],
      bodyName: 'SetSetting',
      bodyAbout: { example: { value: '1h' } },
      own: { value: z.union([z.string().max(10_000), z.number(), z.boolean(), list]) },
      input: ({ value }) => ({ value: Array.isArray(value) ? value.join(',') : String(value) }),
      answer: edited,
      example: sample.EDITED,
    }),
    via(unset, {
      http: 'DELETE /config/{key}',
      operationId: 'unsetSetting',
      tag: 'configuration',
      summary: 'Remove a value from the configuration',
      quick: true,
      params,
      query: ['project', 'repo'],
      answer: edited,
      example: { ...sample.EDITED, value: null },
    }),
  ]
}
