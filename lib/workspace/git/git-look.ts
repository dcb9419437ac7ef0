/**
 * The git of a workspace with a git dir of its own, where that is: what it answers is as the inside tells it, and never a fact.
 * It is asked for what is not here, and to move what lies there.
 */
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { CommandFailed, isTooMuch, type RunOptions, type RunResult, tooMuchSaid } from '../../system/exec.ts'
import { explainGitFailure } from '../../tools/git-failures.ts'
import type { App } from '../app.ts'

const ANSWER_KEPT_BYTES = 64 * 1024

/** @throws {NexusError} UNSUPPORTED for a workspace without such a git */
export async function askInside(
  app: App,
  record: WorkspaceRecord,
  running: boolean,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const backend = await app.backend(record.backend)
  const git = await requireFacet(app, backend, 'git', 'looks at its commits')
  const argv = await git.command(record, args, running)
  try {
    return await app.runner.run(argv, { keepBytes: ANSWER_KEPT_BYTES, ...options })
  } catch (error) {
    if (isTooMuch(error)) throw explainFlood(record, args, error)
    throw error instanceof CommandFailed ? explainLook(record, args, error) : error
  }
}

function explainFlood(record: WorkspaceRecord, args: readonly string[], { details }: NexusError): NexusError {
  const verb = args.find((word) => /^[a-z][a-z-]+$/.test(word)) ?? 'status'
  const hint = `To look at it, run \`nexus exec ${record.name} -- git ${verb}\``
  return tooMuchSaid(`git ${verb} of ${record.name}`, Number(details?.maxBytes), hint)
}

function explainLook(record: WorkspaceRecord, args: readonly string[], error: CommandFailed): NexusError {
  const known = explainGitFailure(new CommandFailed(['git', '-C', record.local?.worktree ?? '', ...args], error.result))
  if (known.code !== 'GIT_ERROR') return known
  return new NexusError('GIT_ERROR', known.message, {
    hint: `To look for yourself, run \`nexus exec ${record.name} -- git status\``,
    output: known.output,
  })
}
