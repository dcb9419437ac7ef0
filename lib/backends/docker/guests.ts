/**
 * Who is in a running workspace: what was started over SSH and runs still, and sessions of tmux, as the engine lists the processes of
 * its containers. An open connection in which nothing runs (Nexus keeps one for its next command) is nobody.
 */
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { BackendContext } from '../context.ts'
import { createParts } from './parts.ts'

const PS_OPTIONS = '-eo pid,ppid,args'
const TOLD_LENGTH = 60
/** Of programs that start programs. */
const DEPTH_MAX = 20
/** The server's process of a connection, once a user has logged in. */
const SESSION = /^sshd[\w-]*: \S+@/
const TMUX = /^tmux\b/

/** Their commands, each once. */
export async function listGuests(
  context: Pick<BackendContext, 'env' | 'instance'>,
  record: WorkspaceRecord,
): Promise<readonly string[]> {
  const tables = await createParts(context).processTables(record, PS_OPTIONS)
  return findGuests(tables.flatMap(({ rows }) => rows))
}

/**
 * Of what somebody started, that in which nothing else runs: a command rather than the shell around it.
 * @param rows pid, parent, and the words of the command
 */
export function findGuests(rows: readonly (readonly string[])[]): readonly string[] {
  const all = rows.map(([pid = '', parent = '', ...words]) => ({ pid, parent, command: words.join(' ') }))
  const leaves = (pid: string, depth: number): readonly string[] => {
    const below = depth === 0 ? [] : all.filter(({ parent, command }) => parent === pid && !SESSION.test(command))
    return below.flatMap((one) => {
      const deeper = leaves(one.pid, depth - 1)
      return deeper.length > 0 ? deeper : [one.command]
    })
  }
  const roots = all.filter(({ command }) => SESSION.test(command) || TMUX.test(command))
  const guests = roots.flatMap(({ pid }) => leaves(pid, DEPTH_MAX))
  return [...new Set(guests.map((command) => printable(command).slice(0, TOLD_LENGTH)))]
}
