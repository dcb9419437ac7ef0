/**
 * Command lines for a login shell inside, which may be any: what Nexus sends is read by bash, depends on no dotfile, and can be found
 * again by a token in its environment, so that it can be signalled and ended.
 */
import { NexusError } from '../../core/errors.ts'
import { folderInside } from '../../core/record-parts.ts'
import type { Command } from '../../core/session.ts'
import { quoteForFishToo, quoteWord } from '../../core/shell.ts'
import type { TerminalSize } from '../../core/terminal-size.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { createEndWord, sayEnd } from '../../system/end-word.ts'
import type { EndWord } from '../../system/exec.ts'
import { CARRIER, type Destination, masterArgs, ownArgs } from '../../tools/ssh.ts'
import commandScript from './command.sh'
import endScript from './end.sh'
import relieveScript from './relieve.sh'
import resizeScript from './resize.sh'
import settleScript from './settle.sh'
import signalScript from './signal.sh'
import type { TerminalWords } from './terminal.ts'

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
export function signalling(destination: Destination, token: string, signal: NodeJS.Signals): readonly string[] {
  return beside(destination, byBash(signalScript, [token, signal.slice(3)]))
}

/** One that tells the command's terminal another size. */
export function resizing(destination: Destination, token: string, { columns, rows }: TerminalSize): readonly string[] {
  return beside(destination, byBash(resizeScript, [token, String(columns), String(rows)]))
}

/** One that reads what somebody has to read, so that what was left in the background can go on to write. */
function relieving(destination: Destination, token: string): readonly string[] {
  return beside(destination, byBash(relieveScript, [token]))
}

function beside(destination: Destination, command: string): readonly string[] {
  return ['ssh', ...masterArgs(destination), '-T', '--', destination.host, command]
}

/** By a connection of its own, as nothing that goes on in the shared one may keep a command from being ended. */
export function lastWord(destination: Destination, token: string): readonly string[] {
  const way = [...ownArgs(destination), ...optionWords([...APART, ...ALIVE])]
  return ['ssh', ...way, '-T', '--', destination.host, byBash(endScript, [token, String(GRACE_S * 10)])]
}

/** For a command whose end is the end of what counts. */
export function endWordOf(destination: Destination, token: string): EndWord {
  return { word: createEndWord(), relieve: relieving(destination, token) }
}

/** Shell text for a login shell that may be any, such as fish after a `chsh` inside: the script is read by bash, with these words. */
export function byBash(script: string, words: readonly string[] = []): string {
  const argv = ['/bin/bash', '--norc', '-c', `${settleScript}${script}`, 'bash', ...words]
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

export interface RemoteOptions {
  readonly token: string
  /** Said when the command is over; not for a terminal, whose end is the end of all that hold it. */
  readonly endWord?: EndWord
  readonly terminal?: TerminalWords | undefined
}

/** @throws {NexusError} INVALID_ARGUMENT when the command line is longer than Linux takes */
export function remoteCommand(
  record: WorkspaceRecord,
  request: Command,
  { token, endWord, terminal }: RemoteOptions,
): string {
  const cwd = request.cwd ?? folderInside(record)
  const end = endWord === undefined ? '' : sayEnd(endWord.word, '3')
  // a server that was started by an older Nexus does not let in what carries them
  const old = `nexus: ${record.name} takes no variables yet; run \`nexus stop ${record.name} && nexus start ${record.name}\``
  const told = Object.keys(request.env).length === 0 ? '' : old
  const { settings = '', marker = '' } = terminal ?? {}
  const line = byBash(commandScript, [cwd, token, end, told, settings, marker, ...request.argv])
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
