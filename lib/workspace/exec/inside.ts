/** What is done inside a workspace: commands and shells. Each checks that there is an inside before it goes there. */
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { Command, LoginRequest, Session } from '../../core/session.ts'
import type { TerminalSize } from '../../core/terminal-size.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { noteEnd, noteUse } from '../../record/last-use.ts'
import { isAlive } from '../../system/process.ts'
import { SSH_FAILURE } from '../../tools/ssh.ts'
import type { App } from '../app.ts'
import { repaired, requireThere } from '../operation/repaired.ts'

export interface ExecRequest extends Command {
  /** Ask for a terminal inside. */
  readonly tty: boolean
}

export interface StreamRequest extends Command {
  /** For a terminal inside. */
  readonly size?: TerminalSize
}

/**
 * Runs a command inside on the caller's streams; its exit code is passed through. From when it is begun, `around` has it in hand.
 * @throws {NexusError} WORKSPACE_NOT_RUNNING when the workspace does not run; INVALID_ARGUMENT for no command
 */
export async function exec(
  app: App,
  found: WorkspaceRecord,
  request: ExecRequest,
  around = (command: () => Promise<number | null>) => command(),
): Promise<number> {
  requireCommand(request, found.name)
  const { record, backend } = await goInside(app, found)
  app.interruption.signal.throwIfAborted()
  const { argv, cwd, env, tty } = request
  const asked = { argv, cwd, env, streams: 'ours', ...(tty ? { tty } : {}) } as const
  return afterwards(app, record, await around(() => backend.open(record, asked).ended))
}

/**
 * The same on streams that the caller reads and writes; `ended` throws what `exec` throws at the end.
 * @throws {NexusError} as `exec` does before the command runs
 */
export async function stream(
  app: App,
  found: WorkspaceRecord,
  request: StreamRequest,
): Promise<Omit<Session, 'stdin' | 'ended'> & { readonly stdin: Writable; readonly ended: Promise<number> }> {
  requireCommand(request, found.name)
  const { record, backend } = await goInside(app, found)
  const { argv, cwd, env, size } = request
  const terminal = size === undefined ? {} : { tty: size }
  const running = backend.open(record, { argv, cwd, env, streams: 'pipes', ...terminal })
  const { stdin, stdout, stderr } = running
  if (stdin === null) throw new Error('its stdin was asked for')
  const ended = running.ended.then(async (code) => {
    // what was said is not all read yet
    await Promise.all([stdout, stderr].map((said) => finished(said, { writable: false })))
    return afterwards(app, record, code)
  })
  ended.catch(() => undefined) // told to whoever waits for it
  return { ...running, stdin, ended }
}

/** @throws {NexusError} INVALID_ARGUMENT for no command, and for what no program can be given */
export function requireCommand({ argv, cwd, env }: Pick<ExecRequest, 'argv' | 'cwd' | 'env'>, name = '<name>'): void {
  const hint = `To run one, use \`nexus exec ${name} -- <command>\``
  if (argv.length === 0) throw new NexusError('INVALID_ARGUMENT', 'There is no command to run.', { hint })
  if (argv[0] === '') throw new NexusError('INVALID_ARGUMENT', "The command to run is '', an empty word.", { hint })
  const odd = [...argv, cwd ?? '', ...Object.values(env)].find((text) => text.includes('\0'))
  if (odd === undefined) return
  throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(odd.slice(0, 100))} holds a NUL character.`, { hint })
}

/** What is to be done when a command inside has ended, or could not be reached any more (null). */
async function afterwards(app: App, record: WorkspaceRecord, code: number | null): Promise<number> {
  noteEnd(app.home, record.id)
  if (code === null) return connectionLost(app, record)
  await bringBackCommits(app, record)
  return code
}

/**
 * The workspace as it is after whatever repair it needs, and its backend, once it is sure that it runs. It counts as used.
 * @throws {NexusError} WORKSPACE_NOT_RUNNING
 */
export async function goInside(app: App, found: WorkspaceRecord) {
  const there = requireThere(await repaired(app, found), found)
  const backend = await app.backend(there.backend)
  const record = (await backend.isReachable(there)) ? there : await requireRunning(app, there)
  noteUse(app.home, record.id)
  return { record, backend }
}

/** As the user's own ssh; what does not run is started, unless `wake` is false. */
export async function shell(
  app: App,
  found: WorkspaceRecord,
  request: Omit<LoginRequest, 'streams'>,
  wake: boolean,
): Promise<number> {
  const there = requireThere(await repaired(app, found), found)
  const backend = await app.backend(there.backend)
  await requireFacet(app, backend, 'ssh', 'ssh')
  const isOpen = there.desired === 'running' && (await backend.isReachable(there))
  const record = isOpen ? there : await (await import('../ssh/wake.ts')).ensureRunning(app, there, wake)
  noteUse(app.home, record.id)
  const code = (await backend.open(record, { ...request, streams: 'ours' }).ended) ?? SSH_FAILURE
  noteEnd(app.home, record.id)
  await bringBackCommits(app, record)
  return code
}

/** From a git dir of the workspace's own; a few files are read when nothing has moved. */
export async function bringBackCommits(app: App, record: WorkspaceRecord): Promise<void> {
  if (record.gitMode === 'private') await (await import('../git/bring-back.ts')).bringBackIfMoved(app, record, true)
}

/**
 * For a connection that ended by itself: by what became of the workspace meanwhile, as far as that can be seen.
 * @throws {NexusError} CONTAINER_ERROR, WORKSPACE_NOT_RUNNING, WORKSPACE_NOT_FOUND, BACKEND_UNAVAILABLE
 */
export async function connectionLost(app: App, found: WorkspaceRecord, said = ''): Promise<never> {
  const record = requireThere(
    (await app.records.list()).find(({ id }) => id === found.id),
    found,
  )
  const { name, operation } = record
  const works = operation !== null && isAlive(operation)
  if (!works) await requireRunning(app, record)
  throw new NexusError(
    'CONTAINER_ERROR',
    `The connection to ${name} was ${works ? `ended by a ${operation.kind}` : 'lost'}.`,
    {
      hint: `To see how it is, run \`nexus status ${name}\``,
      ...(said === '' || works ? {} : { output: said }),
    },
  )
}

/** The record as it is then. @throws {NexusError} WORKSPACE_NOT_RUNNING, BACKEND_UNAVAILABLE, WORKSPACE_BUSY */
export async function requireRunning(app: App, record: WorkspaceRecord): Promise<WorkspaceRecord> {
  return (await import('../ssh/wake.ts')).ensureRunning(app, record, false)
}
