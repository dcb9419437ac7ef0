/**
 * Everything that is decided about a new workspace before anything is changed: repository, name, branch, configuration,
 * ports wanted, owner. Looks side by side at what does not depend on each other; refuses bad input here.
 */

import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import { requireFacet } from '../../backends/facets.ts'
import { requireBackendName } from '../../backends/registry.ts'
import type { ConfigSources, Settings } from '../../config/load.ts'
import { readDotenv } from '../../config/read.ts'
import { NexusError } from '../../core/errors.ts'
import { nameOfBranch, newWorkspaceId, type WorkspaceName } from '../../core/names.ts'
import { withDocker } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import { timestamp } from '../../core/time.ts'
import type { DockerPart, WorkspaceRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { cacheVolumes } from '../../stack/caches.ts'
import { type Detected, detectStack } from '../../stack/detect.ts'
import { readyRecord } from '../../stack/ready-record.ts'
import { readPlain } from '../../system/read.ts'
import { cameFromElsewhere } from '../../tools/branch-log.ts'
import { findRepository, listLinkedWorktrees, ownerOf, type Repository } from '../../tools/repository.ts'
import { requireOwnParts } from '../../tools/repository-links.ts'
import type { App } from '../app.ts'
import { allowedAtCreate } from '../network/network.ts'
import { beginOperation } from '../operation/walk.ts'
import { parsePortRequest, unmappedPorts, wantedPorts } from '../port-plan.ts'
import { loadInstance } from '../records.ts'
import { stackOf, tellElsewhere, withReadyPorts } from '../stack/stack-choice.ts'
import { refuseRestoring } from '../status/restoring.ts'
import type { Chosen } from '../trust/choice.ts'
import { type Guards, guardsOf, limitsOf, userInside } from '../trust/isolation.ts'
import { worktreesFolder } from '../worktree-place.ts'
import { tellRoot } from './as-root.ts'
import {
  type BranchChoice,
  type BranchRequest,
  chooseBranch,
  refPatterns,
  requirePlainRevision,
  unknownRevision,
} from './branch.ts'
import { findPullRequest, refuseRelativePrograms, settleOrigin } from './origin.ts'
import { identityInside } from './signing.ts'
import { parseVariable } from './variables.ts'

const PROJECT_CONFIG = '.nexus/config.yaml'

export interface CreateRequest {
  /** The name as typed; undefined only with `pr`. */
  readonly given: string | undefined
  readonly repo: Repository
  readonly from?: string | undefined
  readonly branch?: string | undefined
  readonly pr?: number | undefined
  /** `KEY=value`, or `KEY` to take this process's own value. */
  readonly env?: readonly string[]
  readonly ports?: readonly string[]
  /** Where images are looked for before they are built, and left: a folder's absolute path, or a registry's repository. */
  readonly imageCache?: string | undefined
  readonly start: boolean
  readonly dryRun: boolean
}

export interface Draft {
  readonly record: WorkspaceRecord
  readonly branch: BranchChoice
  readonly wanted: readonly WantedPort[]
  readonly backend: Backend
  readonly chosen: Chosen
}

export async function draftWorkspace(app: App, request: CreateRequest): Promise<Draft> {
  const given = request.given ?? (request.pr === undefined ? '' : `pr-${request.pr}`)
  const name = nameOfBranch(given)
  const { repo } = request
  requireOwnParts(repo)
  await refuseRestoring(app, { repo: repo.root, name, worktree: null })
  const { branch, names, author, likely } = await lookAtBranch(app, request, given, name)
  const [committed, dotenv] = await Promise.all(
    [PROJECT_CONFIG, '.env'].map((file) => findCommitted(app, repo, branch.commit, names, file)),
  )
  const project = projectConfig(app, repo, branch.branch, committed)
  const config = await app.config(project)
  const { settings } = config
  const { backend, guards, inside } = await requireBackend(app, repo, branch, settings, likely)

  tellRoot(app, repo.root, ownerOf(repo).uid)
  const instance = await loadInstance(app.home)
  const worktree = backend.code.kind === 'mounted' ? worktreePath(settings, repo, name) : null
  if (worktree !== null) requireFreeFolder(worktree, repo)
  const detected = backend.stack !== undefined ? detectProject(settings, repo, names, dotenv) : undefined
  if (detected !== undefined) tellDetected(app, repo, settings, detected)
  const who = await identityInside(app, guards, author)
  const what = { id: newWorkspaceId(), name, given, ...who }
  const fresh = { what, worktree, inside, repo, settings, own: likely.own, guards, backend, instance, detected }
  const { record, wanted } = await newRecord(fresh, request.ports ?? [])
  return {
    branch,
    wanted,
    backend,
    chosen: { project, config, settings, own: likely.own },
    record: {
      ...(request.imageCache === undefined ? record : withDocker(record, { imageCache: request.imageCache })),
      branch: branch.branch,
      base: branch.create ? branch.commit : null,
      branchCreated: branch.ours,
      ...(request.pr === undefined ? {} : { fetched: true as const }),
      ...(await allowedAtCreate(app, guards, settings.network.allow)),
      desired: request.start ? 'running' : 'stopped',
      ports: backend.endpoints.leased !== undefined ? [] : unmappedPorts(wanted),
      env: parseEnvironment(request.env ?? [], app.env),
      operation: beginOperation('create'),
    },
  }
}

/** The branch to work on with the names at its top, and what is asked of git and the backend at the same time. */
async function lookAtBranch(app: App, request: CreateRequest, given: string, name: WorkspaceName) {
  const { repo, from } = request
  const revision = from === undefined ? 'HEAD' : requirePlainRevision(from, '--from')
  if (request.branch !== undefined) requirePlainRevision(request.branch, '--branch')
  const asked: BranchRequest = { given, name, from, branch: request.branch, pr: request.pr }
  const [refs, start, author, top, likely] = await Promise.all([
    app.git.listRefs(repo.root, refPatterns(asked)),
    app.git.findCommit(repo.root, revision),
    app.git.identity(repo.root),
    app.git.listNames(repo.root, revision),
    checkLikelyBackend(app, repo),
  ])
  if (from !== undefined && start === undefined) throw unknownRevision(from)
  const pr = request.pr === undefined ? undefined : await findPullRequest(app, repo, request.pr, request.dryRun)
  const choice = chooseBranch(asked, { refs, start, pr })
  const branch = await settleOrigin(app, repo, choice, { from, start })
  const names = branch.commit === start ? top : await app.git.listNames(repo.root, branch.commit)
  await refuseRelativePrograms(app, repo, branch, names)
  return { branch, names, author, likely }
}

/** The configured backend, which can do what the guards ask for and works now. */
async function requireBackend(
  app: App,
  repo: Repository,
  { commit, create, taken, branch }: BranchChoice,
  settings: Settings,
  likely: LikelyBackend,
) {
  const backend = await app.backend(requireBackendName(settings.defaults.backend))
  const guards = guardsOf(settings, likely.own)
  if (guards.gitMode === 'private') {
    const { requirePrivateGit } = await import('../git/private-git.ts')
    const isOther =
      guards.isolation === 'agent' || taken !== undefined || (!create && cameFromElsewhere(repo.gitDir, branch))
    const whose = isOther ? 'other' : 'own'
    await requirePrivateGit(app, backend, { repo: repo.root, gitDir: repo.gitDir }, commit, whose)
  }
  if (guards.isolation === 'agent' || guards.network !== 'open')
    await requireFacet(app, backend, 'guards', `isolation ${guards.isolation} with network ${guards.network}`)
  const inside = userInside(ownerOf(repo), guards.isolation)
  if (likely.name !== backend.name) await backend.check({ ...inside, ...guards })
  else if (likely.failure !== undefined) throw likely.failure
  return { backend, guards, inside }
}

function tellDetected(app: App, repo: Repository, settings: Settings, { found, files }: Detected): void {
  const beside = settings.services.length === 0 ? '' : `, with ${settings.services.join(', ')}`
  app.emit({ type: 'notice', text: `it runs ${found}${beside}` })
  if (files.length === 0 && settings.compose.files === undefined) tellElsewhere(app, repo.worktree)
}

/** What every new record is made from, whether or not its worktree is there already. */
export interface Fresh {
  readonly what: Pick<WorkspaceRecord, 'id' | 'name' | 'given' | 'author' | 'signing' | 'comfort'>
  /** Where its code lies on this machine, if it does. */
  readonly worktree: string | null
  readonly inside: Pick<DockerPart, 'uid' | 'gid'>
  readonly repo: Repository
  readonly settings: Settings
  /** The user's alone. */
  readonly own: Settings
  readonly guards: Guards
  readonly backend: Backend
  readonly instance: string
  readonly detected: Detected | undefined
}

/** A record as the configuration has it, of a stopped workspace on no branch; and the ports that it wants. */
export async function newRecord(
  { what, worktree, inside, repo, settings, own, guards: { sudo, ...guards }, backend, instance, detected }: Fresh,
  ports: readonly string[] = [],
): Promise<{ readonly record: WorkspaceRecord; readonly wanted: readonly WantedPort[] }> {
  const ready = readyOfSettings(settings, instance, repo.root)
  const stack = detected === undefined ? undefined : stackOf(detected, settings)
  const asked = wantedPorts(configuredPorts(settings, repo), ports.map(parsePortRequest))
  const wanted = await withReadyPorts(asked, { ...what, docker: ready })
  const caches = cachesOf(settings, instance, { repo: repo.root, ...guards })
  const runs = { ...(stack === undefined ? {} : { stack }), ...ready, ...caches }
  const record: WorkspaceRecord = {
    schema: 2,
    ...what,
    displayName: settings.workspace.displayName ?? settings.workspace.name ?? basename(repo.root),
    repo: repo.root,
    project: settings.workspace.name ?? basename(repo.root),
    branch: '',
    base: null,
    branchCreated: false,
    backend: backend.name,
    host: backend.host,
    address: backend.endpoints.address,
    local: worktree === null ? null : { worktree, gitDir: repo.gitDir, adopted: false },
    ...(backend.stack === undefined ? {} : { docker: { image: null, ...inside, sudo, ...runs, editors: true } }),
    ...guards,
    createdAt: timestamp(),
    desired: 'stopped',
    ports: unmappedPorts(wanted),
    env: {},
    ...limitsOf(guards.isolation, settings, own.workspace),
    idleTimeout: settings.defaults.idleTimeout,
    shortAlias: true,
    hostKeyFingerprint: null,
    operation: null,
  }
  return { record, wanted }
}

/** With the password that the workspace has already, or a new one. */
export function readyOfSettings(
  settings: Settings,
  instance: string,
  repo: string,
  password: string = randomBytes(15).toString('hex'),
): Pick<DockerPart, 'ready'> {
  const wish = { wanted: settings.services, images: settings.images, seeded: settings.seed !== undefined }
  return readyRecord(wish, `${instance}\0${repo}`, password)
}

export function cachesOf(
  settings: Settings,
  instance: string,
  owner: Pick<WorkspaceRecord, 'repo' | 'isolation'>,
): Pick<DockerPart, 'caches'> {
  if (settings.caches.length === 0) return {}
  return { caches: cacheVolumes(instance, owner, settings.caches) }
}

async function findCommitted(app: App, repo: Repository, commit: string, names: readonly string[], file: string) {
  const [top = ''] = file.split('/')
  return names.includes(top) ? app.git.findFile(repo.root, commit, file) : undefined
}

/** By the commit's files; an ignored `.env` of the main worktree counts too. */
function detectProject(
  settings: Settings,
  repo: Repository,
  names: readonly string[],
  dotenv: string | undefined,
): Detected {
  const text = dotenv ?? readDotenv(join(repo.root, '.env'))
  return detectStack({ names, dotenv: text, compose: settings.compose, workspace: settings.workspace })
}

interface LikelyBackend {
  readonly name: string
  readonly own: Settings
  readonly failure?: unknown
}

/** Asked while git is: the project's own configuration, known only afterwards, rarely names another backend. */
async function checkLikelyBackend(app: App, repo: Repository): Promise<LikelyBackend> {
  const { settings: own } = await app.config()
  const { backend: name } = own.defaults
  const guards = guardsOf(own, own)
  try {
    await (await app.backend(name)).check({ ...userInside(ownerOf(repo), guards.isolation), ...guards })
    return { name, own }
  } catch (failure) {
    return { name, own, failure } // thrown when this turns out to be the backend
  }
}

/** The project's file as committed on the workspace's branch, else the main worktree's, which is said. */
function projectConfig(
  app: App,
  repo: Repository,
  branch: string,
  committed: string | undefined,
): ConfigSources['project'] {
  const file = join(repo.root, PROJECT_CONFIG)
  if (committed !== undefined) {
    // where the main worktree has the same, that is where it is mended
    const isHere = readPlain(file, { within: repo.root })?.toString() === committed
    return { file, text: committed, ...(isHere ? {} : { shown: `${branch}:${PROJECT_CONFIG}` }) }
  }
  if (!existsSync(file)) return undefined
  app.emit({ type: 'notice', text: `${PROJECT_CONFIG} is not committed on this branch; the main worktree's is used` })
  return { file }
}

function configuredPorts(settings: Settings, repo: Repository): readonly WantedPort[] {
  const configured = [...settings.ports]
  if (configured.length > 0) {
    return configured.map(([name, { container, host, protocol }]) => ({
      name,
      container,
      protocol,
      ...(host === undefined ? {} : { canonical: host }),
    }))
  }
  const alias = Object.values(settings.workspaces).find(({ path }) => findRepository(path)?.root === repo.root)
  const requests = (alias?.ports ?? []).map((container) => ({ name: undefined, container }))
  return wantedPorts([], requests).filter(({ name }) => name !== 'ssh')
}

function worktreePath(settings: Settings, repo: Repository, name: WorkspaceName): string {
  return join(worktreesFolder(settings, repo.root), name)
}

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS when there is something at the path */
export function requireFreeFolder(path: string, repo: Pick<Repository, 'gitDir'>): void {
  const registered = listLinkedWorktrees(repo.gitDir).find((worktree) => worktree.path === path)
  const filled = existsSync(path) && readdirSync(path).length > 0
  if (!filled && registered?.present !== true) return
  throw new NexusError('WORKSPACE_ALREADY_EXISTS', `The folder ${path} is already there and not empty.`, {
    hint:
      registered === undefined
        ? `To see what is in it, run \`ls -la ${path}\``
        : `To make that worktree a workspace, run \`nexus adopt ${shellWord(path)}\``,
    details: { path },
  })
}

function parseEnvironment(entries: readonly string[], own: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.map((entry) => parseVariable(entry, own)))
}
