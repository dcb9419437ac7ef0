/** tmux: a session inside that survives disconnects. */
import { NexusError } from '../../lib/core/errors.ts'
import { attachTmux, makeTmux, requireSessionName, SESSION } from '../../lib/workspace/inside/tmux.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Run } from './command.ts'

export const tmux: Run = async (call) => {
  const session = requireSessionName(call.value('session') ?? SESSION)
  const detach = call.flag('detach')
  const record = await requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))
  const { id, name, forwardAgent } = record
  const again = `nexus tmux ${name}${session === SESSION ? '' : ` --session ${session}`}`
  const request = { session, argv: call.rest, detach, forwardAgent }
  if (detach) {
    const made = await makeTmux(call.app, record, request)
    return {
      data: { workspace: { id, name }, session, made },
      text: `session ${session} of ${name} is ${made ? 'made' : 'there already'}; \`${again}\` attaches to it`,
    }
  }
  if (!call.stdinIsTerminal || !call.stdoutIsTerminal) {
    throw new NexusError('INVALID_ARGUMENT', 'tmux needs a terminal, and this is none.', {
      hint: `To make the session without attaching to it, run \`${again} --detach\``,
    })
  }
  return { data: null, text: '', exitCode: await attachTmux(call.app, record, request) }
}
