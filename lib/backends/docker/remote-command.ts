/**
 * Command lines for a login shell inside, which may be any: what Nexus sends is read by bash, depends on no dotfile, and can be found
 * again by a token in its environment, so that it can be signalled and ended.
 *
 * The command runs as a child of that bash, not in its place: a shell tells 128 + n for a child ended by a signal, where ssh alone would
 * say 255 for everything. The shell's own stderr is closed for its "Killed" remarks; the child's is not.
 */
import { NexusError } from '../../core/errors.ts'
import { quoteForFishToo, quoteWord } from '../../core/shell.ts'
import type { TerminalSize } from '../../core/terminal-size.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { createEndWord, sayEnd } from '../../system/end-word.ts'
import type { EndWord } from '../../system/exec.ts'
import { CARRIER, type Door, masterArgs, NO_DOTFILES_VARIABLES, ownArgs } from '../../tools/ssh.ts'
import type { Command } from '../session.ts'
import endScript from './inside/end.sh'
import relieveScript from './inside/relieve.sh'
import resizeScript from './inside/resize.sh'
import signalScript from './inside/signal.sh'

/** Linux's limit for one argument (MAX_ARG_STRLEN), which the whole remote command line is. */
const COMMAND_LINE_MAX = 128 * 1024 - 1
/** A shared connection takes 256 KiB at once, with the command line. */
const VARIABLES_MAX = 120 * 1024
/** Seconds for what was asked to end. */
const GRACE_S = 3
/** A connection of its own, beside the shared one, that asks no agent. */
export const APART = ['ControlPath=none', 'IdentityAgent=none']
/** A connection that has not answered for 15 s is lost: the engine restarts, or the workspace is paused. */
export const ALIVE = ['ServerAliveInterval=5', 'ServerAliveCountMax=3']

export function optionWords(options: readonly string[]): readonly string[] {
  return options.flatMap((option) => ['-o', option])
}

/** A second session that signals the command with this token. It ends with 1 when there is none. */
export function signalling(door: Door, token: string, signal: NodeJS.Signals): readonly string[] {
  return beside(door, byBash(signalScript, [token, signal.slice(3)]))
}

/** One that tells the command's terminal another size. */
export function resizing(door: Door, token: string, { columns, rows }: TerminalSize): readonly string[] {
  return beside(door, byBash(resizeScript, [token, String(columns), String(rows)]))
}

/** One that reads what somebody has to read, so that what was left in the background can go on to write. */
function relieving(door: Door, token: string): readonly string[] {
  return beside(door, byBash(relieveScript, [token]))
}

function beside(door: Door, command: string): readonly string[] {
  return ['ssh', ...masterArgs(door), '-T', '--', door.host, command]
}

/** By a connection of its own, as nothing that goes on in the shared one may keep a command from being ended. */
export function lastWord(door: Door, token: string): readonly string[] {
  const way = [...ownArgs(door), ...optionWords([...APART, ...ALIVE])]
  return ['ssh', ...way, '-T', '--', door.host, byBash(endScript, [token, String(GRACE_S * 10)])]
}

/** For a command whose end is the end of what counts. */
export function endWordOf(door: Door, token: string): EndWord {
  return { word: createEndWord(), relieve: relieving(door, token) }
}

/** Without what kept the login shell from the user's files, and with what sshd cannot carry into a session (entrypoint.sh). */
const SETTLE = [
  'SHLVL=1',
  ...Object.entries(NO_DOTFILES_VARIABLES)
    .filter(([name]) => name !== 'SHLVL')
    .map(([name, value]) => `[ "$${name}" != ${value} ] || unset ${name}`),
  '[ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh',
].join('; ')

/** Shell text for a login shell that may be any, such as fish after a `chsh` inside: the script is read by bash, with these words. */
export function byBash(script: string, words: readonly string[] = []): string {
  const argv = ['/bin/bash', '--norc', '-c', `${SETTLE}\n${script}`, 'bash', ...words]
  return `exec ${argv.map(quoteForFishToo).join(' ')}`
}

/**
 * The environment of ssh for a command with these variables: it goes to the inside in there, as every user of this machine may read
 * the words of a command, and the environment of a process its owner alone.
 * @throws {NexusError} INVALID_ARGUMENT when they are too long
 */
export function carried(variables: Readonly<Record<string, string>>): Readonly<Record<string, string | undefined>> {
  const text = Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quoteWord(value)}`)
    .join('; ')
  const bytes = Buffer.byteLength(text)
  if (bytes <= VARIABLES_MAX) return { [CARRIER]: text === '' ? undefined : text }
  throw new NexusError('INVALID_ARGUMENT', `The variables are ${bytes} bytes long; at most ${VARIABLES_MAX} fit.`, {
    hint: 'To pass more, send it on stdin: `nexus exec <name> -- bash -s < script`',
  })
}

/** Takes the variables over from what carried them. A server that was started by an older Nexus does not let it in. */
function takeOver({ name }: WorkspaceRecord): string {
  const told = `nexus: ${name} takes no variables yet; run \`nexus stop ${name} && nexus start ${name}\``
  return `[ -n "$${CARRIER}" ] || { echo ${quoteWord(told)} >&2; exit 125; }; eval "$${CARRIER}"; unset ${CARRIER}; `
}

export interface RemoteOptions {
  readonly token: string
  /** Said when the command is over; not for a terminal, whose end is the end of all that hold it. */
  readonly endWord?: EndWord
  /** Shell text before all else. */
  readonly first?: string
}

/** @throws {NexusError} INVALID_ARGUMENT when the command line is longer than Linux takes */
export function remoteCommand(
  record: WorkspaceRecord,
  request: Command & { readonly tty: boolean },
  { token, endWord, first = '' }: RemoteOptions,
): string {
  const cwd = request.cwd ?? record.local?.worktree ?? '/'
  const streams = request.tty ? '' : ' 2>&3 3>&-'
  // Ctrl-C at a terminal is for the shell too, which would end before it could tell the command's code
  const quiet = request.tty ? 'trap : INT QUIT; ' : 'exec 3>&2 2>/dev/null; '
  const variables = Object.keys(request.env).length === 0 ? '' : takeOver(record)
  const enter = `cd "$1" || exit 125; shift; ${variables}`
  const end = endWord === undefined ? 'exit $?' : sayEnd(endWord.word, '3')
  const script = `${first}${enter}${quiet}NEXUS_WS_EXEC=${token} "$@"${streams}; ${end}`
  const line = byBash(script, [cwd, ...request.argv])
  if (Buffer.byteLength(line) > COMMAND_LINE_MAX) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      `The command line is ${Buffer.byteLength(line)} bytes long; at most ${COMMAND_LINE_MAX} fit.`,
      {
        hint: 'To pass more, send it on stdin: `nexus exec <name> -- bash -s < script`',
      },
    )
  }
  return line
}
