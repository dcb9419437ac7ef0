/**
 * What the endpoints share in one server: how an app is made for a request, where lists come from, and what runs. Nothing
 * here is state that would be missed: a server can be killed at any moment.
 */
import { isAbsolute } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import { createInterruption, type Interruption } from '../core/interruption.ts'
import type { WorkspaceResource } from '../core/workspace.ts'
import type { Attach } from '../system/exec.ts'
import { findHere, findRepository, type Repository, requireRepository } from '../tools/repository.ts'
import type { App, Asking } from '../workspace/app.ts'
import { findRepo } from '../workspace/names/find.ts'
import { openApp } from '../workspace/open-app.ts'
import type { ListRequest } from '../workspace/status/list.ts'
import { createLive, type Live } from './changes/live.ts'
import { createOperations, type Operations } from './operations.ts'

/** Where lists of workspaces come from. */
export interface ListSource {
  list(request: ListRequest): Promise<readonly WorkspaceResource[]>
}

export interface ApiContext {
  readonly version: string
  readonly env: NodeJS.ProcessEnv
  readonly startedAt: number
  /** The folder that the server was started in. */
  readonly cwd: string
  /** How this very program is started. */
  readonly program: readonly string[]
  readonly snapshot: ListSource
  readonly operations: Operations
  readonly live: Live
  /** An app for one request. */
  appFor(options?: AppRequest): App
}

/** What a request gives in place of options that stand for configuration keys. */
export interface RequestSettings {
  /** Dotted key -> text as on the command line. */
  readonly flags: Readonly<Record<string, string>>
  /** Dotted key -> field of the body. */
  readonly names: Readonly<Record<string, string>>
  readonly noHooks?: boolean
}

export interface AppRequest {
  readonly emit?: Emit
  readonly interruption?: Interruption
  readonly settings?: RequestSettings
  readonly attach?: Attach
  /** The main worktree of the repository that the caller stands in, where it says so. */
  readonly from?: string | undefined
  readonly effect?: Asking['effect']
}

export interface ContextOptions {
  readonly version: string
  readonly env: NodeJS.ProcessEnv
  /** The folder that the server was started in: its repository counts as known. Nothing else is looked up from there. */
  readonly cwd: string
  readonly program: readonly string[]
  readonly snapshot?: ListSource
}

export function createContext({ version, env, cwd, program, snapshot }: ContextOptions): ApiContext {
  const appFor = ({
    emit = () => {},
    interruption = createInterruption(),
    settings,
    attach = refuseStreams,
    from = '/', // no folder of the server's is where its callers stand
    effect = 'changes',
  }: AppRequest = {}) =>
    openApp({
      cwd: from,
      env,
      emit,
      interruption,
      asking: { effect },
      ...(settings === undefined ? {} : { flags: settings.flags, flagNames: settings.names }),
      noHooks: settings?.noHooks === true,
      attach,
    })
  const live = createLive(appFor)
  return {
    version,
    env,
    program,
    cwd,
    startedAt: Date.now(),
    snapshot: snapshot ?? live,
    live,
    operations: createOperations(),
    appFor,
  }
}

/** A server's own streams are nobody's to talk to. */
const refuseStreams: Attach = async () => {
  throw new Error('a request has no terminal')
}

export interface KnownRepository {
  readonly path: string
  readonly aliases: readonly string[]
  readonly workspaces: number
}

/** What has workspaces, an alias in the user's configuration, or the server in it. */
export async function listRepositories(api: ApiContext, app: App): Promise<readonly KnownRepository[]> {
  const known = new Map<string, { aliases: string[]; workspaces: number }>()
  const entry = (path: string) => {
    const found = known.get(path) ?? { aliases: [], workspaces: 0 }
    known.set(path, found)
    return found
  }
  for (const record of await app.records.list()) entry(record.repo).workspaces++
  for (const [alias, { path }] of Object.entries((await app.config()).settings.workspaces)) {
    entry(findRepository(path)?.root ?? path).aliases.push(alias)
  }
  const here = findHere(api.cwd)
  if (here !== undefined) entry(here.root)
  return [...known].map(([path, { aliases, workspaces }]) => ({ path, aliases, workspaces })).sort(byPath)
}

function byPath(a: KnownRepository, b: KnownRepository): number {
  return a.path < b.path ? -1 : Number(a.path > b.path)
}

/**
 * The repository that a request names by its path or alias; without a word that of the caller, else the only one that is known.
 * @throws {NexusError} INVALID_ARGUMENT listing those that are known; REPOSITORY_NOT_FOUND
 */
export async function chooseRepository(api: ApiContext, app: App, given: string | undefined): Promise<Repository> {
  if (given !== undefined) return findRepo(app, await checkedRepo(app, given))
  const own = findHere(app.cwd)
  if (own !== undefined) return requireRepository(own.root)
  const known = await listRepositories(api, app)
  const [only] = known
  if (only !== undefined && known.length === 1) return requireRepository(only.path)
  const paths = known.map(({ path }) => path)
  const count = paths.length === 0 ? 'none is known yet' : `${paths.length} are known: ${paths.join(', ')}`
  throw new NexusError('INVALID_ARGUMENT', `The field repo is needed to say which repository is meant; ${count}.`, {
    hint: 'To see which there are, run `nexus api /repositories`',
    details: { repositories: paths },
  })
}

/** A path relative to a folder that the caller cannot see would lead somewhere by chance. */
export async function checkedRepo(app: App, given: string): Promise<string> {
  if (isAbsolute(given) || Object.hasOwn((await app.config()).settings.workspaces, given)) return given
  throw new NexusError(
    'INVALID_ARGUMENT',
    `The repository ${JSON.stringify(given)} is neither an absolute path nor an alias.`,
    {
      hint: 'To see which are known, run `nexus api /repositories`',
    },
  )
}
