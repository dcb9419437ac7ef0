/**
 * Before an agent's workspace takes what its files say now: what is not as the user chose it needs the user's approval, for this
 * workspace alone. What is approved is the new choice. Loaded for isolation `agent` only.
 */

import type { Config } from '../../config/load.ts'
import type { HookName } from '../../config/settings.ts'
import { kindOf } from '../../core/operations.ts'
import { dockerOf, localOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { hasGate } from '../../network/network.ts'
import { dockerfilesOf, hashFiles } from '../../project/inputs.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { activeServices } from '../../stack/ports.ts'
import { requireApproval } from '../../trust/approvals.ts'
import { type Choice, changesSince, comparable, NOTHING_CHOSEN } from '../../trust/changes.ts'
import { hiding, VALUE_MIN } from '../../trust/environment.ts'
import { makeFinding } from '../../trust/findings.ts'
import type { App } from '../app.ts'
import { askingOf, dotenvOf } from './admit.ts'
import { type ChoiceFile, type Chosen, projectInFiles, readChoice, writeChoice } from './choice.ts'

const TAKEN_MAX = 5

export interface Wish {
  readonly chosen: Chosen
  /** Undefined without compose files. */
  readonly model: ComposeModel | undefined
  /** The compose files were not looked at: what was known of them stays known. */
  readonly unread?: boolean
}

/**
 * @param record with the stack as it would be started
 * @throws {NexusError} APPROVAL_REQUIRED with each difference
 */
export async function admitWishes(app: App, record: WorkspaceRecord, wish: Wish): Promise<void> {
  if (record.isolation !== 'agent' || record.local === null) return
  const present = await readChoice(app, record)
  if (isUsers(record)) return noteChoice(app, record, wish, present)
  const { config, project } = wish.chosen
  const now = {
    ...choiceOf(app, record, wish),
    ...(wish.unread === true ? known(present ?? NOTHING_CHOSEN) : {}),
  }
  // the user's own, which nobody inside can have changed to hide something behind it
  const own = dotenvOf(record.repo)
  const { asked, taken } = changesSince(present, now, {
    passes: (record.docker?.stack?.pass.length ?? 0) > 0,
    hide: hiding(own),
  })
  const noted = present !== undefined && present.unread !== true
  await requireApproval({
    ...askingOf(app, record, config.settings),
    findings: asked.length === 0 ? [] : [only(record), ...asked],
    told: wordsFor(record, asked.length, noted),
  })
  if (taken.length > 0 && noted) tellTaken(app, taken)
  await keepChoice(app, record, present, fileOf(now, project, wish.unread === true && !noted))
}

async function keepChoice(app: App, record: WorkspaceRecord, present: ChoiceFile | undefined, choice: ChoiceFile) {
  if (JSON.stringify(choice) !== JSON.stringify(present)) await writeChoice(app, record, choice)
}

/** Nobody was inside yet. */
function isUsers({ operation, local, docker }: WorkspaceRecord): boolean {
  const isNew = kindOf(operation)?.makes === true && !(operation?.begun ?? operation?.done)?.includes('start')
  return isNew || (local?.adopted === true && docker?.image === null)
}

/** As the files are in the worktree: a create may have had the configuration from the commit, or from the main worktree. */
async function noteChoice(
  app: App,
  record: WorkspaceRecord,
  wish: Wish,
  present: ChoiceFile | undefined,
): Promise<void> {
  const { project: given } = wish.chosen
  const project = given?.text === undefined ? await projectInFiles(record) : given
  const now = choiceOf(app, record, wish)
  await keepChoice(app, record, present, fileOf(now, project, wish.unread === true))
}

function fileOf(choice: Choice, project: Chosen['project'], unread: boolean): ChoiceFile {
  return { schema: 1, ...choice, config: project?.text ?? null, ...(unread ? { unread } : {}) }
}

function known({ base, main, model, files }: Choice): Partial<Choice> {
  return { base, main, model, files }
}

function choiceOf(app: App, record: WorkspaceRecord, { chosen, model }: Wish): Choice {
  const { project, config } = chosen
  const { stack } = dockerOf(record)
  const { worktree } = localOf(record)
  const { base, main } = stack ?? { base: { kind: 'default' as const }, main: '' }
  const active = model === undefined ? [] : [...activeServices(model, stack?.profiles ?? []).keys()]
  // a guarded workspace builds nothing after its create, and stays on what it was made from
  const isFixed = hasGate(record)
  const built = isFixed ? [] : dockerfilesOf(worktree, model, base)
  return {
    // the main worktree's is the user's own
    settings: project?.text === undefined ? {} : settingsOf(config),
    base: isFixed ? NOTHING_CHOSEN.base : base,
    main: base.kind === 'service' ? main : null,
    model: model === undefined ? null : comparable(model, active, wordsOf(app, record)),
    files: hashFiles(worktree, built),
  }
}

/** What the project's own file decides. A hook inside runs what whoever is inside can run anyway. */
function settingsOf({ values, settings }: Config): Choice['settings'] {
  const isInside = (key: string) => {
    const [section, name] = key.split('.')
    return section === 'hooks' && settings.hooks.get(name as HookName)?.on !== 'host'
  }
  const own = [...values].filter(
    ([key, { origin }]) => origin.source === 'file' && origin.scope === 'project' && !isInside(key),
  )
  return Object.fromEntries(own.map(([key, { value }]) => [key, value]))
}

/** What may stand in a model and be another one the next time, though no file changed; the longest first. */
function wordsOf(app: App, { local, repo, ports, docker }: WorkspaceRecord): ReadonlyMap<string, string> {
  const passed = (docker?.stack?.pass ?? []).map((name): [string, string] => [app.env[name] ?? '', `\${${name}}`])
  const leased = ports.map(({ name, host }): [string, string] => [String(host ?? ''), `<port ${name}>`])
  const places: [string, string][] = [
    [local?.worktree ?? '', '<worktree>'],
    [repo, '<repo>'],
  ]
  const all = [...places, ...passed, ...leased].filter(([value]) => value.length >= VALUE_MIN)
  return new Map(all.sort(([a], [b]) => b.length - a.length))
}

/** What is approved for one agent is not thereby approved for another. */
function only({ id }: WorkspaceRecord) {
  return makeFinding('workspace', id, 'is the only one that the rest of this list is for')
}

function wordsFor({ name }: WorkspaceRecord, count: number, noted: boolean) {
  const what = count === 1 ? 'One thing' : `${count} things`
  const message = noted
    ? `${what} in the files of workspace ${name} ${count === 1 ? 'is' : 'are'} not as you chose, which needs your approval.`
    : `Nexus has no note of what you chose for workspace ${name}, so all that its files ask for needs your approval, once.`
  return { message, toAllow: 'To go on without it, put the files back as they were; to allow it for this workspace' }
}

function tellTaken(app: App, taken: readonly string[]): void {
  const more = taken.length > TAKEN_MAX ? ` and ${taken.length - TAKEN_MAX} more` : ''
  app.emit({ type: 'notice', text: `changed since you chose: ${taken.slice(0, TAKEN_MAX).join(', ')}${more}` })
}
