/**
 * What a project may do: its files are looked at before compose reads them, and what they ask for beyond the ordinary before
 * anything of them runs. Everything that needs the user's approval passes here.
 */

import { join } from 'node:path'
import type { Settings } from '../../config/load.ts'
import { readDotenv } from '../../config/read.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { parsePlainEnv, plainVariables } from '../../stack/dotenv.ts'
import type { ComposeModel, Finding } from '../../stack/model.ts'
import { realPathOf } from '../../system/real-path.ts'
import { findUnapproved } from '../../trust/allow-list.ts'
import { createApprovals, hashFindings, type RequireRequest, requireApproval } from '../../trust/approvals.ts'
import { hiding, tellHidden, visibleVariables } from '../../trust/environment.ts'
import { makeFinding, withoutFindings } from '../../trust/findings.ts'
import { scanProjectFiles } from '../../trust/scan.ts'
import { findMistaken, mistaken, type PlacedUse } from '../../trust/unset.ts'
import type { App } from '../app.ts'
import { currentBranch } from '../current-branch.ts'

/** What raw files ask for, and which files of the worktree compose makes its model from. */
export interface Admitted {
  readonly findings: readonly Finding[]
  readonly inputs: readonly string[]
  /** Texts with variables in them that are not set, as far as that can be told before compose reads them. */
  readonly unset: readonly PlacedUse[]
}

/**
 * Before `docker compose config`, which reads whatever the files name.
 * @throws {NexusError} APPROVAL_REQUIRED; CONFIG_INVALID for files that are no YAML, with line and column, and for what is asked for only
 * because a variable is not set
 */
export async function admitFiles(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  files: readonly string[],
): Promise<Admitted> {
  const { local, repo, docker: { stack } = {} } = record
  if (local === null || stack === undefined || files.length === 0) return { findings: [], inputs: [], unset: [] }
  const { worktree } = local
  const dotenv = join(worktree, '.env')
  const look = async (text: string | undefined): Promise<Admitted> => {
    const own = parsePlainEnv(text ?? '')
    const env = { ...Object.fromEntries(own ?? []), ...visibleVariables(app.env, stack.pass) }
    const inputs: string[] = []
    const args: string[] = []
    const unset: PlacedUse[] = []
    const findings = await scanProjectFiles({
      worktree,
      repo,
      files,
      env,
      onInput: (file) => inputs.push(file),
      onArgument: (name) => args.push(name),
      onUnset: (use) => unset.push(use),
    })
    for (const text of tellHidden(args, app.env, stack.pass)) app.emit({ type: 'warning', text })
    // of a file with other lines than plain ones it is not known what it sets
    if (own !== undefined)
      refuseMistaken(app, record, findings, { uses: unset, names: unset.flatMap(({ names }) => names) })
    await admit(app, record, settings, findings)
    return { findings, inputs, unset }
  }
  const inside = readDotenv(dotenv, worktree)
  const admitted = await look(inside)
  // one that a link leads out of the worktree is read once that was approved
  const outside = inside === undefined ? readDotenv(dotenv) : undefined
  return outside === undefined ? admitted : look(outside)
}

/** What the resolved model asks for, by where its paths lead now. */
export function findingsOf(
  app: App,
  { local, repo, docker }: WorkspaceRecord,
  model: ComposeModel,
  copies = docker?.stack?.external === 'private',
): readonly Finding[] {
  if (local === null) return []
  return findUnapproved(model, { worktree: local.worktree, repo, home: app.env.HOME, realpath: realPathOf }, copies)
}

/**
 * Before anything of the resolved model runs; what the raw files asked for was asked already.
 * @param unset variables that compose found no value for
 * @throws {NexusError} APPROVAL_REQUIRED; CONFIG_INVALID for what is asked for only because a variable is not set
 */
export async function admitModel(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  model: ComposeModel,
  admitted: Admitted,
  unset: readonly string[],
): Promise<void> {
  const findings = withoutFindings(findingsOf(app, record, model), admitted.findings)
  refuseMistaken(app, record, findings, { uses: admitted.unset, names: unset })
  if (record.docker?.stack?.external === 'private') {
    // who approved that a volume is shared approved its copy
    const shared = withoutFindings(findingsOf(app, record, model, false), admitted.findings)
    if (await isAdmitted(app, record, settings, shared)) return
  }
  await admit(app, record, settings, findings)
}

interface Unset {
  readonly uses: readonly PlacedUse[]
  readonly names: readonly string[]
}

/** @throws {NexusError} CONFIG_INVALID */
function refuseMistaken(app: App, record: WorkspaceRecord, findings: readonly Finding[], { uses, names }: Unset): void {
  const found = findMistaken(findings, uses, names)
  if (found === undefined) return
  throw mistaken(found.finding, found.names, hintToSet(app, record, found.names[0] ?? ''))
}

/** Variables of a folder's `.env`, by its plain lines; none where there is no such file. */
export function dotenvOf(folder: string): ReadonlyMap<string, string> {
  return plainVariables(readDotenv(join(folder, '.env')) ?? '')
}

/** By where the variable has a value that does not reach this worktree. */
function hintToSet({ env }: App, { repo, local, docker }: WorkspaceRecord, name: string): string {
  const isThere = readDotenv(join(local?.worktree ?? repo, '.env')) !== undefined
  if (!isThere && dotenvOf(repo).has(name))
    return 'To copy the .env that has it into worktrees, run `echo .env >> .worktreeinclude`'
  if (env[name] !== undefined) {
    const all = [...(docker?.stack?.pass ?? []), name].join(',')
    return `To pass on the value that it has here, run \`nexus config set env.pass ${all}\``
  }
  return `To set it, run \`echo ${name}=<value> >> .env\`; where git ignores that file, \`echo .env >> .worktreeinclude\` too`
}

/** @throws {NexusError} APPROVAL_REQUIRED */
export async function admit(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  found: readonly Finding[],
  told?: RequireRequest['told'],
): Promise<void> {
  const findings = await askedBy(app, record, found)
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
  return createApprovals(app).isApproved(
    record.repo,
    hashFindings(await askedBy(app, record, findings)),
    settings.trust.approve,
  )
}

/** What was approved for the user's own work is not thereby approved for an agent's: the answer is another. */
async function askedBy(app: App, record: WorkspaceRecord, found: readonly Finding[]): Promise<readonly Finding[]> {
  const findings = await withoutValues(app, record, found)
  if (record.isolation !== 'agent' || findings.length === 0) return findings
  return [
    makeFinding('isolation', 'agent', 'grants the rest of this list to an agent, whom isolation keeps from it'),
    ...findings,
  ]
}

/**
 * With the names of variables in place of what the user's own `.env` gives them. One that git tracks is the project's, which may hide
 * nothing of what it asks for behind a name.
 */
async function withoutValues(
  app: App,
  { repo, local }: WorkspaceRecord,
  findings: readonly Finding[],
): Promise<readonly Finding[]> {
  if (findings.length === 0 || local === null) return findings
  const hide = hiding(dotenvOf(repo))
  const hidden = findings.map((finding) => ({ ...finding, value: hide(finding.value) }))
  if (hidden.every(({ value }, i) => value === findings[i]?.value)) return findings
  const tracked = await app.inertGit.listContents({ root: repo, gitDir: local.gitDir, worktree: repo }, ['.env'])
  return tracked.length > 0 ? findings : hidden
}
