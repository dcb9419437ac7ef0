/**
 * The use cases' own app on the mock backend, in a home and beside a repository that live as long as the test, and records
 * of workspaces made by hand: what is looked at is what a test has put there.
 */
import { join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import { newWorkspaceId, parseName } from '../../lib/core/names.ts'
import { THIS_MACHINE } from '../../lib/core/reach.ts'
import type { DockerPart, LocalPart, WorkspaceRecord } from '../../lib/core/workspace.ts'
import type { App } from '../../lib/workspace/app.ts'
import { openApp } from '../../lib/workspace/open-app.ts'
import { type TempRepo, tempDir, tempRepo } from './temp.ts'

export interface AppWorld extends AsyncDisposable {
  readonly app: App
  /** Holds the home `.nexus`. */
  readonly folder: string
  readonly repo: TempRepo
  readonly warnings: readonly string[]
  /** Saves a record of a stopped workspace without worktree, unless `more` says otherwise. */
  record(name: string, more?: Partial<WorkspaceRecord>): Promise<WorkspaceRecord>
}

export async function appWorld(env: NodeJS.ProcessEnv = {}): Promise<AppWorld> {
  const dir = await tempDir()
  const repo = await tempRepo()
  const warnings: string[] = []
  const app = openApp({
    cwd: repo.path,
    env: { ...process.env, HOME: dir.path, NEXUS_HOME: join(dir.path, '.nexus'), NEXUS_BACKEND: 'mock', ...env },
    emit: (event) => {
      if (event.type === 'warning') warnings.push(event.text)
    },
    interruption: createInterruption(),
  })
  return {
    app,
    folder: dir.path,
    repo,
    warnings,
    record: async (name, more = {}) => {
      const record = makeRecord(name, repo.path, more)
      await app.records.save(record)
      return record
    },
    [Symbol.asyncDispose]: async () => {
      await repo[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** Of a workspace that was never started. */
export const CONTAINERS: DockerPart = {
  image: null,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  sudo: true,
  editors: false,
}

/** A worktree of a repository. */
export function localIn(repo: string, worktree: string): LocalPart {
  return { worktree, gitDir: join(repo, '.git'), adopted: false }
}

/** With all parts but `local`, whatever its backend has. */
export function makeRecord(name: string, repo: string, more: Partial<WorkspaceRecord> = {}): WorkspaceRecord {
  return {
    schema: 2,
    id: newWorkspaceId(),
    name: parseName(name),
    given: name,
    displayName: 'A project',
    repo,
    project: 'project',
    branch: `nexus/${name}`,
    base: null,
    branchCreated: true,
    backend: 'mock',
    host: 'mock',
    address: THIS_MACHINE,
    local: null,
    docker: CONTAINERS,
    isolation: 'standard',
    gitMode: 'shared',
    network: 'open',
    createdAt: '2026-11-23T08:00:00Z',
    desired: 'stopped',
    ports: [],
    env: {},
    cpus: null,
    memory: null,
    pids: 4096,
    idleTimeout: '30m',
    forwardAgent: false,
    agentMode: 'off',
    shortAlias: true,
    author: { name: 'Test', email: 'test@example.invalid' },
    hostKeyFingerprint: null,
    operation: null,
    ...more,
  }
}
