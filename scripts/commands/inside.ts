/** exec, ssh, logs: their answer is what the command inside prints, and its exit code. */
import { NexusError } from '../../lib/core/errors.ts'
import { requireWorkspace } from '../../lib/workspace/find.ts'
import * as inside from '../../lib/workspace/inside.ts'
import { parseVariable } from '../../lib/workspace/variables.ts'
import type { Answer, Run } from './command.ts'

const passThrough = (exitCode: number): Answer => ({ data: null, text: '', exitCode })

export const exec: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const cwd = call.value('cwd') ?? null
  if (cwd !== null && !cwd.startsWith('/')) {
    throw new NexusError('INVALID_ARGUMENT', `--cwd ${JSON.stringify(cwd)} is not an absolute folder inside.`, {
      hint: 'To name one in the worktree, use `--cwd /workspace/<folder>`',
    })
  }
  const env = Object.fromEntries(call.values('env').map((entry) => parseVariable(entry, call.app.env)))
  return passThrough(await inside.exec(call.app, record, { argv: call.rest, cwd, env, tty: call.flag('tty') }))
}

export const ssh: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const request = { argv: call.rest, forwardAgent: record.forwardAgent }
  return passThrough(await inside.shell(call.app, record, request, !call.flag('no-wake')))
}

/** Null for all lines. @throws {NexusError} INVALID_ARGUMENT */
export function parseTail(tail: string | undefined): number | null {
  if (tail === undefined || /^\d{1,9}$/.test(tail)) return tail === undefined ? null : Number(tail)
  throw new NexusError('INVALID_ARGUMENT', `--tail ${JSON.stringify(tail)} is not a number of lines.`, {
    hint: 'To see the last 100, use `--tail 100`',
  })
}

export const logs: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const request = {
    follow: call.flag('follow'),
    tail: parseTail(call.value('tail')),
    service: call.args[1] ?? null,
    terminal: call.stdoutIsTerminal,
  }
  return passThrough(await inside.logs(call.app, record, request))
}
