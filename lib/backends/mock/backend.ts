/**
 * The mock backend: workspaces that exist only as a state file, so that the CLI, the make targets and the API can be tried
 * without Docker. Commands run on this machine, in a private folder that stands for the workspace's inside. It proves nothing
 * about a real backend.
 *
 * It plays both kinds. By itself its code is carried: nothing of a workspace is a folder or a port of this machine, as with a
 * hosted microVM. `NEXUS_MOCK_WITH=worktree,local-ports` makes it mounted, with a real worktree and real leases.
 */

import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceId } from '../../core/names.ts'
import { reachOf, THIS_MACHINE } from '../../core/reach.ts'
import { worktreeOf } from '../../core/record-parts.ts'
import { type OpenRequest, type Session, withoutStreams } from '../../core/session.ts'
import type { Observation, WorkspaceRecord } from '../../core/workspace.ts'
import { makeFolder, readJson, removeTree, writeJson } from '../../system/store.ts'
import type { Backend } from '../backend.ts'
import type { BackendContext } from '../context.ts'

type MockState = 'running' | 'paused' | 'stopped'

interface MockFile {
  readonly schema: 1
  readonly workspaces: Readonly<Record<string, MockState>>
}

export function createMockBackend(context: BackendContext): Backend {
  const file = join(context.home.home, 'state', 'mock.json')
  const lent = lentWords(context.env)
  const folderOf = (id: string) => join(context.home.cache, 'mock', id)

  async function load(): Promise<MockFile> {
    const warn = (kept: string) =>
      context.emit({ type: 'warning', text: `${file} was damaged; it was kept as ${kept}` })
    return (await readJson<MockFile>(file, 1, warn)) ?? { schema: 1, workspaces: {} }
  }

  async function setState(id: string, state: MockState | undefined): Promise<void> {
    const { withLock } = await import('../../system/lock.ts')
    await withLock(file, async () => {
      const { [id]: _previous, ...others } = (await load()).workspaces
      await writeJson(file, { schema: 1, workspaces: state === undefined ? others : { ...others, [id]: state } })
    })
  }

  async function forget(id: string): Promise<void> {
    await setState(id, undefined)
    await removeTree(folderOf(id))
  }

  async function observe(): Promise<ReadonlyMap<WorkspaceId, Observation>> {
    const { workspaces } = await load()
    return new Map(Object.entries(workspaces).map(([id, state]) => [id as WorkspaceId, { state, reason: '' }]))
  }

  /** On this machine; it ends with us, however we end. */
  function open(record: WorkspaceRecord, request: OpenRequest): Session {
    if (request.login !== undefined) throw new Error('the mock has no login shell')
    const variables = { ...request.env, NEXUS_WS_ID: record.id, NEXUS_WS_NAME: record.name }
    const own = lent.has('worktree') ? worktreeOf(record) : null
    const place = { cwd: request.cwd ?? own ?? folderOf(record.id), env: variables }
    if (request.streams === 'ours') return withoutStreams(orNotFound(context.runner.attach(request.argv, place)))
    const input = request.streams === 'pipes'
    const child = context.runner.begin(request.argv, { ...place, input, endsWithUs: {} })
    const { stdin, stdout, stderr, kill } = child
    stdin?.on('error', () => undefined) // the command ended, or closed its stdin, before all was written
    const ended = orNotFound(child.ended)
    ended.catch(() => undefined) // told to whoever waits for it
    return {
      stdin,
      stdout,
      stderr,
      ready: Promise.resolve(),
      ended,
      signal: async (signal) => kill(signal),
      resize: async () => {},
      end: async () => kill('SIGKILL'),
      cut: () => kill('SIGKILL'),
    }
  }

  return {
    name: 'mock',
    host: 'mock',
    check: async () => {},
    lifecycle: {
      observe,
      watch: async () => {},
      provision: async () => ({ hostKeyFingerprint: null }),
      configure: (record) => makeFolder(folderOf(record.id)),
      start: (record) => setState(record.id, 'running'),
      stop: (record) => setState(record.id, 'stopped'),
      remove: (record) => forget(record.id),
      dismantle: async () => false,
      findLost: async () => undefined,
    },
    code: lent.has('worktree')
      ? { kind: 'mounted' }
      : { kind: 'carried', folder: ({ id }) => join(folderOf(id), 'code') },
    endpoints: lent.has('local-ports')
      ? { address: THIS_MACHINE, reach: reachOf, leased: (configured) => configured }
      : {
          address: null,
          reach: (_, { name, container }) => ({ name, host: 'inside', port: container, via: wayTo(container) }),
        },
    isReachable: async (record) => (await load()).workspaces[record.id] === 'running',
    open,
    pause: {
      pause: (record) => setState(record.id, 'paused'),
      resume: (record) => setState(record.id, 'running'),
    },
    upkeep: async () => (await import('./housekeeping.ts')).createMockHousekeeping(context, { observe, forget }),
  }
}

/** As a port of a hosted microVM is reached: by a command. What is inside of the mock listens on this machine's loopback. */
function wayTo(port: number): readonly string[] {
  const script = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat <&0 >&3 & exec cat <&3'
  return ['/bin/bash', '-c', script, 'bash', String(port)]
}

function lentWords({ NEXUS_MOCK_WITH: words = '' }: NodeJS.ProcessEnv): ReadonlySet<string> {
  return new Set(words.split(','))
}

/** As a shell inside would say it. */
async function orNotFound(exitCode: Promise<number>): Promise<number> {
  try {
    return await exitCode
  } catch (error) {
    if (error instanceof NexusError && error.code === 'TOOL_MISSING') return 127
    throw error
  }
}
