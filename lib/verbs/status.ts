/** status: one workspace with its services, branch, changes and ports. */

import type { Endpoints } from '../api/kit.ts'
import { publishedAt } from '../core/reach.ts'
import type { GitStanding, ServiceResource, WorkspaceStatus } from '../core/status.ts'
import { formatAge } from '../core/time.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { formatFields, formatTable } from '../report/tables.ts'
import { flag } from '../verb-form/fields.ts'
import { MAYBE_NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { describeAccess, opensByAlias } from '../verb-form/words.ts'
import { listHere, sizeWords } from './list.ts'

type Field = readonly [string, string]

const status = verb({
  name: 'status',
  group: 'everyday',
  effect: 'looks',
  summary: 'show one workspace: state, services, branch, changes, ports; default: that of the current folder',
  fields: { name: MAYBE_NAME, size: flag('also measure what it takes on the disk'), repo: REPO },
  example: 'nexus status feature-auth --json',
  run: async (call, { name, repo, size }) => {
    const { findCurrent } = await import('../workspace/names/current.ts')
    const record = name === undefined ? await findCurrent(call.app) : await call.workspace(name, repo)
    if (record === undefined || (name === undefined && repo !== undefined))
      return listHere(call, { repo, size, all: false, dirty: false })
    const { statusOf } = await import('../workspace/status/status.ts')
    const resource = await statusOf(call.app, record, { size })
    const text = async () => `${resource.name}\n${formatFields(fieldsOf(record, resource, await opensByAlias(call)))}`
    return { data: resource, text }
  },
})

function fieldsOf(record: WorkspaceRecord, resource: WorkspaceStatus, alias: boolean): readonly Field[] {
  const { state, reason, git, size } = resource
  const [branch, ...access] = describeAccess(record, resource, alias)
  return [
    ['state', `${reason === '' ? state : `${state}: ${reason}`}${mendWords(resource)}${sinceWords(resource)}`],
    ...(resource.drift === undefined ? [] : [['by hand', resource.drift] as const]),
    ...outdated(resource),
    ['branch', `${branch?.[1] ?? resource.branch}${git === null ? '' : apartWords(git)}`],
    ...(git === null ? [] : [['changes', changeWords(git, resource)] as const]),
    ...serviceFields(record, resource.services),
    ...access,
    ['id', resource.id],
    ['repository', resource.repo],
    ['backend', resource.backend],
    ...(size === undefined ? [] : [['disk', sizeWords(size)] as const]),
    ['last used', `${usedWords(resource)}; idle timeout ${resource.idleTimeout}`],
    ['created', `${resource.createdAt} (${formatAge(resource.createdAt)} ago)`],
  ]
}

/** Most reasons name what mends them. */
function mendWords({ name, state, reason }: WorkspaceStatus): string {
  return state === 'error' && !reason.includes('`') ? `; \`nexus start ${name}\` mends it` : ''
}

/** ` (up 3h)`, ` (since 5m ago, by the idle timeout)` */
function sinceWords({ state, services, stopped }: WorkspaceStatus): string {
  const since = state === 'stopped' ? (stopped?.at ?? services?.[0]?.since) : services?.[0]?.since
  if (since == null) return ''
  if (state === 'running' || state === 'paused') return ` (up ${formatAge(since)})`
  const who = stopped === null ? '' : stopped.by === 'idle' ? ', by the idle timeout' : ', by hand'
  return state === 'stopped' ? ` (since ${formatAge(since)} ago${who})` : ''
}

/** `   2 ahead of main, 1 behind it` */
function apartWords({ against, ahead, behind }: GitStanding): string {
  if (against === null) return ''
  const { name } = against
  const [more, less] = [ahead ?? 0, behind ?? 0]
  if (more === 0 && less === 0) return `   even with ${name}`
  if (less === 0) return `   ${more} ahead of ${name}`
  return more === 0 ? `   ${less} behind ${name}` : `   ${more} ahead of ${name}, ${less} behind it`
}

function changeWords(git: GitStanding, { gitMode, name }: WorkspaceStatus): string {
  const { modified, untracked, conflicts, notBroughtBack, stashes, unfinished } = git
  const counted: readonly (readonly [number | null, string])[] = [
    [modified, 'modified'],
    [untracked, 'untracked'],
    [conflicts, 'in conflict'],
  ]
  const known = counted.flatMap(([count, word]) => (count === null || count === 0 ? [] : [`${count} ${word}`]))
  const files = modified === null ? '?' : known.length === 0 ? 'none' : known.join(', ')
  const commits = notBroughtBack === 1 ? '1 commit' : `${notBroughtBack ?? '?'} commits`
  const told = gitMode === 'private' && (notBroughtBack !== 0 || (stashes ?? 0) > 0 || unfinished.length > 0)
  return [
    files,
    ...unfinished.map((word) => `unfinished ${word}`),
    ...(gitMode !== 'private' || notBroughtBack === 0 ? [] : [`${commits} not brought back: \`nexus merge ${name}\``]),
    ...((stashes ?? 0) === 0 ? [] : [stashes === 1 ? '1 stash' : `${stashes} stashes`]),
    ...(told ? ['as the inside tells it'] : []),
  ].join('; ')
}

function serviceFields(record: WorkspaceRecord, services: readonly ServiceResource[] | null): readonly Field[] {
  if (services === null) return [['services', '?']]
  if (services.length === 0) return []
  const rows = services.map((service) => [
    service.name,
    stateWords(service),
    service.since === null ? '-' : formatAge(service.since),
    service.ports.map((port) => [publishedAt(record, port) ?? [], port.container].flat().join(' -> ')).join(', ') ||
      '-',
  ])
  const lines = formatTable(['NAME', 'STATE', 'FOR', 'PORTS'], rows).split('\n')
  return lines.map((line, i) => [i === 0 ? 'services' : '', line] as const)
}

/** `running (healthy)`, `exited (code 1), out of memory, restarted 3 times` */
function stateWords({ state, health, exitCode, outOfMemory, restarts }: ServiceResource): string {
  const inside = health ?? (exitCode === null ? undefined : `code ${exitCode}`)
  return [
    inside === undefined ? state : `${state} (${inside})`,
    ...(outOfMemory ? ['out of memory'] : []),
    ...(restarts === 0 ? [] : [`restarted ${restarts === 1 ? 'once' : `${restarts} times`}`]),
  ].join(', ')
}

function usedWords({ connected, lastActivity }: WorkspaceStatus): string {
  const ago = lastActivity === null ? '?' : `${formatAge(lastActivity)} ago`
  return connected === true ? `${ago}, an SSH connection is open` : ago
}

function outdated({ name, outdated: files = [] }: WorkspaceStatus): readonly Field[] {
  return files.length === 0 ? [] : [['outdated', `${files.join(', ')} changed; \`nexus rebuild ${name}\` renews it`]]
}

export const verbs = [status]

export const endpoints: Endpoints = ({ via, statusSchema, sample }) => [
  via(status, {
    http: 'GET /workspaces/{id}',
    operationId: 'getWorkspace',
    tag: 'workspaces',
    summary: 'Show one workspace: its services, how its branch and files stand, when it was last used',
    query: ['repo', 'size'],
    answer: statusSchema,
    example: {
      ...sample.WORKSPACE,
      services: [sample.SERVICE],
      git: sample.GIT,
      lastActivity: '2026-11-23T09:30:00Z',
      stopped: null,
      connected: false,
      operation: null,
    },
  }),
]
