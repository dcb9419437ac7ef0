/**
 * Creates, starts and restarts workspaces: one plan from what there is to what is wanted. A create that fails or is
 * interrupted is undone; one whose process was killed is finished by the next `up`.
 */
import { existsSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Backend } from '../backends/backend.ts'
import type { ConfigSources } from '../config/load.ts'
import { NexusError } from '../core/errors.ts'
import type { PortMapping, WorkspaceRecord } from '../core/workspace.ts'
import type { WantedPort } from '../ports/blocks.ts'
import { describePortOwner } from '../ports/owner.ts'
import { withLock } from '../system/lock.ts'
import { isPortFree } from '../system/net.ts'
import { isAlive } from '../system/process.ts'
import { appendLineOnce, makeFolder } from '../system/store.ts'
import type { App } from './app.ts'
import type { Actions } from './apply.ts'
import { type CreateRequest, type Draft, draftWorkspace } from './draft.ts'
import { observeOne, type Seen } from './observe.ts'
import { beginOperation, exclusively, settle, type Working, walk, withRepository } from './operate.ts'
import { mapPorts, offsetsOf, SSH_PORT } from './port-plan.ts'
import { type Plan, planUp } from './steps.ts'

const PORT_ATTEMPTS = 5

export interface UpResult {
  /** The workspace as it is now; in a dry run as it would be. */
  readonly record: WorkspaceRecord
  readonly plan: Plan
  /** False when there was nothing to do. */
  readonly changed: boolean
  readonly created: boolean
}

export interface UpRequest extends Omit<CreateRequest, 'start'> {
  readonly start: boolean
  readonly dryRun: boolean
  /** `up`: an existing workspace is started; `create`: it is an error. */
  readonly existing: WorkspaceRecord | undefined
}

/** Creates the workspace when there is none, then starts it. */
export async function bringUp(app: App, request: UpRequest): Promise<UpResult> {
  return request.existing === undefined
    ? create(app, request)
    : start(app, request.existing, { dryRun: request.dryRun, start: request.start })
}

async function create(app: App, request: UpRequest): Promise<UpResult> {
  const draft = await draftWorkspace(app, request)
  const { record, branch, backend } = draft
  const plan = planUp({
    name: record.name,
    branch: record.branch,
    branchCause: branch.cause,
    worktree: record.worktree,
    isNew: true,
    worktreePresent: false,
    portsLeased: false,
    state: 'absent',
    start: request.start,
    capabilities: backend.capabilities,
  })
  if (request.dryRun) return { record, plan, changed: false, created: false }
  return exclusively(app, record.id, async () => {
    const working: Working = { record }
    let saved = false
    const steps = createSteps(app, working, draft, undefined)
    const actions: Actions = {
      ...steps,
      record: {
        run: async () => {
          await reserve(app, working)
          saved = true
        },
        undo: async () => {
          saved = false
          await unreserve(app, working.record)
        },
      },
      lease: { ...steps.lease, undo: async () => (await app.leases()).release(record.id) },
      start: { ...steps.start, undo: () => backend.remove(working.record) },
    }
    await walk(app, working, plan, actions, () => saved)
    const settled = await settle(app, working.record, request.start ? 'running' : 'stopped')
    return { record: settled, plan, changed: true, created: true }
  })
}

export interface StartOptions {
  readonly dryRun: boolean
  readonly start: boolean
}

/** Starts a workspace that exists: resumes, starts or rebuilds its parts, whatever is missing. */
export async function start(app: App, found: WorkspaceRecord, options: StartOptions): Promise<UpResult> {
  return exclusively(app, found.id, async () => {
    const record = (await app.records.load(found.id)) ?? found
    const seen = await observeOne(app, record)
    if (seen.state === 'unknown')
      throw new NexusError('BACKEND_UNAVAILABLE', seen.reason, { hint: 'To start the engine, run `make setup`' })
    const project = projectOf(record)
    const backend = await app.backend(record.backend, project)
    const redo = needsWorktreeAgain(record, seen)
    const plan = planStart(record, seen, backend, redo, options)
    if (options.dryRun || (plan.length === 0 && record.operation === null && record.desired === 'running')) {
      return { record, plan, changed: false, created: false }
    }
    await backend.check()
    const working: Working = {
      record: {
        ...record,
        operation: beginOperation(record.operation?.kind === 'create' ? 'create' : 'start', record.operation?.done),
      },
    }
    const wanted = record.ports.map(({ host: _, ...port }) => port)
    const branch = { branch: record.branch, create: false, commit: '', ours: record.branchCreated, cause: 'its own' }
    const draft: Draft = { record, branch, wanted: wanted.length > 0 ? wanted : [SSH_PORT], backend, project }
    await walk(app, working, plan, createSteps(app, working, draft, seen), () => true)
    const settled = await settle(app, working.record, options.start ? 'running' : record.desired)
    return { record: settled, plan, changed: plan.length > 0, created: false }
  })
}

/** The worktree of an interrupted create may be half made: it is made again unless its step was done. */
function needsWorktreeAgain(record: WorkspaceRecord, seen: Seen): boolean {
  if (!seen.worktreePresent) return true
  const { operation } = record
  return operation?.kind === 'create' && !isAlive(operation) && !operation.done.includes('worktree')
}

function planStart(record: WorkspaceRecord, seen: Seen, backend: Backend, redo: boolean, options: StartOptions): Plan {
  const observed = seen.observation?.state ?? 'absent'
  return planUp({
    name: record.name,
    branch: record.branch,
    branchCause: seen.worktreePresent ? 'its making was interrupted' : 'its folder is gone',
    worktree: record.worktree,
    isNew: false,
    worktreePresent: !redo,
    portsLeased: record.ports.some((port) => port.host !== null),
    state: observed === 'unknown' ? 'error' : observed,
    start: options.start,
    capabilities: backend.capabilities,
  })
}

/** Where the project's configuration of an existing workspace lies: in its own worktree, else in the main one. */
export function projectOf(record: WorkspaceRecord): ConfigSources['project'] {
  const folders = [record.worktree, record.repo].filter((folder) => folder !== null)
  const file = folders.map((folder) => `${folder}/.nexus/config.yaml`).find((path) => existsSync(path))
  return file === undefined ? undefined : { file }
}

function createSteps(app: App, working: Working, draft: Draft, seen: Seen | undefined) {
  const { backend } = draft
  return {
    lease: {
      run: async () => {
        const range = await requirePortRange(backend)
        const bases = await (await app.leases()).acquire(leaseRequest(working.record, draft, range))
        working.record = { ...working.record, ports: await withCanonical(app, mapPorts(draft.wanted, bases)) }
      },
    },
    worktree: {
      run: () => makeWorktree(app, working.record, draft),
      undo: () => unmakeWorktree(app, working.record, draft),
    },
    provision: {
      run: async () => {
        const provision = await backend.provision(working.record)
        working.record = { ...working.record, ...provision }
      },
    },
    configure: {
      run: async () => {
        if (working.record.worktree !== null) await makeFolder(working.record.worktree, 0o755)
        await backend.configure(working.record)
      },
    },
    start: { run: () => startWithPorts(app, working, draft, seen) },
  } satisfies Actions
}

/** Under one lock for all repositories, so that names are unique in each and aliases on the machine. */
async function reserve(app: App, working: Working): Promise<void> {
  await withLock(`${app.home.locks}/names`, async () => {
    const { repo, name } = working.record
    const others = await app.records.list()
    const twin = others.find((record) => record.repo === repo && record.name === name)
    if (twin !== undefined) throw alreadyExists(twin)
    const shortAlias = others.every((record) => record.name !== name)
    working.record = { ...working.record, shortAlias }
    await app.records.save(working.record)
  })
  if (working.record.worktree !== null) await makeFolder(working.record.worktree, 0o755)
}

export function alreadyExists(record: WorkspaceRecord): NexusError {
  return new NexusError('WORKSPACE_ALREADY_EXISTS', `Workspace ${record.name} exists already in ${record.repo}.`, {
    hint: `To start it, run \`nexus up ${record.name}\`; to remove it, \`nexus delete ${record.name}\``,
    details: { id: record.id },
  })
}

async function unreserve(app: App, record: WorkspaceRecord): Promise<void> {
  await app.records.remove(record.id)
  if (record.worktree !== null) await removeEmptyFolders(record.worktree)
}

/** The worktree's folder and the one that holds all worktrees, when nothing is in them. */
export async function removeEmptyFolders(worktree: string): Promise<void> {
  for (const folder of [worktree, dirname(worktree)]) {
    try {
      await rmdir(folder)
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
}

async function makeWorktree(app: App, record: WorkspaceRecord, { branch }: Draft): Promise<void> {
  const { worktree, gitDir, repo } = record
  if (worktree === null || gitDir === null) throw new Error(`${record.id} has no local files`)
  await withRepository(app, gitDir, async () => {
    if (worktree.startsWith(`${repo}/.worktree/`)) await appendLineOnce(`${gitDir}/info/exclude`, '/.worktree/')
    const again = record.operation?.kind !== 'create' || record.operation.pid !== process.pid
    await app.git.addWorktree(repo, worktree, {
      name: branch.branch,
      create: branch.create,
      commit: branch.commit,
      again,
    })
  })
  const onLine = (text: string) => app.emit({ type: 'progress', text })
  await app.git.checkOut(worktree, onLine)
  if (!existsSync(`${worktree}/.gitmodules`)) return
  try {
    await app.git.initSubmodules(worktree, onLine)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const hint = 'To fetch them later, run `git submodule update --init --recursive` in the worktree'
    app.emit({ type: 'warning', text: `the submodules could not be fetched: ${error.message}`, hint })
  }
}

async function unmakeWorktree(app: App, record: WorkspaceRecord, { branch }: Draft): Promise<void> {
  const { worktree, gitDir, repo } = record
  if (worktree === null || gitDir === null) return
  await withRepository(app, gitDir, async () => {
    await app.git.removeWorktree(repo, worktree)
    if (branch.create && (await app.git.findCommit(repo, `refs/heads/${branch.branch}`)) === branch.commit) {
      await app.git.deleteBranch(repo, branch.branch, branch.commit)
    }
  })
}

/** Docker's refusal of a port leads to other ports, re-rendered files and another try. */
async function startWithPorts(app: App, working: Working, draft: Draft, seen: Seen | undefined): Promise<void> {
  const { backend } = draft
  let observed = seen?.observation
  for (let attempt = 1; ; attempt++) {
    try {
      return await backend.start(working.record, observed)
    } catch (error) {
      if (!(error instanceof NexusError) || error.code !== 'PORT_CONFLICT' || attempt === PORT_ATTEMPTS) throw error
      await giveOtherPorts(app, working, draft, error)
      await backend.configure(working.record)
      observed = undefined
    }
  }
}

async function giveOtherPorts(app: App, working: Working, draft: Draft, error: NexusError): Promise<void> {
  const { record } = working
  const refused = error.details?.port
  const owner = typeof refused === 'number' ? await describePortOwner(app.runner, refused) : undefined
  const taken = `port ${refused ?? ''} is taken${owner === undefined ? '' : ` by ${owner}`}`
  if (record.ports.some((port) => port.canonical === refused)) {
    app.emit({ type: 'warning', text: `${taken}; the leased port alone is published` })
    const ports = record.ports.map(({ canonical, ...port }) =>
      canonical === refused || canonical === undefined ? port : { ...port, canonical },
    )
    working.record = { ...record, ports }
    return
  }
  app.emit({ type: 'warning', text: `${taken}; other ports are leased and the container is made anew` })
  const range = await requirePortRange(draft.backend)
  const bases = await (await app.leases()).exchange(leaseRequest(record, draft, range), taken)
  working.record = { ...record, ports: await withCanonical(app, mapPorts(draft.wanted, bases)) }
}

/** Keeps the canonical ports that are free; for the others a warning names the owner. */
async function withCanonical(app: App, ports: readonly PortMapping[]): Promise<readonly PortMapping[]> {
  return Promise.all(
    ports.map(async ({ canonical, ...port }) => {
      if (canonical === undefined) return port
      if (await isPortFree(canonical)) return { ...port, canonical }
      const holder = (await app.records.list()).find((record) =>
        record.ports.some((one) => one.canonical === canonical),
      )
      const owner = holder === undefined ? await describePortOwner(app.runner, canonical) : `workspace ${holder.name}`
      const text = `port ${canonical} is taken${owner === undefined ? '' : ` by ${owner}`}; ${port.name} is reached at ${port.host} alone`
      app.emit({ type: 'warning', text })
      return port
    }),
  )
}

function leaseRequest(record: WorkspaceRecord, draft: Draft, range: { readonly start: number; readonly end: number }) {
  return { workspace: record.id, name: record.name, repo: record.repo, range, offsets: offsetsOf(draft.wanted) }
}

async function requirePortRange(backend: Backend) {
  const range = await backend.portRange?.()
  if (range === undefined) throw new Error(`backend ${backend.name} has local ports and no range`)
  return range
}

export type { WantedPort }
