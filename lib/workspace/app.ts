/**
 * What every use case works with: the home, the tools, the records, the configuration and the backends, made once per
 * command (and per request of a server). Nothing is loaded or started before it is asked for.
 */
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { Backend } from '../backends/backend.ts'
import { createBackend } from '../backends/registry.ts'
import { type Config, type ConfigSources, loadConfig, type Settings } from '../config/load.ts'
import { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import { late } from '../core/late.ts'
import type { Named } from '../core/named.ts'
import type { OperationKind } from '../core/operations.ts'
import { type HomePaths, homePaths } from '../core/paths.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { Subnets } from '../network/subnets.ts'
import type { Leases } from '../ports/leases.ts'
import type { Attach, Runner } from '../system/exec.ts'
import { closeFolder, openTo } from '../system/modes.ts'
import { keepReserve } from '../system/reserve.ts'
import { createRunner } from '../system/runner.ts'
import { makeFolder } from '../system/store.ts'
import type { Git } from '../tools/git.ts'
import type { InertGit } from '../tools/git-inert.ts'
import { leasesOf, subnetLeasesOf } from './port-plan.ts'
import { createRecords, loadInstance, type Records } from './records.ts'

export interface AppOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly emit: Emit
  readonly interruption: Interruption
  /** Configuration keys given as flags, dotted key -> text as typed, and the flag that gave each. */
  readonly flags?: Readonly<Record<string, string>>
  readonly flagNames?: Readonly<Record<string, string>>
  /** What is asked for; without it, something that changes. */
  readonly asking?: Asking
  /** Where it is noted which workspaces this command is about, for the hints (`core/named.ts`); undefined for a request. */
  readonly named?: Named[]
  /** `--no-hooks`: this command runs no hooks and installs no dotfiles. */
  readonly noHooks?: boolean
  /** Where commands run that have the caller's streams; default: on those of this process. */
  readonly attach?: Attach
}

/** Whether the use case only looks decides what a name may mean (`names/find.ts`). */
export interface Asking {
  readonly effect: 'looks' | 'changes'
  /** The verb of the command line, for hints; undefined for a request. */
  readonly command?: string
  /** The whole command line, to be repeated; undefined for a request, and for a line with values of variables in it. */
  readonly line?: string | undefined
}

export interface App extends AppOptions {
  readonly home: HomePaths
  readonly runner: Runner
  readonly git: Git
  /** For trees that somebody in a workspace has written to. */
  readonly inertGit: InertGit
  readonly records: Records
  /** Loaded only by what leases: the probes and locks behind it cost every other command its start. */
  leases(): Promise<Leases>
  subnets(): Promise<Subnets>
  /** Configuration as it holds for a project; without one, the user's alone. */
  config(project?: ConfigSources['project']): Promise<Config>
  /** The backend by name, made once. */
  backend(name: string): Promise<Backend>
  readonly recover: Recover
}

/**
 * Finishes, or takes back, an operation that was cut off, under the workspace's lock. It goes on with the verbs themselves, which all
 * stand above whoever finds such an operation: so it is handed in.
 * @param next the operation that is about to begin; what its own plan covers is left to it
 * @returns the workspace as it is now; undefined when it was removed
 */
export type Recover = (
  app: App,
  record: WorkspaceRecord,
  next: OperationKind | undefined,
) => Promise<WorkspaceRecord | undefined>

/**
 * Where Nexus keeps its state: `NEXUS_HOME`, else `~/.nexus`.
 * @throws {NexusError} INVALID_ARGUMENT for one that would be another folder wherever it is used
 */
export function homeFolder(env: NodeJS.ProcessEnv): string {
  const [name, given] = env.NEXUS_HOME ? ['NEXUS_HOME', env.NEXUS_HOME] : ['HOME', env.HOME || homedir()]
  if (isAbsolute(given)) return name === 'HOME' ? join(given, '.nexus') : given
  // in quotes, no shell has made the home of it
  const meant = given.startsWith('~') ? `"$HOME${given.slice(1)}"` : `"$PWD/"${shellWord(given)}`
  throw new NexusError('INVALID_ARGUMENT', `${name} ${JSON.stringify(given)} is not an absolute path.`, {
    hint: `To name it from the root, run \`export ${name}=${meant}\``,
    details: { [name]: given },
  })
}

export function createApp(options: AppOptions, recover: Recover): App {
  const { env, emit, interruption } = options
  const home = homePaths(homeFolder(env))
  const runner = createRunner(emit, env, interruption, options.attach)
  const warn = (text: string) => emit({ type: 'warning', text })
  const records = createRecords(home, warn)
  const rebuild = async () => (await records.list()).flatMap(leasesOf)
  const backends = new Map<string, Promise<Backend>>()
  const warned = new Set<string>()

  async function config(project?: ConfigSources['project']): Promise<Config> {
    const loaded = await loadConfig({
      systemFile: '/etc/nexus/config.yaml',
      userFile: home.config,
      project,
      flags: options.flags ?? {},
      flagNames: options.flagNames ?? {},
      env,
    })
    for (const text of loaded.warnings.filter((one) => !warned.has(one))) {
      warned.add(text)
      warn(text)
    }
    return options.noHooks === true ? { ...loaded, settings: withoutHooks(loaded.settings) } : loaded
  }

  async function makeBackend(name: string): Promise<Backend> {
    await makeFolder(home.home)
    // as an older Nexus, a restore from a backup or a hand may have left them
    for (const part of partsOf(home)) if (openTo(part) !== undefined) await closeFolder(part)
    keepReserve(home.reserve)
    return createBackend(name, { runner, home, instance: await loadInstance(home), env, emit, interruption })
  }

  return {
    ...options,
    home,
    runner,
    git: late(async () => (await import('../tools/git.ts')).createGit(runner)),
    inertGit: late(async () => (await import('../tools/git-inert.ts')).createInertGit(runner, home.inertGit)),
    records,
    recover,
    leases: async () => {
      const { createLeases } = await import('../ports/leases.ts')
      return createLeases({ file: home.leases, rebuild, warn })
    },
    subnets: async () => {
      const { createSubnets } = await import('../network/subnets.ts')
      const implied = async () => (await records.list()).flatMap(subnetLeasesOf)
      return createSubnets({ file: home.subnets, rebuild: implied, warn })
    },
    config,
    backend: (name) => {
      const made = backends.get(name) ?? makeBackend(name)
      backends.set(name, made)
      return made
    },
  }
}

/** Its folders. */
function partsOf(home: HomePaths): readonly string[] {
  const { workspaces, trash, run, sshDir, logs, cache, shared, instance } = home
  return [workspaces, trash, run, sshDir, logs, cache, shared, dirname(instance)]
}

/** Gives back what a workspace has leased. */
export async function releaseAll(app: Pick<App, 'leases' | 'subnets'>, id: WorkspaceRecord['id']): Promise<void> {
  const [ports, subnets] = await Promise.all([app.leases(), app.subnets()])
  await Promise.all([ports.release(id), subnets.release(id)])
}

function withoutHooks(settings: Settings): Settings {
  return {
    ...settings,
    hooks: new Map(),
    hooksLeftOut: settings.hooks,
    dotfiles: { repository: undefined, install: undefined },
  }
}
