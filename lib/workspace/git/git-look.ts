/**
 * git, to look at a workspace's tree: where it runs, by the git inside; else, with a git dir of the workspace's own, by one
 * beside its files that can read them and nothing more; else by this machine's, with nothing to run from there.
 */
import { requireCapability } from '../../backends/backend.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { CommandFailed, isTooMuch, type RunOptions, type RunResult, tooMuchSaid } from '../../system/exec.ts'
import { explainGitFailure } from '../../tools/git-failures.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'

export type LookingGit = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** Named so that nothing in the tree's own configuration takes part in a look, wherever it is done. */
const INERT = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'log.showSignature=false']

/** @throws {NexusError} UNSUPPORTED for a workspace without files that git can reach */
export async function lookWithGit<T>(
  app: App,
  record: WorkspaceRecord,
  running: boolean,
  look: (git: LookingGit) => Promise<T>,
): Promise<T> {
  const repository = repositoryOf(record)
  const backend = await app.backend(record.backend)
  if (repository === undefined) {
    requireCapability(backend, 'git', 'looks at its commits')
    throw new Error(`${record.id} has no local files`)
  }
  if (!running && record.gitMode !== 'private') return app.inertGit.at(repository, look)
  requireCapability(backend, 'git', 'looks at its commits')
  return look(async (args, options = {}) => {
    const argv = await backend.gitCommand?.(record, [...INERT, ...args], running)
    if (argv === undefined) throw new Error(`backend ${backend.name} runs no git`)
    try {
      return await app.runner.run(argv, options)
    } catch (error) {
      if (isTooMuch(error)) throw explainFlood(record, args, error)
      throw error instanceof CommandFailed ? explainLook(record, args, error) : error
    }
  })
}

function explainFlood(record: WorkspaceRecord, args: readonly string[], { details }: NexusError): NexusError {
  const verb = args.find((word) => /^[a-z][a-z-]+$/.test(word)) ?? 'status'
  const hint = `To look at it, run \`nexus exec ${record.name} -- git ${verb}\``
  return tooMuchSaid(`git ${verb} of ${record.name}`, Number(details?.maxBytes), hint)
}

function explainLook(record: WorkspaceRecord, args: readonly string[], error: CommandFailed): NexusError {
  const known = explainGitFailure(new CommandFailed(['git', '-C', record.worktree ?? '', ...args], error.result))
  if (known.code !== 'GIT_ERROR') return known
  return new NexusError('GIT_ERROR', known.message, {
    hint: `To look for yourself, run \`nexus exec ${record.name} -- git status\``,
    output: known.output,
  })
}
