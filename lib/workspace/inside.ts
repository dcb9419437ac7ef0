/** What is done inside a workspace: commands, shells, logs. Each checks that there is an inside before it goes there. */
import {
  type ExecRequest,
  type LogsRequest,
  requireCapability,
  type ShellRequest,
  type Stream,
  type StreamRequest,
} from '../backends/backend.ts'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { Piped } from '../system/exec.ts'
import type { App } from './app.ts'
import { observeOne } from './observe.ts'
import { repaired, requireThere } from './repaired.ts'

/**
 * Runs a command inside on the caller's streams; its exit code is passed through.
 * @throws {NexusError} WORKSPACE_START_FAILED when the workspace does not run; INVALID_ARGUMENT for no command
 */
export async function exec(app: App, found: WorkspaceRecord, request: ExecRequest): Promise<number> {
  requireCommand(found, request)
  const { record, backend } = await reach(app, found)
  return codeOf(app, record, await backend.exec(record, request))
}

/**
 * The same on streams that the caller reads and writes; `ended` throws what `exec` throws at the end.
 * @throws {NexusError} as `exec` does before the command runs
 */
export async function stream(
  app: App,
  found: WorkspaceRecord,
  request: StreamRequest,
): Promise<Omit<Stream, 'ended'> & { readonly ended: Promise<number> }> {
  requireCommand(found, request)
  const { record, backend } = await reach(app, found)
  const running = backend.stream(record, request)
  return { ...running, ended: running.ended.then((code) => codeOf(app, record, code)) }
}

function requireCommand(found: WorkspaceRecord, { argv }: ExecRequest): void {
  if (argv.length > 0) return
  throw new NexusError('INVALID_ARGUMENT', 'There is no command to run.', {
    hint: `To run one, use \`nexus exec ${found.name} -- <command>\``,
  })
}

async function reach(app: App, found: WorkspaceRecord) {
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  if (!(await backend.isReachable(record))) await requireRunning(app, record)
  return { record, backend }
}

/** What is to be done after a command inside has ended, or could not be reached any more (null). */
async function codeOf(app: App, record: WorkspaceRecord, code: number | null): Promise<number> {
  if (code === null) {
    await requireRunning(app, record)
    throw new NexusError('CONTAINER_ERROR', `The connection to ${record.name} was lost.`, {
      hint: `To see what happened, run \`nexus logs ${record.name}\``,
    })
  }
  await bringBackCommits(app, record)
  return code
}

export async function shell(app: App, found: WorkspaceRecord, request: ShellRequest): Promise<number> {
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  requireCapability(backend, 'ssh', 'ssh')
  if (!(await backend.isReachable(record))) await requireRunning(app, record)
  const code = await backend.shell(record, request)
  await bringBackCommits(app, record)
  return code
}

export async function logs(app: App, found: WorkspaceRecord, request: LogsRequest): Promise<number> {
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  requireCapability(backend, 'logs', 'logs')
  return backend.logs(record, request)
}

/** Logs on streams of the caller's, who ends them by `kill`. */
export async function streamLogs(app: App, found: WorkspaceRecord, request: LogsRequest): Promise<Piped> {
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  requireCapability(backend, 'logs', 'logs')
  if (backend.streamLogs === undefined) throw new Error(`the backend ${backend.name} has logs and does not stream them`)
  return backend.streamLogs(record, request)
}

/** From a git dir of the workspace's own; a few files are read when nothing has moved. */
async function bringBackCommits(app: App, record: WorkspaceRecord): Promise<void> {
  if (record.gitMode === 'private') await (await import('./bring-back.ts')).bringBackIfMoved(app, record, true)
}

async function requireRunning(app: App, record: WorkspaceRecord): Promise<void> {
  const { state, reason } = await observeOne(app, record)
  if (state === 'running') return
  if (state === 'unknown')
    throw new NexusError('BACKEND_UNAVAILABLE', reason, { hint: 'To start the engine, run `make setup`' })
  const verb = state === 'paused' ? 'resume' : 'start'
  throw new NexusError(
    'WORKSPACE_START_FAILED',
    `Workspace ${record.name} is ${state}${reason === '' ? '' : `: ${reason}`}.`,
    {
      hint: `To ${verb} it, run \`nexus ${verb} ${record.name}\``,
      details: { state },
    },
  )
}
