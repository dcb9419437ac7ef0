/** config show, get, set, unset. */
import { join } from 'node:path'
import { formatValue, showConfig } from '../../lib/config/describe.ts'
import { editSetting } from '../../lib/config/edit.ts'
import { type Config, requireKey } from '../../lib/config/load.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { findHere } from '../../lib/tools/repository.ts'
import { findRepo } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'

const PROJECT_FILE = join('.nexus', 'config.yaml')

/** As it holds in this folder: the worktree's own project file, or that of `--repo`. */
async function configHere(call: Call): Promise<Config> {
  const folder = await projectFolder(call)
  return call.app.config(folder === undefined ? undefined : { file: join(folder, PROJECT_FILE) })
}

async function projectFolder(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  return given === undefined ? findHere(call.cwd)?.worktree : (await findRepo(call.app, given)).root
}

export const show: Run = async (call) => {
  const settings = showConfig(await configHere(call))
  const origin = call.flag('origin')
  const rows = settings.map((one) => [one.key, formatValue(one.value), ...(origin ? [one.origin] : [])])
  return { data: { settings }, text: formatTable(['KEY', 'VALUE', ...(origin ? ['ORIGIN'] : [])], rows) }
}

export const get: Run = async (call) => {
  const key = call.args[0] ?? ''
  requireKey(key)
  const setting = (await configHere(call)).values.get(key)
  return { data: { key, value: setting?.value ?? null }, text: setting === undefined ? '' : formatValue(setting.value) }
}

export const set: Run = (call) => edit(call, call.args[1] ?? '')
export const unset: Run = (call) => edit(call, undefined)

async function edit(call: Call, text: string | undefined): Promise<Answer> {
  const key = call.args[0] ?? ''
  const project = call.flag('project')
  const file = project
    ? join((await findRepo(call.app, call.value('repo'))).worktree, PROJECT_FILE)
    : call.app.home.config
  await editSetting(file, project ? 'project' : 'user', key, text, call.cwd)
  if (!project) await (await import('../../lib/workspace/door/agent-reach.ts')).tellFurtherReach(call.app, key)
  const done = text === undefined ? `${key} is removed from ${file}` : `${key} is ${text} in ${file}`
  return { data: { key, value: text ?? null, file }, text: done }
}
