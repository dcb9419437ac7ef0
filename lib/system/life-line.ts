/**
 * Commands that end when Nexus ends, also by SIGKILL. Beside each command a small process (the guard) reads a pipe that
 * Nexus holds. The kernel closes the pipe when Nexus dies. Unless the word `done` came first, the guard then ends the
 * command and runs a last one, which ends what the command began inside a workspace.
 *
 * The guard has its own process group and ignores HUP, INT and TERM, because Nexus may end the command's group as its
 * last act. `set -m` makes that group. A shell with `set -m` takes the terminal, so the command must run in a session
 * without one.
 */
import type { ChildProcess, StdioPipe } from 'node:child_process'
import type { Writable } from 'node:stream'
import { type EndsWithUs, WORKER_VARIABLE } from './exec.ts'

/**
 * bash, as the command itself: `$1` is the length of the last command, then its words, then the words of the command.
 * The guard reads descriptor 3. The last command runs without the worker variable, by which a repair finds what a
 * killed Nexus left and ends it.
 */
const SCRIPT = `n=$1; last=("\${@:2:n}"); shift $((n + 1)); set -m
{
  trap '' HUP INT TERM
  read -r word <&3
  [ "$word" = done ] && exit
  kill $$
  [ $n = 0 ] || exec env -u ${WORKER_VARIABLE} "\${last[@]}" 3<&-
} </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-`

/** The fourth stream of a command under a life line. */
export const LIFE_LINE: StdioPipe = 'pipe'

/** The command under a life line; to be started with `LIFE_LINE` behind its three streams, and held. */
export function underLifeLine(argv: readonly string[], { last = [] }: EndsWithUs): readonly string[] {
  return ['/bin/bash', '-c', SCRIPT, 'bash', String(last.length), ...last, ...argv]
}

/** Lets go of the line when the command has ended, or when it is told to. */
export function holdLifeLine(child: ChildProcess): () => void {
  const line = child.stdio[3] as Writable
  line.on('error', () => undefined) // what waited was ended by somebody else: there is nobody left to dismiss
  // closed at once: Node counts a child as open while one of its streams is open
  const letGo = () => void (line.writable && line.end('done\n', () => line.destroy()))
  child.once('exit', letGo)
  return letGo
}
