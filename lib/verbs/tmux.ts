/** tmux: a session inside that survives disconnects. */
import { NexusError } from '../core/errors.ts'
import { flag, option } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const tmux = verb({
  name: 'tmux',
  group: 'inside',
  effect: 'changes',
  summary: 'attach to a tmux session in a workspace, which goes on when the connection ends',
  fields: {
    name: NAME,
    session: option('name', 'default: nexus'),
    detach: flag('make the session, or run the command in it, and attach nothing'),
    repo: REPO,
  },
  takesCommand: true,
  example: 'nexus tmux feature-auth --detach -- sleep 60',
  passesSignals: true,
  run: async (call, input) => {
    const { attachTmux, makeTmux, requireSessionName, SESSION } = await import('../workspace/exec/tmux.ts')
    const session = requireSessionName(input.session ?? SESSION)
    const { detach } = input
    const record = await call.workspace(input.name, input.repo)
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
  },
})

export const verbs = [tmux]

export const withoutEndpoint = {
  tmux: 'it attaches a terminal; POST /workspaces/{id}/exec runs tmux as well',
}
