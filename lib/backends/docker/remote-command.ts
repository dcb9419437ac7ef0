/**
 * Command lines for a login shell inside, which may be any: what Nexus sends is read by bash, depends on no dotfile, and can be found
 * again by a token in its environment, so that it can be signalled and ended.
 *
 * The command runs as a child of that bash, not in its place: a shell tells 128 + n for a child ended by a signal, where ssh alone would
 * say 255 for everything. The shell's own stderr is closed for its "Killed" remarks; the child's is not.
 */
import { NexusError } from '../../core/errors.ts'
import { quoteForFishToo, quoteWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { createEndWord, sayEnd } from '../../system/end-word.ts'
import type { EndWord } from '../../system/exec.ts'
import { CARRIER, type Door, masterArgs, NO_DOTFILES_VARIABLES, ownArgs } from '../../tools/ssh.ts'
import type { ExecRequest } from '../backend.ts'

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

/** Shell text: prints `/proc/<pid>/environ` of each process of the command with this token, by one program however many processes run. */
export function listWithToken(token: string): string {
  return `grep -lszx NEXUS_WS_EXEC=${token} /proc/[0-9]*/environ`
}

/** Shell text: does `body` for each of them, with its folder of /proc in `$p`. */
export function eachWithToken(token: string, body: string): string {
  return `for p in $(${listWithToken(token)}); do p=\${p%/environ}; ${body}; done 2>/dev/null; true`
}

export function signalScript(token: string, signal: NodeJS.Signals): string {
  return eachWithToken(token, `kill -s ${signal.slice(3)} "\${p#/proc/}"`)
}

/**
 * Ends the command with this token: asks, waits until nothing of it is left, and then does not ask. By a connection of its own, as
 * nothing that goes on in the shared one may keep a command from being ended.
 */
export function lastWord(door: Door, token: string): readonly string[] {
  const wait = `for i in $(seq ${GRACE_S * 10}); do ${listWithToken(token)} | grep -q . || exit 0; sleep 0.1; done`
  const script = [signalScript(token, 'SIGHUP'), signalScript(token, 'SIGTERM'), wait, signalScript(token, 'SIGKILL')]
  const way = [...ownArgs(door), ...optionWords([...APART, ...ALIVE])]
  return ['ssh', ...way, '-T', '--', door.host, byBash(script.join('\n'))]
}

/**
 * Pipes that processes with the token write to and none of them reads are those that led to us. Somebody inside reads them from now on,
 * until nobody writes any more: as with `docker exec`, what is in the background may go on to write.
 */
const RELIEVE = `declare -A read written
while IFS=' ' read -r mode pipe path; do
  case $mode in 500) read[$pipe]=1 ;; 300) written[$pipe]=$path ;; esac
done < <(find $(LIST | sed 's,environ$,fd,') -mindepth 1 -lname 'pipe:*' -printf '%m %l %p\\n')
for pipe in "\${!written[@]}"; do
  [ -z "\${read[$pipe]}" ] || continue
  setsid cat < "\${written[$pipe]}" > /dev/null &
done`

function relieve(door: Door, token: string): readonly string[] {
  const script = `exec > /dev/null 2>&1; ${RELIEVE.replace('LIST', listWithToken(token))}`
  return ['ssh', ...masterArgs(door), '-T', '--', door.host, byBash(script)]
}

/** For a command whose end is the end of what counts. */
export function endWordOf(door: Door, token: string): EndWord {
  return { word: createEndWord(), relieve: relieve(door, token) }
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
  request: ExecRequest,
  { token, endWord, first = '' }: RemoteOptions,
): string {
  const cwd = request.cwd ?? record.worktree ?? '/'
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
