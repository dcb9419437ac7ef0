/**
 * Makes a record for what has none: a git worktree that somebody made by hand, or a workspace whose record was lost. The folder
 * stays where it is, and nothing in it is changed. Containers of a lost record stay as they run where ports and keys are still
 * ours; else they are made anew by the next start, with their volumes.
 */

import { existsSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import { requireFacet } from '../../backends/facets.ts'
import type { LostWorkspace } from '../../backends/making.ts'
import { NexusError } from '../../core/errors.ts'
import { composeProject, isWorkspaceId, newWorkspaceId, parseName, type WorkspaceName } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { dockerOf, withDocker } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { cameFromElsewhere } from '../../tools/branch-log.ts'
import {
  findAdminDir,
  isOnItsOwn,
  ownerOf,
  type Repository,
  readBranch,
  requireRepository,
} from '../../tools/repository.ts'
import { requireOwnParts } from '../../tools/repository-links.ts'
import type { App } from '../app.ts'
import { markWorktree } from '../git/marker.ts'
import * as ownGit from '../git/own-git.ts'
import { allowedAtCreate } from '../network/network.ts'
import { loadInstance } from '../records.ts'
import { detectIn } from '../stack/stack-choice.ts'
import { refuseRestoring } from '../status/restoring.ts'
import { projectIn } from '../trust/choice.ts'
import { type Guards, guardsOf, userInside } from '../trust/isolation.ts'
import { closeWorktrees } from '../worktree-place.ts'
import { newRecord } from './draft.ts'
import { claimName, requireFreeName } from './naming.ts'
import { renewFiles } from './renew.ts'
import { identityInside } from './signing.ts'

export interface AdoptRequest {
  /** A worktree's folder, the name or id of a container, or a workspace's id. */
  readonly given: string
  readonly name: string | undefined
  readonly dryRun: boolean
}

export interface Adopted {
  readonly record: WorkspaceRecord
  /** It was a workspace before. */
  readonly lost: boolean
}

export async function adopt(app: App, request: AdoptRequest): Promise<Adopted> {
  const { settings } = await app.config()
  const backend = await app.backend(settings.defaults.backend)
  const found = await findTarget(app, backend, request)
  const draft = await draftRecord(app, backend, found, request)
  const lost = found.lost
  const record = lost === undefined ? draft : await reviveFrom(app, backend, draft, lost)
  // before its containers may go
  await requireFreeName(app, record)
  if (request.dryRun) return { record, lost: lost !== undefined }
  const whole = lost !== undefined && record.hostKeyFingerprint !== null
  if (lost !== undefined && !whole) await backend.lifecycle.dismantle(record)
  const claimed = await claimName(app, record)
  await closeWorktrees(app, claimed, settings)
  await markWorktree(claimed)
  await ownGit.beginAnew(app, claimed)
  if (whole) await renewFiles(app, claimed)
  return { record: claimed, lost: lost !== undefined }
}

interface Target {
  readonly repo: Repository
  readonly worktree: string
  readonly id: WorkspaceRecord['id']
  /** What its containers tell; undefined without any. */
  readonly lost: LostWorkspace | undefined
  /** A workspace made it. */
  readonly ours: boolean
}

/** @throws {NexusError} INVALID_ARGUMENT, WORKSPACE_ALREADY_EXISTS for what has a record */
async function findTarget(app: App, backend: Backend, { given, name }: AdoptRequest): Promise<Target> {
  const folder = resolve(app.cwd, given)
  const records = await app.records.list()
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    const { repo, worktree } = requireLinked(folder)
    refuseKnown(records.find((record) => record.local?.worktree === worktree))
    await refuseRestoring(app, { repo: repo.root, name: name ?? basename(worktree), worktree })
    const marker = findAdminDir(repo.gitDir, worktree)?.marker ?? ''
    const free = isWorkspaceId(marker) && records.every(({ id }) => id !== marker)
    const lost = free ? await backend.lifecycle.findLost(marker) : undefined
    return { repo, worktree, id: free ? marker : newWorkspaceId(), lost, ours: free }
  }
  const lost = await backend.lifecycle.findLost(given)
  if (lost === undefined) {
    throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(given)} is neither a folder nor a container of Nexus.`, {
      hint: 'To see the worktrees, run `git worktree list`; the containers, `docker ps -a --filter label=dev.nexus.workspace`',
    })
  }
  refuseKnown(records.find(({ id }) => id === lost.id))
  const repo = requireRepository(existsSync(lost.worktree) ? lost.worktree : lost.repo)
  return { repo, worktree: lost.worktree, id: lost.id, lost, ours: true }
}

function requireLinked(folder: string): { readonly repo: Repository; readonly worktree: string } {
  const repo = requireRepository(folder)
  if (repo.worktree !== repo.root) return { repo, worktree: repo.worktree }
  if (isOnItsOwn(repo)) {
    const text = `${repo.root} counts as a repository of its own: ${repo.gitDir}, whose worktree it is, has no main one.`
    throw new NexusError('INVALID_ARGUMENT', text, {
      hint: `To have a workspace that begins with its commit, run \`nexus up <name> --repo ${shellWord(repo.root)}\``,
    })
  }
  throw new NexusError('INVALID_ARGUMENT', `${repo.root} is the repository's own checkout, which stays yours alone.`, {
    hint: 'To have a worktree for a workspace, run `nexus up <name>`',
  })
}

function refuseKnown(record: WorkspaceRecord | undefined): void {
  if (record === undefined) return
  throw new NexusError('WORKSPACE_ALREADY_EXISTS', `It is the workspace ${record.name} (${record.id}) already.`, {
    hint: `To see how it is, run \`nexus status ${record.id}\``,
    details: { id: record.id },
  })
}

/** As a create would make it, but for the branch and the folder that are there. */
async function draftRecord(app: App, backend: Backend, target: Target, request: AdoptRequest) {
  const { repo, worktree, id, lost, ours } = target
  requireOwnParts(repo)
  const there = existsSync(worktree)
  const [{ settings: own }, { settings }] = await Promise.all([
    app.config(),
    app.config(projectIn([worktree, repo.root])),
  ])
  const guards = guardsOf(settings, own)
  if (guards.gitMode === 'private') {
    const { requirePrivateGit } = await import('../git/private-git.ts')
    const local = { repo: repo.root, gitDir: repo.gitDir }
    const branch = readBranch(worktree)
    const isOwn = guards.isolation !== 'agent' && typeof branch === 'string' && !cameFromElsewhere(repo.gitDir, branch)
    const commit = (await app.git.findCommit(there ? worktree : repo.root, 'HEAD')) ?? ''
    await requirePrivateGit(app, backend, local, commit, isOwn ? 'own' : 'other')
  }
  if (guards.isolation === 'agent' || guards.network !== 'open')
    await requireFacet(app, backend, 'guards', `isolation ${guards.isolation} with network ${guards.network}`)
  if (lost !== undefined) refuseLooser(guards, lost, request.given)
  const [instance, author] = await Promise.all([loadInstance(app.home), app.git.identity(repo.root)])
  const word = request.name ?? (lost?.name === undefined || lost.name === '' ? basename(worktree) : lost.name)
  const hasFiles = backend.stack !== undefined
  const detected = hasFiles ? detectIn(there ? worktree : repo.root, repo.root, settings) : undefined
  const inside = userInside(ownerOf(repo), guards.isolation)
  const who = await identityInside(app, guards, author)
  const what = { id, name: parseName(word), given: word, ...who }
  const fresh = { what, worktree, inside, repo, settings, own, guards, backend, instance, detected }
  const { record, wanted } = await newRecord(fresh)
  return {
    ...record,
    ...(await allowedAtCreate(app, guards, settings.network.allow)),
    branch: requireBranch(worktree, lost),
    local: { worktree, gitDir: repo.gitDir, adopted: !ours },
    ports: wanted.map((port) => ({ ...port, host: null })),
    pendingHooks: true,
  }
}

/** How it was guarded was the user's word, which is lost with the record. @throws {NexusError} INVALID_ARGUMENT */
function refuseLooser({ isolation, network }: Guards, { name, agent, gate }: LostWorkspace, given: string): void {
  const wanted = [
    ...(agent && isolation !== 'agent' ? ['--isolation agent'] : []),
    ...(gate && network === 'open' ? ['--network allowlist'] : []),
  ]
  if (wanted.length === 0) return
  throw new NexusError('INVALID_ARGUMENT', `Workspace ${name} was guarded more than it would be now.`, {
    hint: `To guard it as before, run \`nexus adopt ${shellWord(given)} ${wanted.join(' ')}\``,
  })
}

function requireBranch(worktree: string, lost: LostWorkspace | undefined): string {
  const branch = readBranch(worktree) ?? (lost?.branch || undefined)
  if (branch !== undefined) return branch
  throw new NexusError('INVALID_ARGUMENT', `${worktree} is on no branch, and a workspace has one.`, {
    hint: `To give it one, run \`git -C ${shellWord(worktree)} switch -c <branch>\``,
  })
}

/**
 * With what only the containers know: the name that they were made under, and where they can go on as they are, ports and image.
 * @throws {NexusError} UNSUPPORTED for a workspace of another home that still has its record
 */
async function reviveFrom(
  app: App,
  backend: Backend,
  draft: WorkspaceRecord,
  lost: LostWorkspace,
): Promise<WorkspaceRecord> {
  if (!lost.ours && lost.heldBy !== null) {
    throw new NexusError('UNSUPPORTED', `Workspace ${lost.name} belongs to another NEXUS_HOME: ${lost.heldBy}.`, {
      hint: `To work on it, run \`NEXUS_HOME=${shellWord(dirname(dirname(dirname(lost.heldBy))))} nexus list --all\``,
    })
  }
  const madeAs = nameIn(lost)
  const { editors } = dockerOf(draft)
  const own = withDocker(draft, { editors: editors && lost.editors })
  const named = { ...own, ...(madeAs === undefined || madeAs === draft.name ? {} : { madeAs }) }
  const kept = lost.password === null ? named : withPassword(named, lost.password)
  // a guarded workspace builds none after its create
  if (!(await canGoOn(app, lost))) return lost.agent || lost.gate ? withDocker(kept, { image: lost.image }) : kept
  const subnets = (await (await app.subnets()).list()).filter(({ workspace }) => workspace === lost.id)
  const record = {
    ...withDocker(kept, { image: lost.image }),
    ...(subnets.length === 0 ? {} : { subnets: subnets.map(({ cidr }) => cidr) }),
    ports: portsOf(lost),
    desired: lost.running ? ('running' as const) : ('stopped' as const),
  }
  const { hostKeyFingerprint } = await backend.lifecycle.provision(record)
  return { ...record, hostKeyFingerprint, pendingHooks: false }
}

/** The name in its compose project. */
function nameIn({ id, name, project }: LostWorkspace): WorkspaceName | undefined {
  const suffix = id.slice('ws-'.length)
  const word = new RegExp(`^nexus-(.+)-${suffix}$`).exec(project)?.[1] ?? name
  return composeProject({ id, name: word as WorkspaceName }) === project ? parseName(word) : undefined
}

function withPassword(record: WorkspaceRecord, password: string): WorkspaceRecord {
  const { ready } = dockerOf(record)
  return ready === undefined ? record : withDocker(record, { ready: { ...ready, password } })
}

/** Its keys are here, and its ports still leased to it; what guards it is made anew. */
async function canGoOn(app: App, { id, ours, agent, gate, ports }: LostWorkspace): Promise<boolean> {
  if (agent || gate) return false
  if (!ours || !existsSync(workspacePaths(app.home, id).hostKey) || !ports.some(({ name }) => name === 'ssh'))
    return false
  return (await (await app.leases()).list()).some(({ workspace }) => workspace === id)
}

function portsOf({ ports }: LostWorkspace): WorkspaceRecord['ports'] {
  const first = ports.find(({ name }) => name === 'ssh')?.host ?? 0
  return ports.map((port) => ({ ...port, offset: port.host - first }))
}
