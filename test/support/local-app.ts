/**
 * The use cases on real git and a backend that is only a list of what runs: worktrees, records and trash without an engine.
 */
import { join } from 'node:path'
import type { Backend } from '../../lib/backends/backend.ts'
import type { Event } from '../../lib/core/events.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import type { WorkspaceId } from '../../lib/core/names.ts'
import { type HomePaths, workspacePaths } from '../../lib/core/paths.ts'
import { withoutStreams } from '../../lib/core/session.ts'
import type { Observation, WorkspaceRecord } from '../../lib/core/workspace.ts'
import { requireRepository } from '../../lib/tools/repository.ts'
import type { App } from '../../lib/workspace/app.ts'
import { bringUp, type UpRequest } from '../../lib/workspace/lifecycle/up.ts'
import { openApp } from '../../lib/workspace/open-app.ts'
import { type TempRepo, type TempRepoOptions, tempDir, tempRepo } from './temp.ts'

export interface LocalApp extends AsyncDisposable {
  readonly app: App
  readonly repo: TempRepo
  readonly events: readonly Event[]
  /** What runs, by id. */
  readonly running: Map<WorkspaceId, Observation>
  /** Volumes of the backend and folders that it mounts, each of a workspace, with their bytes. */
  readonly volumes: Map<string, { readonly id: WorkspaceId; readonly bytes: number | null; readonly isFolder?: true }>
  /** What services of a workspace do when they are told to end. */
  readonly lastActs: Map<WorkspaceId, () => Promise<void>>
  up(name: string, more?: Pick<UpRequest, 'from'>): Promise<WorkspaceRecord>
  record(name: string): Promise<WorkspaceRecord | undefined>
}

export interface LocalAppOptions extends TempRepoOptions {
  /** Folder in which the home is made. */
  readonly homeIn?: string
  readonly env?: NodeJS.ProcessEnv
}

export async function openLocalApp(options: LocalAppOptions = {}): Promise<LocalApp> {
  const repo = await tempRepo(options)
  const home = await tempDir(options.homeIn)
  const events: Event[] = []
  const running = new Map<WorkspaceId, Observation>()
  const volumes: LocalApp['volumes'] = new Map()
  const lastActs: LocalApp['lastActs'] = new Map()
  const env = {
    PATH: process.env.PATH,
    HOME: home.path,
    NEXUS_HOME: join(home.path, '.nexus'),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: 'file',
    ...options.env,
  }
  const made = openApp({
    cwd: repo.path,
    env,
    emit: (event) => events.push(event),
    interruption: createInterruption(),
    noHooks: true,
  })
  const app: App = { ...made, backend: async () => listBackend(made, running, volumes, lastActs) }
  const record = async (name: string) => (await app.records.list()).find((one) => one.name === name)
  return {
    app,
    repo,
    events,
    running,
    volumes,
    lastActs,
    record,
    up: async (name, more = {}) => {
      const request = { given: name, repo: requireRepository(repo.path), start: true, dryRun: false, ...more }
      return (await bringUp(app, { ...request, existing: await record(name) })).record
    },
    [Symbol.asyncDispose]: async () => {
      await repo[Symbol.asyncDispose]()
      await home[Symbol.asyncDispose]()
    },
  }
}

/** git on this machine, which finds the private git dir and what that borrows where both are here. */
export function privateGitArgv(home: HomePaths, { id, local }: WorkspaceRecord, args: readonly string[]) {
  const gitDir = local?.gitDir ?? ''
  const own = workspacePaths(home, id).privateGit
  const here = args.map((arg) => (arg.startsWith(gitDir) ? own + arg.slice(gitDir.length) : arg))
  return [
    'env',
    `GIT_ALTERNATE_OBJECT_DIRECTORIES=${join(gitDir, 'objects')}`,
    'git',
    '-c',
    'safe.directory=*',
    ...here,
  ]
}

function listBackend(
  { home }: App,
  running: LocalApp['running'],
  volumes: LocalApp['volumes'],
  lastActs: LocalApp['lastActs'],
): Backend {
  const set = async ({ id }: WorkspaceRecord, state: Observation['state']) =>
    void running.set(id, { state, reason: '' })
  return {
    name: 'docker',
    host: 'local',
    check: async () => {},
    lifecycle: {
      observe: async () => running,
      watch: async () => {},
      provision: async () => ({ hostKeyFingerprint: null }),
      configure: async () => {},
      start: (record) => set(record, 'running'),
      stop: (record) => set(record, 'stopped'),
      remove: async ({ id }, kept = []) => {
        await lastActs.get(id)?.()
        running.delete(id)
        for (const [name, volume] of volumes) if (volume.id === id && !kept.includes(name)) volumes.delete(name)
      },
      dismantle: async ({ id }) => {
        running.delete(id)
        return true
      },
      findLost: async () => undefined,
    },
    code: { kind: 'mounted', git: { command: async (record, args) => privateGitArgv(home, record, args) } },
    endpoints: { address: null, reach: () => undefined },
    isReachable: async () => false,
    // an inside in which nothing can be found out
    open: () => withoutStreams(Promise.resolve(null)),
    pause: { pause: (record) => set(record, 'paused'), resume: (record) => set(record, 'running') },
    data: {
      list: async ({ id }) =>
        [...volumes].flatMap(([name, { id: of, ...volume }]) =>
          of === id ? [{ name, of: 'db', nameless: false, ...volume }] : [],
        ),
      remove: async (names) => {
        for (const name of names) volumes.delete(name)
      },
      guests: async () => [],
    },
  }
}
