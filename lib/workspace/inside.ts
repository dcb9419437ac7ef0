/** What is done inside a workspace: commands and shells. Each checks that there is an inside before it goes there. */
import { type ExecRequest, requireCapability, type ShellRequest } from '../backends/backend.ts'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { App } from './app.ts'
import { observeOne } from './observe.ts'
import { repaired, requireThere } from './repaired.ts'

/**
 * Runs a command inside on the caller's streams; its exit code is passed through.
 * @throws {NexusError} WORKSPACE_START_FAILED when the workspace does not run; INVALID_ARGUMENT for no command
 */
export async function exec(app: App, found: WorkspaceRecord, request: ExecRequest): Promise<number> {
  if (request.argv.length === 0) {
    throw new NexusError('INVALID_ARGUMENT', 'There is no command to run.', {
      hint: `To run one, use \`nexus exec ${found.name} -- <command>\``,
    })
  }
  const { record, backend } = await goInside(app, found)
  const code = await backend.exec(record, request)
  if (code === null) {
    await requireRunning(app, record)
    throw new NexusError('CONTAINER_ERROR', `The connection to ${record.name} was lost.`, {
      hint: `To see what happened, run \`nexus logs ${record.name}\``,
    })
  }
  await bringBackCommits(app, record)
  return code
}

/**
 * The workspace as it is after whatever repair it needs, and its backend, once it is sure that it runs.
 * @throws {NexusError} WORKSPACE_START_FAILED
 */
export async function goInside(app: App, found: WorkspaceRecord) {
  const record = requireThere(await repaired(app, found), found)
  const backend = await app.backend(record.backend)
  if (!(await backend.isReachable(record))) await requireRunning(app, record)
  return { record, backend }
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

/** From a git dir of the workspace's own; a few files are read when nothing has moved. */
export async function bringBackCommits(app: App, record: WorkspaceRecord): Promise<void> {
  if (record.gitMode === 'private') await (await import('./bring-back.ts')).bringBackIfMoved(app, record, true)
}

export async function requireRunning(app: App, record: WorkspaceRecord): Promise<void> {
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
