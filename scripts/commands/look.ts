/** list, ports: look and tell. */
import { statSync } from 'node:fs'

import { formatSize } from '../../lib/core/sizes.ts'
import { formatAge } from '../../lib/core/time.ts'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { findHere } from '../../lib/tools/repository.ts'
import { listMoved } from '../../lib/workspace/drift.ts'
import { findRepo, requireWorkspace } from '../../lib/workspace/look/find.ts'
import { describeWorkspace, listWorkspaces } from '../../lib/workspace/look/list.ts'
import { listRestoring } from '../../lib/workspace/look/restoring.ts'
import type { Call, Run } from './command.ts'

export const list: Run = async (call) => {
  const repo = await repositoryOf(call)
  const columns = { repo: repo === undefined, dirty: call.flag('dirty'), size: call.flag('size') }
  const workspaces = await listWorkspaces(call.app, { ...columns, repo })
  await tellMoved(call)
  await tellRestoring(call, repo)
  const text = workspaces.length === 0 ? nothing(repo) : formatList(workspaces, columns)
  return { data: { workspaces }, text }
}

/** Outside of any repository, all are meant. */
export async function repositoryOf(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  if (given !== undefined) return (await findRepo(call.app, given)).root
  return call.flag('all') ? undefined : findHere(call.cwd)?.root
}

/** A repository that was moved has no workspaces by its new path, though their worktrees are in it. */
async function tellMoved({ app, cwd }: Call): Promise<void> {
  const here = findHere(cwd)
  const moved = here === undefined ? [] : listMoved(await app.records.list(), here)
  if (moved.length === 0) return
  const names = moved.map(({ name }) => name).join(', ')
  const text = `this repository was moved here from ${moved[0]?.repo}, where Nexus looks for ${names}`
  app.emit({ type: 'warning', text, hint: 'To tell Nexus, run `nexus repair --all`' })
}

async function tellRestoring({ app }: Call, repo: string | undefined): Promise<void> {
  for (const one of await listRestoring(app)) {
    if (repo === undefined || repo === one.repo)
      app.emit({ type: 'warning', text: one.text, hint: `To finish it, run \`${one.command}\`` })
  }
}

function nothing(repo: string | undefined): string {
  const owner = repo === undefined ? undefined : statSync(repo, { throwIfNoEntry: false })?.uid
  // git refuses to work for anybody else there
  if (owner !== undefined && process.getuid?.() !== 0 && owner !== process.getuid?.())
    return `no workspaces in ${repo}, which belongs to another user (uid ${owner})`
  return `no workspaces${repo === undefined ? '' : ` in ${repo}`}; \`nexus up <name>\` makes one`
}

interface Columns {
  readonly repo: boolean
  readonly dirty: boolean
  readonly size: boolean
}

function formatList(workspaces: readonly WorkspaceResource[], { repo, dirty, size }: Columns): string {
  const header = [
    'NAME',
    'STATE',
    'BRANCH',
    'PORTS',
    'AGE',
    ...(dirty ? ['DIRTY'] : []),
    ...(size ? ['SIZE'] : []),
    ...(repo ? ['REPOSITORY'] : []),
  ]
  const rows = workspaces.map((workspace) => [
    workspace.name,
    workspace.reason === '' ? workspace.state : `${workspace.state}: ${workspace.reason}`,
    workspace.branch,
    portWords(workspace.ports),
    formatAge(workspace.createdAt),
    ...(dirty ? [dirtyWord(workspace.dirty)] : []),
    ...(size ? [sizeWords(workspace.size)] : []),
    ...(repo ? [workspace.repo] : []),
  ])
  return formatTable(header, rows)
}

/** Exported for tests: what is leased, as a restored workspace has none before its start. */
export function portWords(ports: WorkspaceResource['ports']): string {
  const leased = ports.filter(({ host }) => host !== null)
  return leased.map(({ name, host, url }) => url ?? `${name} ${host}`).join(' ') || '-'
}

/** `1.2 GB: worktree 1.0 GB, layers 40 MB, volumes 120 MB` */
export function sizeWords(size: WorkspaceResource['size']): string {
  if (size === undefined) return '?'
  const { total, worktree, layers, volumes, state } = size
  const parts = Object.entries({ worktree, layers, volumes, state }).map(
    ([name, bytes]) => `${name} ${formatSize(bytes)}`,
  )
  return `${formatSize(total)}: ${parts.join(', ')}`
}

function dirtyWord(dirty: boolean | null | undefined): string {
  return dirty === true ? 'yes' : dirty === false ? 'no' : '?'
}

export const ports: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const { ports } = await describeWorkspace(call.app, record)
  const rows = ports.map((port) => [
    port.name,
    `${port.service === undefined ? '' : `${port.service}:`}${port.container}/${port.protocol}`,
    port.host === null ? '-' : `localhost:${port.host}`,
    port.url ?? '',
  ])
  return { data: { ports }, text: formatTable(['NAME', 'INSIDE', 'HERE', 'URL'], rows) }
}
