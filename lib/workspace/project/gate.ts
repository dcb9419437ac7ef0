/**
 * What a project may do: its files are looked at before compose reads them, and what they ask for beyond the ordinary before
 * anything of them runs. Everything that needs the user's approval passes here.
 */

import { join } from 'node:path'
import type { Settings } from '../../config/load.ts'
import { readDotenv } from '../../config/read.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { createApprovals, hashFindings, type RequireRequest, requireApproval } from '../../project/approvals.ts'
import { parsePlainEnv } from '../../project/interpolate.ts'
import { realPathOf } from '../../project/real-path.ts'
import { scanProjectFiles } from '../../project/scan.ts'
import { findUnapproved } from '../../stack/allow-list.ts'
import { tellHidden, visibleVariables } from '../../stack/environment.ts'
import { makeFinding, withoutFindings } from '../../stack/findings.ts'
import type { ComposeModel, Finding } from '../../stack/model.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'

/** What raw files ask for, and which files of the worktree compose makes its model from. */
export interface Admitted {
  readonly findings: readonly Finding[]
  readonly inputs: readonly string[]
}

/**
 * Before `docker compose config`, which reads whatever the files name.
 * @throws {NexusError} APPROVAL_REQUIRED; CONFIG_INVALID for files that are no YAML, with line and column
 */
export async function admitFiles(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  files: readonly string[],
): Promise<Admitted> {
  const { worktree, repo, stack } = record
  if (worktree === null || stack === undefined || files.length === 0) return { findings: [], inputs: [] }
  const dotenv = join(worktree, '.env')
  const look = async (text: string | undefined): Promise<Admitted> => {
    const own = parsePlainEnv(text ?? '') ?? new Map()
    const env = { ...Object.fromEntries(own), ...visibleVariables(app.env, stack.pass) }
    const inputs: string[] = []
    const args: string[] = []
    const findings = await scanProjectFiles({
      ...{ worktree, repo, files, env },
      onInput: (file) => inputs.push(file),
      onArgument: (name) => args.push(name),
    })
    for (const text of tellHidden(args, app.env, stack.pass)) app.emit({ type: 'warning', text })
    await admit(app, record, settings, findings)
    return { findings, inputs }
  }
  const inside = readDotenv(dotenv, worktree)
  const admitted = await look(inside)
  // one that a link leads out of the worktree is read once that was approved
  const outside = inside === undefined ? readDotenv(dotenv) : undefined
  return outside === undefined ? admitted : look(outside)
}

/** What the resolved model asks for, by where its paths lead now. */
export function findingsOf(app: App, record: WorkspaceRecord, model: ComposeModel): readonly Finding[] {
  const { worktree, repo } = record
  if (worktree === null) return []
  return findUnapproved(model, { worktree, repo, home: app.env.HOME, realpath: realPathOf })
}

/**
 * Before anything of the resolved model runs; `known` was asked for already.
 * @throws {NexusError} APPROVAL_REQUIRED
 */
export async function admitModel(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  model: ComposeModel,
  known: readonly Finding[],
): Promise<void> {
  await admit(app, record, settings, withoutFindings(findingsOf(app, record, model), known))
}

/** @throws {NexusError} APPROVAL_REQUIRED */
export async function admit(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  found: readonly Finding[],
  told?: RequireRequest['told'],
): Promise<void> {
  const findings = askedBy(record, found)
  await requireApproval({ ...askingOf(app, record, settings), findings, ...(told === undefined ? {} : { told }) })
}

/** Who asks, and of what the answer is kept. */
export function askingOf(app: App, record: WorkspaceRecord, settings: Settings): Omit<RequireRequest, 'findings'> {
  const { repo, name } = record
  const branch = currentBranch(app.home, record) ?? record.branch
  const asker = { workspace: name, branch }
  return { approvals: createApprovals(app), repo, asker, again: app.asking?.line, given: settings.trust.approve }
}

/** True where this very list was approved. */
export async function isAdmitted(app: App, record: WorkspaceRecord, settings: Settings, findings: readonly Finding[]) {
  return createApprovals(app).isApproved(record.repo, hashFindings(askedBy(record, findings)), settings.trust.approve)
}

/** What was approved for the user's own work is not thereby approved for an agent's: the answer is another. */
function askedBy({ isolation }: WorkspaceRecord, findings: readonly Finding[]): readonly Finding[] {
  if (isolation !== 'agent' || findings.length === 0) return findings
  return [
    makeFinding('isolation', 'agent', 'grants the rest of this list to an agent, whom isolation keeps from it'),
    ...findings,
  ]
}
