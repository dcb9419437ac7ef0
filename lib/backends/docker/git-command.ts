/**
 * How git is run where a workspace's own git dir is: inside over ssh while it runs, else in a helper of Nexus's own
 * that can read that git dir with the objects it borrows, and nothing more.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { workspacePaths } from '../../core/paths.ts'
import { dockerOf, folderInside, localOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { createSshAccess } from '../../ssh/server/access.ts'
import { byBash } from '../../ssh/session/remote-command.ts'
import { listAlternates } from '../../tools/repository.ts'
import { masterArgs } from '../../tools/ssh.ts'
import type { BackendContext } from '../context.ts'
import { workspaceLabels } from './labels.ts'
import { HELPER_ROLE, ROLE_LABEL } from './observation.ts'
import type { Helpers } from './own-container.ts'
import { workMounts } from './work-mounts.ts'

const ENVIRONMENT = {
  GIT_PROTOCOL: 'version=2',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_PAGER: 'cat',
  // of the user's own, which may hide files, refs and more
  GIT_CONFIG_GLOBAL: '/dev/null',
  LC_ALL: 'C',
}

/** However its caller ends. */
const LIMIT_S = 600

export function createGitCommand(
  context: BackendContext,
  access: ReturnType<typeof createSshAccess>,
  helpers: () => Promise<Helpers>,
) {
  function inside(record: WorkspaceRecord, args: readonly string[]): readonly string[] {
    const destination = access.destinationOf(record)
    const variables = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`)
    const words = [folderInside(record), 'env', ...variables, 'git', ...args]
    const command = byBash('cd "$1" || exit 125; shift; exec "$@"', words)
    return ['ssh', ...masterArgs(destination), '-T', '--', destination.host, command]
  }

  async function beside(record: WorkspaceRecord, args: readonly string[]): Promise<readonly string[]> {
    const { uid, gid } = dockerOf(record)
    const { gitDir, worktree } = localOf(record)
    const mounts = workMounts(record, workspacePaths(context.home, record.id), listAlternates(gitDir))
    // commits come back from a git dir of the workspace's own without the files
    const needless = record.gitMode === 'private' ? [worktree, join(worktree, '.git')] : []
    const needed = mounts.filter(({ path }) => !needless.includes(path) && existsSync(path))
    return (await helpers()).command(record, {
      interactive: true,
      user: `${uid}:${gid}`,
      workdir: needless.length === 0 && existsSync(worktree) ? worktree : gitDir,
      labels: { ...workspaceLabels(record, context.instance), [ROLE_LABEL]: HELPER_ROLE },
      mounts: needed.map(({ path, target }) => ({ type: 'bind', source: path, target, readOnly: true })),
      env: ENVIRONMENT,
      // what lies there may be a pipe that git waits for
      argv: ['/usr/bin/timeout', '--kill-after=5', `${LIMIT_S}`, '/usr/bin/git', '-c', 'safe.directory=*', ...args],
    })
  }

  return async (record: WorkspaceRecord, args: readonly string[], running: boolean): Promise<readonly string[]> =>
    running ? inside(record, args) : beside(record, args)
}
