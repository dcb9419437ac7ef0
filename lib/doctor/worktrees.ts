/**
 * Checks of worktrees: those of the records, which may be gone or on another branch, and those that look like ours
 * without a record here. No check removes one, because people's work lies in them.
 */

import { join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { worktreeOf } from '../core/record-parts.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { findHere, listAdminDirs, listLinkedWorktrees } from '../tools/repository.ts'
import type { App } from '../workspace/app.ts'
import { type Drift, findDrift } from '../workspace/drift.ts'
import { repairWorkspace } from '../workspace/lifecycle/repair.ts'
import { toldFromHere } from '../workspace/observe.ts'
import { listRestoring, type Restoring } from '../workspace/status/restoring.ts'
import type { Scan } from './scan.ts'

export async function checkWorktrees({ app, records, settings }: Scan): Promise<readonly Diagnosis[]> {
  const own = records.filter(({ operation }) => operation === null).flatMap((record) => judgeWorktree(app, record))
  const here = findHere(app.cwd)
  const repos = new Map(records.flatMap(({ repo, local }) => (local === null ? [] : [[repo, local.gitDir] as const])))
  if (here !== undefined) repos.set(here.root, here.gitDir)
  const known = new Set(records.map(worktreeOf))
  const restoring = new Map((await listRestoring(app)).map((one) => [one.worktree, one]))
  const strays = [...repos].flatMap(([repo, gitDir]) => {
    const folders = [join(repo, '.worktree'), ...(settings?.worktreeDir === undefined ? [] : [settings.worktreeDir])]
    const marked = new Set(listAdminDirs(gitDir).flatMap((one) => (one.marker === undefined ? [] : [one.worktree])))
    const looksOurs = (path: string, branch: string | null) =>
      branch?.startsWith('nexus/') === true && folders.some((folder) => path.startsWith(`${folder}/`))
    return listLinkedWorktrees(gitDir)
      .filter(({ path, branch }) => marked.has(path) || looksOurs(path, branch))
      .filter(({ path }) => !known.has(path) && !restoring.has(path))
      .map(({ path, present }) => judgeStray(repo, path, present))
  })
  const found = [...own, ...[...restoring.values()].map(judgeRestoring), ...strays]
  return found.length > 0 ? found : [well('the worktrees are where they should be')]
}

const WHY: Readonly<Record<Drift['kind'], string>> = {
  'repository-gone': 'It was moved or removed; without it the worktree is no worktree.',
  'repository-other': 'If its repository was moved, its work is there; in this one is nothing of it.',
  'worktree-gone': 'What was not committed in it is where its folder went, if that was moved, and else lost.',
  'worktree-moved': 'The workspace has the old place mounted, and no start can go on from there.',
  'worktree-unlinked': 'git works neither in it nor inside the workspace.',
  'branch-gone': 'Nothing can be committed on from its last commit, and all its files look new.',
  branch: 'A delete asks for commits on its own branch; those on others stay where they are.',
}

/** What git itself tells can be mended without a question. */
const MENDABLE: ReadonlySet<Drift['kind']> = new Set(['worktree-moved', 'worktree-unlinked', 'branch-gone'])

function judgeWorktree(app: App, record: WorkspaceRecord): readonly Diagnosis[] {
  const drift = findDrift(record)
  if (drift === undefined) return []
  const { kind, text, command, broken } = drift
  const hint = toldFromHere(app, record, `To mend it, run \`${command}\``)
  const said = { message: `Workspace ${record.name}: ${text}.`, why: WHY[kind], hint }
  const request = { repo: undefined, worktree: undefined, dryRun: false }
  const fix = MENDABLE.has(kind) ? async () => void (await repairWorkspace(app, record, request)) : undefined
  return [(broken ? failure : warning)({ ...said, fix })]
}

function judgeRestoring({ worktree, text, command }: Restoring): Diagnosis {
  return warning({
    message: `${worktree}: ${text}.`,
    why: 'Until it is finished, the trash has a part of the workspace, and the worktree another.',
    hint: `To finish it, run \`${command}\``,
  })
}

function judgeStray(repo: string, path: string, present: boolean): Diagnosis {
  return warning({
    message: `${path} is a worktree of Nexus's making without a workspace in this NEXUS_HOME.`,
    why: present
      ? 'It may be the work of another NEXUS_HOME or of a workspace whose record was lost, so that it stays.'
      : 'Its folder is gone; git keeps its branch from being used elsewhere.',
    hint: present
      ? `To remove it, run \`git -C ${shellWord(repo)} worktree remove ${shellWord(path)}\`; to make it a workspace again, \`nexus adopt ${shellWord(path)}\``
      : `To forget it, run \`git -C ${shellWord(repo)} worktree prune\``,
  })
}
