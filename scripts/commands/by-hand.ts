/** repair, adopt, rename: what was done by hand is taken over. */
import { resolve } from 'node:path'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { formatFields } from '../../lib/report/tables.ts'
import { findHere, type Repository } from '../../lib/tools/repository.ts'
import { renameWorkspace } from '../../lib/workspace/change/rename.ts'
import { type Repaired, repairWorkspace } from '../../lib/workspace/change/repair.ts'
import * as adopting from '../../lib/workspace/create/adopt.ts'
import { listMoved } from '../../lib/workspace/drift.ts'
import { findRepo, noteNamed, requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'
import { usage } from './parse.ts'
import { COMMANDS } from './table.ts'

export const repair: Run = async (call) => {
  const { app } = call
  const dryRun = call.flag('dry-run')
  const given = call.value('repo')
  const repo = given === undefined ? undefined : await findRepo(app, given)
  const worktree = call.value('worktree')
  const records = await chooseRecords(call, repo ?? findHere(call.cwd))
  const repaired = []
  for (const record of records) {
    await noteNamed(app, record, '')
    // a repository that was moved is most likely the one that the user stands in
    const moved = repo ?? (await movedHere(call, record))
    const place = worktree === undefined ? undefined : resolve(call.cwd, worktree)
    repaired.push(await repairWorkspace(app, record, { repo: moved, worktree: place, dryRun }))
  }
  const lines = repaired.map(describeRepair)
  return {
    data: {
      ...(dryRun ? { dryRun } : {}),
      repaired: repaired.map(({ record, done, left }) => ({ ...summary(record), done, left: left ?? null })),
    },
    text: lines.length === 0 ? 'no workspaces to repair' : lines.join('\n'),
  }
}

function describeRepair({ record, done, left }: Repaired): string {
  if (left !== undefined) return `${record.name}: ${left.text}; \`${left.command}\` mends it`
  if (done.length === 0) return `${record.name}: nothing to repair`
  return [`${record.name}:`, ...done.map((one) => `  ${one}`)].join('\n')
}

async function chooseRecords(call: Call, repo: Repository | undefined): Promise<readonly WorkspaceRecord[]> {
  const [name] = call.args
  if (name !== undefined && !call.flag('all')) return [await requireWorkspace(call.app, name)]
  const command = COMMANDS.find((one) => one.name === 'repair')
  if (command !== undefined && (name !== undefined || !call.flag('all')))
    throw usage(command, '`nexus repair` needs the name of a workspace, or --all.')
  const records = await call.app.records.list()
  if (repo === undefined) return records
  return [...records.filter((record) => record.repo === repo.root), ...listMoved(records, repo)]
}

async function movedHere(call: Call, record: WorkspaceRecord): Promise<Repository | undefined> {
  const here = findHere(call.cwd)
  return here === undefined ? undefined : listMoved([record], here).length > 0 ? here : undefined
}

function summary({ id, name, repo, branch, worktree }: WorkspaceRecord) {
  return { id, name, repo, branch, worktree }
}

export const adopt: Run = async (call) => {
  const dryRun = call.flag('dry-run')
  const request = { given: call.args[0] ?? '', name: call.value('name'), dryRun }
  const { record, lost } = await adopting.adopt(call.app, request)
  if (!dryRun) await noteNamed(call.app, record, '')
  const state = record.desired === 'running' ? 'running' : `stopped; \`nexus up ${record.name}\` starts it`
  const what = lost ? 'a workspace again' : 'a workspace'
  return answer(
    call,
    record,
    { adopted: { ...summary(record), lost } },
    dryRun ? `would be ${what}` : `is ${what}, ${state}`,
  )
}

export const rename: Run = async (call) => {
  const dryRun = call.flag('dry-run')
  const found = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const { record, changed } = await renameWorkspace(call.app, found, { to: call.args[1] ?? '', dryRun })
  const data = { renamed: { ...summary(record), from: found.name }, changed }
  return answer(
    call,
    record,
    data,
    `${dryRun ? 'would be' : 'is'} what ${found.name} is called${changed ? ' now' : ' already'}`,
  )
}

function answer(call: Call, record: WorkspaceRecord, data: object, said: string): Answer {
  const fields = formatFields([
    ['branch', record.branch],
    ['worktree', record.worktree ?? 'not on this machine'],
  ])
  return {
    data: { ...(call.flag('dry-run') ? { dryRun: true } : {}), ...data },
    text: `${record.name} ${said}\n${fields}`,
  }
}
