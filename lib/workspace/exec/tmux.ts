/**
 * `tmux`: a session inside that goes on when the connection ends. It is made where there is none; a command given to one that is
 * there becomes another window of it.
 */
import { capture } from '../../backends/captured.ts'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { SSH_FAILURE } from '../../tools/ssh.ts'
import type { App } from '../app.ts'
import { bringBackCommits, goInside } from './inside.ts'

export const SESSION = 'nexus'

export interface TmuxRequest {
  readonly session: string
  /** Empty for a shell. */
  readonly argv: readonly string[]
  /** Make it, and attach nothing. */
  readonly detach: boolean
  readonly forwardAgent: boolean
}

const MISSING = 127
const MADE = 'made'
/** The session by its exact name, the folder, and the command: `session folder [words]`. */
const FIND = `command -v tmux >/dev/null 2>&1 || exit ${MISSING}
s=$1 d=$2; shift 2
`
const DETACHED = `${FIND}if tmux has-session -t "=$s" 2>/dev/null
then [ $# = 0 ] || tmux new-window -d -t "=$s:" -c "$d" -- "$@"
else tmux new-session -d -s "$s" -c "$d" -- "$@" && echo ${MADE}; fi`
/** A terminal that nobody knows inside is taken for a common one. */
const ATTACHED = `infocmp "$TERM" >/dev/null 2>&1 || export TERM=xterm-256color
${FIND}cd -- "$d"
if [ $# != 0 ] && tmux has-session -t "=$s" 2>/dev/null
then tmux new-window -t "=$s:" -c "$d" -- "$@" && set --; fi
exec tmux -u new-session -A -s "$s" -c "$d" -- "$@"`

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
  const argv = ['sh', '-c', ATTACHED, 'sh', request.session, record.local?.worktree ?? '/', ...request.argv]
  const login = { forwardAgent: request.forwardAgent, isOurs: true }
  const code = (await backend.open(record, { argv, login, streams: 'ours', tty: true }).ended) ?? SSH_FAILURE
  if (code === MISSING) throw tmuxMissing(record)
  await bringBackCommits(app, record)
  return code
}

/** Makes the session, or the window, and leaves it alone; true when the session is new. */
export async function makeTmux(app: App, found: WorkspaceRecord, request: TmuxRequest): Promise<boolean> {
  const { record, backend } = await enter(app, found)
  const argv = ['sh', '-c', DETACHED, 'sh', request.session, record.local?.worktree ?? '/', ...request.argv]
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
