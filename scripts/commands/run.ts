/** run: one command in a throw-away workspace; its answer is what the command prints, and its exit code. */
import { NexusError } from '../../lib/core/errors.ts'
import { runOnce } from '../../lib/workspace/inside/run.ts'
import { findRepo } from '../../lib/workspace/look/find.ts'
import type { Run } from './command.ts'

export const run: Run = async (call) => {
  if (call.rest.length === 0) {
    throw new NexusError('INVALID_ARGUMENT', 'There is no command to run.', {
      hint: 'To run one, use `nexus run -- make test`',
    })
  }
  const { exitCode } = await runOnce(call.app, {
    repo: await findRepo(call.app, call.value('repo')),
    argv: call.rest,
    name: call.value('name'),
    from: call.value('from'),
    env: call.values('env'),
    keepOnFailure: call.flag('keep-on-failure'),
    artifacts: call.values('artifact'),
    folder: call.cwd,
    imageCache: call.value('image-cache'),
    self: [process.execPath, process.argv[1] ?? ''],
  })
  return { data: null, text: '', exitCode }
}
