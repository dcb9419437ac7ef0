/**
 * How git is run where a workspace's files are: inside over the SSH door while it runs, else in a container of the
 * workspace's image that can read them and nothing more, and that Docker removes when git ends.
 */
import { existsSync } from 'node:fs'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { listAlternates } from '../../tools/repository.ts'
import { masterArgs } from '../../tools/ssh.ts'
import type { BackendContext } from '../context.ts'
import type { createDoors } from './door.ts'
import { wholeLabels, workspaceLabels } from './labels.ts'
import { HELPER_ROLE, ROLE_LABEL } from './observation.ts'
import { byBash } from './session.ts'
import { workMounts } from './work-mounts.ts'

const ENVIRONMENT = {
  GIT_PROTOCOL: 'version=2',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_PAGER: 'cat',
  LC_ALL: 'C',
}

export function createGitCommand(context: BackendContext, doors: ReturnType<typeof createDoors>) {
  function inside(record: WorkspaceRecord, args: readonly string[]): readonly string[] {
    const door = doors.doorOf(record)
    const variables = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`)
    const words = [record.worktree ?? '/', 'env', ...variables, 'git', ...args]
    const command = byBash('cd "$1" || exit 125; shift; exec "$@"', words)
    return ['ssh', ...masterArgs(door), '-T', '--', door.host, command]
  }

  function beside(record: WorkspaceRecord, args: readonly string[]): readonly string[] {
    const { image, uid, gid, gitDir, worktree } = record
    if (image === null || gitDir === null || worktree === null) throw new Error(`${record.id} was never made`)
    const labels = wholeLabels({ ...workspaceLabels(record, context.instance), [ROLE_LABEL]: HELPER_ROLE })
    const mounts = workMounts(record, workspacePaths(context.home, record.id), listAlternates(gitDir))
    const there = mounts.filter(({ path }) => existsSync(path))
    return [
      ...['docker', 'run', '--rm', '--interactive', '--pull', 'never', '--network', 'none'],
      ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--read-only', '--tmpfs', '/tmp'],
      ...['--user', `${uid}:${gid}`, '--workdir', existsSync(worktree) ? worktree : gitDir],
      ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
      ...there.flatMap(({ path, target }) => ['--mount', mountText(path, target)]),
      ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...['--entrypoint', 'git', image, '-c', 'safe.directory=*', ...args],
    ]
  }

  return (record: WorkspaceRecord, args: readonly string[], running: boolean): readonly string[] =>
    running ? inside(record, args) : beside(record, args)
}

/** Docker reads it as a line of CSV, so that a path may hold a comma. */
function mountText(source: string, target: string): string {
  const fields = ['type=bind', `source=${source}`, `target=${target}`, 'readonly']
  return fields.map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')
}
