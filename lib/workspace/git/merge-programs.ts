/**
 * What git would run of the very branch that it merges, before anybody has read it: the files of the main worktree are the
 * branch's as soon as git has written them. Hooks that the merge changes do not run; a filter, a driver or a piece of
 * configuration that it changes refuses the merge.
 */
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Whose } from '../../tools/git-programs.ts'
import { hookFiles, hooksFolder, includedFiles, mergingFiles } from '../../tools/git-programs.ts'
import type { App } from '../app.ts'

/**
 * Whose hooks run at the merge of a workspace's branch: none when it changes them.
 * @param head the id of what the main worktree has checked out
 * @param changed paths that the merge changes there
 * @throws {NexusError} UNSUPPORTED with the command that shows what it changes
 */
export async function lookAtPrograms(
  app: App,
  record: WorkspaceRecord,
  head: string,
  changed: readonly string[],
): Promise<Whose> {
  const { repo, name, branch } = record
  const settings = await app.git.settings(repo)
  const hooks = hookFiles(hooksFolder(settings, repo), repo)
  const others = [...includedFiles(settings, repo), ...mergingFiles(settings, repo)]
  if (hooks.length === 0 && others.length === 0) return 'own'
  const look = (range: string, path: string) =>
    `git -C ${shellWord(repo)} diff ${shellWord(range)} -- ${shellWord(path)}`
  const program = others.find((path) => isTouched(path, changed))
  if (program !== undefined) {
    throw new NexusError('UNSUPPORTED', `git would run what ${name} has made of ${program} while it merges.`, {
      hint: `To read the change, run \`${look(`HEAD...${branch}`, program)}\`; then merge it with \`git -C ${shellWord(repo)} merge ${shellWord(branch)}\``,
      details: { path: program },
    })
  }
  const hook = hooks.find((path) => isTouched(path, changed))
  if (hook === undefined) return 'own'
  app.emit({
    type: 'warning',
    text: `no hooks run, as the merge changes them: ${hook}`,
    hint: `To read the change, run \`${look(head.slice(0, 12), hook)}\``,
  })
  return 'other'
}

/** It, something in it, or a folder on the way to it that becomes something else. */
function isTouched(path: string, changed: readonly string[]): boolean {
  return changed.some((one) => one === path || one.startsWith(`${path}/`) || path.startsWith(`${one}/`))
}
