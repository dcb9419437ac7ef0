/** create, up, start, stop, restart, pause, resume, delete: words in, one use case each, an answer out. */
import { NexusError } from '../../lib/core/errors.ts'
import { isWorkspaceId, nameOfBranch } from '../../lib/core/names.ts'
import { shellWord } from '../../lib/core/shell.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { formatFields } from '../../lib/report/tables.ts'
import { findHere } from '../../lib/tools/repository.ts'
import type { App } from '../../lib/workspace/app.ts'
import * as down from '../../lib/workspace/change/down.ts'
import { rebuild as rebuildWorkspace } from '../../lib/workspace/change/rebuild.ts'
import { splitRepository } from '../../lib/workspace/create/meant.ts'
import { alreadyExists } from '../../lib/workspace/create/naming.ts'
import { bringUp, start as startWorkspace, type UpResult } from '../../lib/workspace/create/up.ts'
import { CURRENT, requireCurrent } from '../../lib/workspace/look/current.ts'
import { findRepo, findWorkspace, noteNamed, requireWorkspace } from '../../lib/workspace/look/find.ts'
import { resourceOf } from '../../lib/workspace/look/list.ts'
import { isUnfinished } from '../../lib/workspace/operation/repaired.ts'
import { deleteWorkspace } from '../../lib/workspace/remove/delete.ts'
import type { TrashEntry } from '../../lib/workspace/remove/trash.ts'
import type { Answer, Call, Run } from './command.ts'
import { wayOut } from './current.ts'
import { byAlias, describeDoor } from './door-text.ts'
import { answerPlan } from './plan-text.ts'

export const up: Run = (call) => bring(call, 'up')
export const create: Run = (call) => bring(call, 'create')

async function bring(call: Call, verb: 'up' | 'create'): Promise<Answer> {
  const { app } = call
  const pr = parsePr(call.value('pr'))
  const { repo: meant, given: typed } = await splitRepository(app, call.args[0], call.value('repo'))
  const given = verb === 'up' && typed === CURRENT ? (await requireCurrent(app)).id : typed
  if (given === undefined && pr === undefined) {
    throw new NexusError('INVALID_ARGUMENT', `\`nexus ${verb}\` needs the name of a workspace.`, {
      hint: `To create one, run \`nexus ${verb} feature-auth\``,
    })
  }
  if (given !== undefined && !isWorkspaceId(given)) nameOfBranch(given)
  const record = given !== undefined && isWorkspaceId(given) ? await app.records.load(given) : undefined
  const here = findHere(app.cwd)
  const repo = await findRepo(app, meant ?? (here === undefined ? record?.repo : undefined))
  const existing = await findWorkspace(app, given ?? `pr-${pr}`, repo)
  if (existing !== undefined && verb === 'create' && !isUnfinished(existing)) throw alreadyExists(existing)
  if (existing !== undefined) {
    await noteNamed(app, existing, call.args[0] ?? '')
    tellIgnored(call, existing.name)
  } else if (repo.root !== here?.root) {
    const name = nameOfBranch(given ?? `pr-${pr}`)
    const word =
      meant === call.value('repo') ? `${name} --repo ${shellWord(repo.root)}` : shellWord(call.args[0] ?? name)
    app.named?.push({ name, repo: repo.root, word })
  }
  const result = await bringUp(app, {
    given,
    repo,
    existing,
    from: call.value('from'),
    branch: call.value('branch'),
    pr,
    env: call.values('env'),
    ports: call.values('port'),
    start: !call.flag('no-start'),
    dryRun: call.flag('dry-run'),
  })
  return answerUp(call, result)
}

const CREATE_ONLY = [
  ...['backend', 'from', 'branch', 'pr', 'env', 'port', 'cpus', 'memory', 'pids'],
  ...['isolation', 'git-mode', 'network', 'allow'],
]

/** What a workspace is made from is fixed when it is created. */
function tellIgnored(call: Call, name: string): void {
  const fixed = CREATE_ONLY.filter((option) => call.flag(option))
  if (fixed.length === 0) return
  const flags = fixed.map((option) => `--${option}`).join(', ')
  call.app.emit({ type: 'notice', text: `${name} exists already: ${flags} counts only when a workspace is created` })
}

function parsePr(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new NexusError('INVALID_ARGUMENT', `--pr ${JSON.stringify(text)} is not the number of a pull request.`, {
    hint: 'To start from pull request 12, use `--pr 12`',
  })
}

export const start: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  return answerUp(call, await startWorkspace(call.app, record, { start: true, dryRun: call.flag('dry-run') }))
}

async function answerUp(call: Call, result: UpResult): Promise<Answer> {
  if (call.flag('dry-run')) return answerPlan(result.plan, result.record)
  const resource = await resourceOf(call.app, result.record)
  const said = result.changed ? '' : ' already'
  const fields = describeDoor(resource, await byAlias(call))
  const text = [`${result.record.name} is${said} ${resource.state}`, formatFields(fields)].join('\n')
  return { data: resource, text }
}

type Change = (app: Call['app'], record: WorkspaceRecord, dryRun: boolean) => Promise<UpResult>

const simple =
  (change: Change, done: string): Run =>
  async (call) => {
    const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
    const result = await change(call.app, record, call.flag('dry-run'))
    if (call.flag('dry-run')) return answerPlan(result.plan, result.record)
    const text = `${record.name} is ${result.changed ? done : `already ${done}`}`
    return { data: await resourceOf(call.app, result.record), text }
  }

export const stop: Run = simple(down.stop, 'stopped')
export const pause: Run = simple(down.pause, 'paused')
export const resume: Run = simple(down.resume, 'running')

export const restart: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  return answerUp(call, await down.restart(call.app, record, call.flag('dry-run')))
}

export const rebuild: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  return answerUp(call, await rebuildWorkspace(call.app, record, call.flag('dry-run')))
}

export const remove: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const result = await deleteWorkspace(call.app, record, {
    force: call.flag('force'),
    locked: call.flag('locked'),
    deleteBranch: call.flag('delete-branch'),
    trash: !call.flag('no-trash'),
    dryRun: call.flag('dry-run'),
  })
  if (call.flag('dry-run')) return answerPlan(result.plan, record)
  const { keptBranch, trash } = result
  const only = keptBranch?.uniqueCommits
    ? `: it has ${count(keptBranch.uniqueCommits, 'commit')} found nowhere else`
    : ''
  const kept = keptBranch === null ? '' : `; branch ${keptBranch.name} is kept${only}`
  const told = trash && (await tellTrash(call.app, trash, result.data))
  return {
    data: { deleted: { id: record.id, name: record.name }, keptBranch, trash: told?.data ?? null },
    text: `${record.name} is deleted${kept}${told === null ? '' : `\n${told.text}`}${wayOut(call, [record])}`,
  }
}

/** Loaded only by a delete that kept something. */
async function tellTrash(app: App, trash: TrashEntry, words: string) {
  const { describeKept, nameInTrash } = await import('../../lib/workspace/remove/trash.ts')
  const data = await describeKept(app, trash)
  const until = data.until === null ? '' : ` until ${data.until}`
  const back = `\`nexus trash restore ${await nameInTrash(app, trash)}\` brings it back`
  return { data, text: `${inTrash(trash, words)} in the trash${until}; ${back}` }
}

/** What the trash has of a workspace, with its verb. */
function inTrash({ lost, data = [] }: TrashEntry, words: string): string {
  if (lost.length > 0) return `what it held${words === '' ? '' : `, with ${words},`} is`
  return `${words} ${data.length === 1 ? 'is' : 'are'}`
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
