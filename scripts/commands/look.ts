/** list, status, ports: look and tell. */

import { formatAge } from '../../lib/core/time.ts'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { formatFields, formatTable } from '../../lib/report/tables.ts'
import { findRepository } from '../../lib/tools/repository.ts'
import { findRepo, requireWorkspace } from '../../lib/workspace/find.ts'
import { describeWorkspace, listWorkspaces } from '../../lib/workspace/list.ts'
import type { Call, Run } from './command.ts'
import { describeDoor } from './door-text.ts'

export const list: Run = async (call) => {
  const repo = await repositoryOf(call)
  const workspaces = await listWorkspaces(call.app, { repo, dirty: call.flag('dirty') })
  const text = workspaces.length === 0 ? nothing(repo) : formatList(workspaces, repo === undefined, call.flag('dirty'))
  return { data: { workspaces }, text }
}

/** Outside of any repository, all are meant. */
async function repositoryOf(call: Call): Promise<string | undefined> {
  const given = call.value('repo')
  if (given !== undefined) return (await findRepo(call.app, given)).root
  return call.flag('all') ? undefined : findRepository(call.cwd)?.root
}

function nothing(repo: string | undefined): string {
  return `no workspaces${repo === undefined ? '' : ` in ${repo}`}; \`nexus up <name>\` makes one`
}

function formatList(workspaces: readonly WorkspaceResource[], withRepo: boolean, withDirty: boolean): string {
  const header = [
    'NAME',
    'STATE',
    'BRANCH',
    'PORTS',
    'AGE',
    ...(withDirty ? ['DIRTY'] : []),
    ...(withRepo ? ['REPOSITORY'] : []),
  ]
  const rows = workspaces.map((workspace) => [
    workspace.name,
    workspace.reason === '' ? workspace.state : `${workspace.state}: ${workspace.reason}`,
    workspace.branch,
    workspace.ports.map((port) => port.url ?? `${port.name} ${port.host ?? port.container}`).join(' ') || '-',
    formatAge(workspace.createdAt),
    ...(withDirty ? [dirtyWord(workspace.dirty)] : []),
    ...(withRepo ? [workspace.repo] : []),
  ])
  return formatTable(header, rows)
}

function dirtyWord(dirty: boolean | null | undefined): string {
  return dirty === true ? 'yes' : dirty === false ? 'no' : '?'
}

export const status: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const resource = await describeWorkspace(call.app, record)
  const state = resource.reason === '' ? resource.state : `${resource.state}: ${resource.reason}`
  const fields = [
    ['state', state] as const,
    ...outdated(resource),
    ['id', resource.id] as const,
    ['repository', resource.repo] as const,
    ...describeDoor(resource),
    ['backend', resource.backend] as const,
    ['idle', `timeout ${resource.idleTimeout}`] as const,
    ['created', `${resource.createdAt} (${formatAge(resource.createdAt)} ago)`] as const,
  ]
  return { data: resource, text: `${resource.name}\n${formatFields(fields)}` }
}

function outdated({ name, outdated: files = [] }: WorkspaceResource): readonly (readonly [string, string])[] {
  return files.length === 0 ? [] : [['outdated', `${files.join(', ')} changed; \`nexus rebuild ${name}\` renews it`]]
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
