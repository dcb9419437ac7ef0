/**
 * Commands that end with us, however we end, SIGKILL included: beside each waits a small process for the end of a pipe of ours, which
 * the kernel closes when we die. It ends the command then, and runs a last one, for what would go on elsewhere without it.
 *
 * It is in a group of its own and deaf to what asks to end: our last act may be to end the command's group. For that the command needs a
 * session of its own, as a shell that makes groups takes the terminal where there is one.
 */
import type { ChildProcess, StdioPipe } from 'node:child_process'
import type { Writable } from 'node:stream'
import { type EndsWithUs, WORKER_VARIABLE } from './exec.ts'

/** The last command runs without our mark: whoever repairs what we left ends what has it. */
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
  // closed at once, as a child counts as open while one of its streams is
  const letGo = () => void (line.writable && line.end('done\n', () => line.destroy()))
  child.once('exit', letGo)
  return letGo
}
