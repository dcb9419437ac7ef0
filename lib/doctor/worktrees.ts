/**
 * Worktrees: those of the records, which may be gone or on another branch, and those that look like ours and have no record
 * here. People's work lies in worktrees, so none is ever removed by a check.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { findRepository, listLinkedWorktrees, readBranch } from '../tools/repository.ts'
import type { Scan } from './scan.ts'

export async function checkWorktrees({ app, records, settings }: Scan): Promise<readonly Diagnosis[]> {
  const own = records.filter(({ operation }) => operation === null).flatMap(judgeWorktree)
  const here = findRepository(app.cwd)
  const repos = new Map(records.flatMap(({ repo, gitDir }) => (gitDir === null ? [] : [[repo, gitDir] as const])))
  if (here !== undefined) repos.set(here.root, here.gitDir)
  const known = new Set(records.map(({ worktree }) => worktree))
  const strays = [...repos].flatMap(([repo, gitDir]) => {
    const folders = [join(repo, '.worktree'), ...(settings?.worktreeDir === undefined ? [] : [settings.worktreeDir])]
    return listLinkedWorktrees(gitDir)
      .filter(
        ({ path, branch }) => branch?.startsWith('nexus/') && folders.some((folder) => path.startsWith(`${folder}/`)),
      )
      .filter(({ path }) => !known.has(path))
      .map(({ path, present }) => judgeStray(repo, path, present))
  })
  const found = [...own, ...strays]
  return found.length > 0 ? found : [well('the worktrees are where they should be')]
}

function judgeWorktree(record: WorkspaceRecord): readonly Diagnosis[] {
  const { name, repo, worktree, branch, gitDir } = record
  if (worktree === null || gitDir === null) return []
  if (!existsSync(gitDir)) {
    return [
      failure({
        message: `The repository ${repo} of workspace ${name} is gone.`,
        why: 'It was moved or removed; without it the worktree is no worktree.',
        hint: `To give the workspace up, run \`nexus delete ${record.id} --force\``,
      }),
    ]
  }
  if (!existsSync(worktree)) {
    return [
      warning({
        message: `The worktree ${worktree} of workspace ${name} is missing.`,
        why: 'What was not committed in it is lost; the branch is there.',
        hint: `To make it anew from its branch, run \`nexus up ${name}\`; to give it up, \`nexus delete ${name}\``,
      }),
    ]
  }
  const now = readBranch(worktree)
  if (now === branch) return []
  if (now === undefined) {
    return [
      failure({
        message: `${worktree} of workspace ${name} is no git worktree any more.`,
        why: 'git works neither in it nor inside the workspace.',
        hint: `To repair it, run \`git -C ${shellWord(repo)} worktree repair ${shellWord(worktree)}\``,
      }),
    ]
  }
  return [
    warning({
      message: `Workspace ${name} was made for branch ${branch} and is on ${now ?? 'no branch (detached HEAD)'}.`,
      why: 'A delete asks for commits on its own branch; those on others stay where they are.',
      hint: `To go back, run \`git -C ${shellWord(worktree)} switch ${shellWord(branch)}\``,
    }),
  ]
}

function judgeStray(repo: string, path: string, present: boolean): Diagnosis {
  return warning({
    message: `${path} is a worktree of Nexus's making without a workspace in this NEXUS_HOME.`,
    why: present
      ? 'It may be the work of another NEXUS_HOME or of a workspace whose record was lost, so that it stays.'
      : 'Its folder is gone; git keeps its branch from being used elsewhere.',
    hint: present
      ? `To see what is in it, run \`git -C ${shellWord(path)} status\`; to remove it, \`git -C ${shellWord(repo)} worktree remove ${shellWord(path)}\``
      : `To forget it, run \`git -C ${shellWord(repo)} worktree prune\``,
  })
}
