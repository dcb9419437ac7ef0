/**
 * The mock backend: workspaces that exist only as a state file, so that the CLI, the make targets and the API can be tried
 * without Docker. It has no compose file, no local path and no local port. Commands run on this machine, in a private
 * empty folder that stands for the workspace's inside. It proves nothing about a real backend.
 *
 * `NEXUS_MOCK_WITH=worktree,local-ports` lends it a real worktree and real leases, so that what becomes of those after a failure
 * can be tried without an engine.
 */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceId } from '../../core/names.ts'
import type { Observation } from '../../core/workspace.ts'
import type { PortRange } from '../../ports/blocks.ts'
import { makeFolder, readJson, removeTree, writeJson } from '../../system/store.ts'
import { type Backend, type Capability, requireCapability } from '../backend.ts'
import type { BackendContext } from '../context.ts'

type MockState = 'running' | 'paused' | 'stopped'

interface MockFile {
  readonly schema: 1
  readonly workspaces: Readonly<Record<string, MockState>>
}

export function createMockBackend(context: BackendContext): Backend {
  const file = join(context.home.home, 'state', 'mock.json')
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

  const lent = lentCapabilities(context.env)
  const backend: Backend = {
    name: 'mock',
    host: 'mock',
    capabilities: new Set<Capability>(['pause', 'housekeeping', ...lent]),
    ...(lent.includes('local-ports') ? { portRange: (configured: PortRange) => configured } : {}),
    check: async () => {},
    observe,
    provision: async () => ({ image: null, hostKeyFingerprint: null }),
    configure: (record) => makeFolder(folderOf(record.id)),
    start: (record) => setState(record.id, 'running'),
    stop: (record) => setState(record.id, 'stopped'),
    pause: (record) => setState(record.id, 'paused'),
    resume: (record) => setState(record.id, 'running'),
    remove: (record) => forget(record.id),
    isReachable: async (record) => (await load()).workspaces[record.id] === 'running',
    exec: async (record, request) => {
      const env = { ...request.env, NEXUS_WS_ID: record.id, NEXUS_WS_NAME: record.name }
      return orNotFound(context.runner.attach(request.argv, { cwd: request.cwd ?? folderOf(record.id), env }))
    },
    stream: (record, { argv, cwd, env }) => {
      const variables = { ...env, NEXUS_WS_ID: record.id, NEXUS_WS_NAME: record.name }
      const child = context.runner.begin(argv, { cwd: cwd ?? folderOf(record.id), env: variables, input: true })
      const { stdin, stdout, stderr } = child
      if (stdin === null) throw new Error('its stdin was asked for')
      stdin.on('error', () => undefined) // the command ended, or closed its stdin, before all was written
      return {
        stdin,
        stdout,
        stderr,
        ready: Promise.resolve(),
        ended: orNotFound(child.ended),
        signal: async (signal) => child.kill(signal),
        resize: async () => {},
        end: async () => child.kill('SIGKILL'),
      }
    },
    capture: async (record, { argv, cwd, env, ...limits }) => {
      const variables = { ...env, NEXUS_WS_ID: record.id, NEXUS_WS_NAME: record.name }
      const options = { cwd: cwd ?? folderOf(record.id), env: variables, ...limits, okCodes: 'any' as const }
      const { code, stdout } = await context.runner.run(['sh', '-c', 'exec 2>&1; "$@"', 'sh', ...argv], options)
      return { code, output: stdout }
    },
    begin: (record, { argv, cwd, env, input }) => {
      const variables = { ...env, NEXUS_WS_ID: record.id, NEXUS_WS_NAME: record.name }
      const { kill, ...streams } = context.runner.begin(argv, {
        cwd: cwd ?? folderOf(record.id),
        env: variables,
        input,
      })
      return { ...streams, signal: async (signal) => kill(signal), cut: () => kill('SIGKILL') }
    },
    shell: async () => requireCapability(backend, 'ssh', 'ssh'),
    logs: async () => {
      requireCapability(backend, 'logs', 'logs')
      throw new Error('the mock prints nothing')
    },
    sshInfo: (record) => ({
      workspaceId: record.id,
      enabled: false,
      host: null,
      port: null,
      user: 'nexus',
      forwardAgent: false,
      agentMode: 'off',
      connectionCommand: null,
      verifiedCommand: null,
      alias: null,
      hostKeyFingerprint: null,
    }),
    housekeeping: async () => (await import('./housekeeping.ts')).createMockHousekeeping(context, { observe, forget }),
  }
  return backend
}

function lentCapabilities({ NEXUS_MOCK_WITH: words = '' }: NodeJS.ProcessEnv): readonly Capability[] {
  return (['worktree', 'local-ports'] as const).filter((capability) => words.split(',').includes(capability))
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
