/**
 * From rows of `docker ps` to a workspace's state, by the contract's rules. Pure.
 */
import { isWorkspaceId, type WorkspaceId } from '../../core/names.ts'
import { joinWords } from '../../core/words.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import { GATE_SERVICE } from '../../network/network.ts'
import type { ContainerRow } from '../../tools/docker.ts'
import { isProjectOf, PROJECT_LABEL } from './labels.ts'

/** The service of the workspace's own container; under another name it carries the role as a label. */
export const MAIN_SERVICE = 'workspace'
export const ROLE_LABEL = 'dev.nexus.role'
/** The role of a container that is there for one command and is no part of the workspace. */
export const HELPER_ROLE = 'helper'
/** SIGTERM and SIGKILL by `docker stop`, and what the engine notes after it was itself ended: stopped, not failed. */
const CLEAN_EXITS = new Set([0, 130, 137, 143, 255])

/** The compose service that has the SSH server. */
export function mainServiceOf({ docker }: Pick<WorkspaceRecord, 'docker'>): string {
  return docker?.stack?.main ?? MAIN_SERVICE
}

const EXIT_REASONS: ReadonlyMap<number, string> = new Map([
  [137, 'the container was killed'],
  [255, 'the engine ended while it ran'],
])

export function observeWorkspaces(rows: readonly ContainerRow[]): ReadonlyMap<WorkspaceId, Observation> {
  const groups = groupByWorkspace(rows.filter(isPartRow))
  const observed = new Map<WorkspaceId, Observation>()
  for (const [id, group] of groups) {
    if (isWorkspaceId(id)) observed.set(id, observeContainers(group))
  }
  return observed
}

/** What a user runs by hand from an image of the workspace has its labels, and is no part of it. */
function isPartRow({ role, project, workspace }: Pick<ContainerRow, 'role' | 'project' | 'workspace'>): boolean {
  return role !== HELPER_ROLE && isProjectOf(project, workspace)
}

/** The same of a container by its labels. */
export function isPart(labels: Readonly<Record<string, string>>): boolean {
  const { [ROLE_LABEL]: role = '', [PROJECT_LABEL]: project = '', 'dev.nexus.workspace': workspace = '' } = labels
  return isPartRow({ role, project, workspace })
}

function groupByWorkspace(rows: readonly ContainerRow[]): Map<string, ContainerRow[]> {
  const groups = new Map<string, ContainerRow[]>()
  for (const row of rows) groups.set(row.workspace, [...(groups.get(row.workspace) ?? []), row])
  return groups
}

export function observeContainers(rows: readonly ContainerRow[]): Observation {
  const main =
    rows.find((row) => row.role === MAIN_SERVICE) ?? rows.find((row) => row.service === MAIN_SERVICE && row.role === '')
  if (main === undefined) return { state: 'error', reason: 'the workspace container is missing' }
  const others = rows.filter((row) => row !== main)
  switch (main.state) {
    case 'running':
      return observeGate(others) ?? observeRunning(rows)
    case 'paused':
      return { state: 'paused', reason: '' }
    case 'restarting':
      return { state: 'error', reason: 'the workspace container restarts again and again' }
    case 'exited':
      return observeExit(main, others)
    case 'created':
      return { state: 'error', reason: 'the workspace container never started' }
    default:
      return { state: 'error', reason: `the workspace container is ${main.state}` }
  }
}

/** Without its gate a guarded workspace runs and cannot be reached. */
function observeGate(others: readonly ContainerRow[]): Observation | undefined {
  const gate = others.find((row) => row.service === GATE_SERVICE)
  if (gate === undefined || gate.state === 'running') return undefined
  return { state: 'error', reason: `the gate, which leads in and out, is ${gate.state}` }
}

/** The worst of what the services say; one that has yet to answer counts only when no other is in trouble. */
function observeRunning(rows: readonly ContainerRow[]): Observation {
  const down = rows.filter((row) => row.state !== 'running' && !(row.state === 'exited' && exitCode(row) === 0))
  if (down.length > 0) return { state: 'running', reason: tellDown(down) }
  const ill = rows.find((row) => row.status.includes('(unhealthy)'))
  if (ill !== undefined) return { state: 'running', reason: `service ${ill.service} is unhealthy`, unhealthy: true }
  const waiting = rows.find((row) => row.status.includes('(health: starting)'))
  if (waiting === undefined) return { state: 'running', reason: '' }
  return { state: 'running', reason: `the health check of ${waiting.service} has not passed yet`, settling: true }
}

/** `service db is exited`, `services css and js are exited; service db is paused` */
function tellDown(down: readonly ContainerRow[]): string {
  const states = [...new Set(down.map(({ state }) => state))]
  const parts = states.map((state) => {
    const names = [...new Set(down.filter((row) => row.state === state).map(({ service }) => service))].sort()
    return names.length === 1 ? `service ${names[0]} is ${state}` : `services ${joinWords(names, 'and')} are ${state}`
  })
  return parts.join('; ')
}

function observeExit(main: ContainerRow, others: readonly ContainerRow[]): Observation {
  const code = exitCode(main)
  if (!CLEAN_EXITS.has(code)) return { state: 'error', reason: `the workspace container ended with code ${code}` }
  const alive = others.find((row) => row.state === 'running')
  if (alive !== undefined) {
    return { state: 'error', reason: `the workspace container is stopped while ${alive.service} runs` }
  }
  const failed = others.find((row) => row.state === 'exited' && !CLEAN_EXITS.has(exitCode(row)))
  if (failed !== undefined)
    return { state: 'stopped', reason: `service ${failed.service} ended with code ${exitCode(failed)}` }
  return { state: 'stopped', reason: EXIT_REASONS.get(code) ?? '' }
}

function exitCode(row: ContainerRow): number {
  return Number(/^Exited \((\d+)\)/.exec(row.status)?.[1] ?? Number.NaN)
}
