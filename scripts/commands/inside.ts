/** exec, ssh: their answer is what the command inside prints, and its exit code. */
import { NexusError } from '../../lib/core/errors.ts'
import { parseVariable } from '../../lib/workspace/create/variables.ts'
import * as inside from '../../lib/workspace/inside/inside.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'

/** True for `exec --all`, and for a list of names. */
function meansSeveral(call: Call): boolean {
  return call.flag('all') || call.flag('everywhere') || (call.args[0] ?? '').includes(',')
}

const passThrough = (exitCode: number): Answer => ({ data: null, text: '', exitCode })

export const exec: Run = async (call) => {
  const [name] = call.args
  const several = meansSeveral(call)
  if (name === undefined && !several) {
    throw new NexusError('INVALID_ARGUMENT', '`nexus exec` needs the name of a workspace, or --all.', {
      hint: 'To see how it is used, run `nexus exec --help`',
    })
  }
  const cwd = call.value('cwd') ?? null
  if (cwd !== null && !cwd.startsWith('/')) {
    throw new NexusError('INVALID_ARGUMENT', `--cwd ${JSON.stringify(cwd)} is not an absolute folder inside.`, {
      hint: 'To name one in the worktree, use `--cwd /workspace/<folder>`',
    })
  }
  const env = Object.fromEntries(call.values('env').map((entry) => parseVariable(entry, call.app.env)))
  if (several) return (await import('./exec-all.ts')).execSeveral(call, cwd, env)
  const record = await requireWorkspace(call.app, name ?? '', call.value('repo'))
  return passThrough(await inside.exec(call.app, record, { argv: call.rest, cwd, env, tty: call.flag('tty') }))
}

export const ssh: Run = async (call) => {
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const request = { argv: call.rest, login: { forwardAgent: record.forwardAgent } }
  return passThrough(await inside.shell(call.app, record, request, !call.flag('no-wake')))
}
