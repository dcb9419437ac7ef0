/**
 * `tmux`: a session inside that goes on when the connection ends. It is made where there is none; a command given to one that is
 * there becomes another window of it.
 */
import { capture } from '../../backends/captured.ts'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import { folderInside } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { SSH_FAILURE } from '../../tools/ssh.ts'
import type { App } from '../app.ts'
import { bringBackCommits, goInside } from './inside.ts'
import script from './tmux.sh'

export const SESSION = 'nexus'

export interface TmuxRequest {
  readonly session: string
  /** Empty for a shell. */
  readonly argv: readonly string[]
  /** Make it, and attach nothing. */
  readonly detach: boolean
  readonly forwardAgent: boolean
}

/** What the script ends with, and what it says. */
const MISSING = 127
const MADE = 'made'
/** @throws {NexusError} INVALID_ARGUMENT for a name that tmux would not take */
export function requireSessionName(name: string): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_-]{0,63}$/u.test(name)) return name
  throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(name)} is not a name for a session.`, {
    hint: 'To name one, use letters, digits, - and _: `--session build`',
  })
}

/**
 * Attaches this terminal to the session; ends with the client's exit code when it is left or detached.
 * @throws {NexusError} TOOL_MISSING without tmux inside
 */
export async function attachTmux(app: App, found: WorkspaceRecord, request: TmuxRequest): Promise<number> {
  const { record, backend } = await enter(app, found)
  const argv = ['sh', '-c', script, 'sh', 'attach', request.session, folderInside(record), ...request.argv]
  const login = { forwardAgent: request.forwardAgent, isOurs: true }
  const code = (await backend.open(record, { argv, login, streams: 'ours', tty: true }).ended) ?? SSH_FAILURE
  if (code === MISSING) throw tmuxMissing(record)
  await bringBackCommits(app, record)
  return code
}

/** Makes the session, or the window, and leaves it alone; true when the session is new. */
export async function makeTmux(app: App, found: WorkspaceRecord, request: TmuxRequest): Promise<boolean> {
  const { record, backend } = await enter(app, found)
  const argv = ['sh', '-c', script, 'sh', 'make', request.session, folderInside(record), ...request.argv]
  const { code, output } = await capture(app, backend, record, { argv, cwd: null, env: {}, timeoutMs: 15_000 })
  if (code === MISSING) throw tmuxMissing(record)
  if (code !== 0) {
    throw new NexusError('CONTAINER_ERROR', `tmux inside ${record.name} ended with code ${code}.`, {
      hint: `To see its sessions, run \`nexus exec ${record.name} -- tmux list-sessions\``,
      output,
    })
  }
  // what a configuration of the user's has to say comes before it
  return output.trim().split('\n').at(-1) === MADE
}

async function enter(app: App, found: WorkspaceRecord) {
  await requireFacet(app, await app.backend(found.backend), 'ssh', 'tmux sessions')
  return goInside(app, found)
}

function tmuxMissing({ name }: WorkspaceRecord): NexusError {
  return new NexusError('TOOL_MISSING', `There is no tmux in ${name}.`, {
    hint: `To install it, run \`nexus exec ${name} -- sudo apt-get install -y tmux\`, or for good \`nexus rebuild ${name}\``,
  })
}
