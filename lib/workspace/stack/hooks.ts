/**
 * Runs the project's hooks: inside over SSH, or on this machine in the worktree, each with a time limit and a log of its own. A
 * hook that fails leaves the workspace as it is, up and in reach. What secrets say is taken out of all that a hook says.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { capture } from '../../backends/captured.ts'
import type { HookName, HookSetting, Settings } from '../../config/settings.ts'
import { boundedPieces, wholeLines } from '../../core/bounded.ts'
import { lastLines, NexusError } from '../../core/errors.ts'
import type { StepId } from '../../core/operations.ts'
import { inLoginShell } from '../../core/shell.ts'
import { parseDuration, timestamp } from '../../core/time.ts'
import type { SecretRecord, WorkspaceRecord } from '../../core/workspace.ts'
import { hookFindings, requireHook } from '../../project/hooks.ts'
import { createMask, resolveSecrets, type SecretValues, secretFindings } from '../../project/secrets.ts'
import { nexusVariables } from '../../stack/variables.ts'
import { keepNewest, writeFileAtomic } from '../../system/store.ts'
import { projectEnvironment } from '../../trust/environment.ts'
import type { App } from '../app.ts'
import type { Action, Actions } from '../operation/apply.ts'
import type { Step } from '../operation/steps.ts'
import { projectOf } from '../trust/choice.ts'
import { installDotfiles, withoutCredentials } from './dotfiles.ts'

const LOGS_MAX = 20
/** Of what a hook says: from its beginning, and as much from its end. */
const KEPT_BYTES = 1024 * 1024
/** What is wrong with a project's file, and not with this machine. */
const TOLD: ReadonlySet<string> = new Set(['CONFIG_INVALID', 'APPROVAL_REQUIRED'])
/** A hook without a limit still ends some day. */
const LONGEST_MS = 24 * 3_600_000

/**
 * What the configuration asks for on this machine, before anything is changed.
 * @throws {NexusError} APPROVAL_REQUIRED for what the project's own file asks for; CONFIG_INVALID for a hook at no time
 */
export async function admitHooks(app: App, record: WorkspaceRecord, settings: Settings): Promise<void> {
  for (const name of settings.hooks.keys()) requireHook(settings, name)
  const findings = [...hookFindings(settings), ...secretFindings(settings)]
  if (findings.length === 0) return
  const { admit, isAdmitted } = await import('../trust/admit.ts')
  const { hooksLeftOut: hooks } = settings
  // who approved them with the hooks that are left out approved them
  const more = hooks === undefined ? undefined : [...hookFindings({ ...settings, hooks }), ...findings]
  if (more !== undefined && (await isAdmitted(app, record, settings, more))) return
  await admit(app, record, settings, findings)
}

/** As `admitHooks`, where one of these would run on this machine. @throws {NexusError} APPROVAL_REQUIRED */
export async function admitNamed(app: App, record: WorkspaceRecord, settings: Settings, names: readonly HookName[]) {
  const asks = names.map((name) => settings.hooks.get(name)).some((hook) => hook?.on === 'host' && hook.fromProject)
  if (asks) await admitHooks(app, record, settings)
}

/**
 * The configuration for a stop or a delete, which nothing in a project's file may keep anybody from: undefined (and told) where it
 * is broken, or `names` ask for what is not approved.
 */
export async function findSettings(
  app: App,
  record: WorkspaceRecord,
  names: readonly HookName[],
): Promise<Settings | undefined> {
  try {
    const { settings } = await app.config(await projectOf(app, record))
    await admitNamed(app, record, settings, names)
    return settings
  } catch (error) {
    if (!(error instanceof NexusError) || !TOLD.has(error.code)) throw error
    app.emit({ type: 'warning', text: `no hooks are run: ${error.message}`, hint: error.hint })
    return undefined
  }
}

/** Values of the configured secrets. @throws {NexusError} SECRET_UNRESOLVED */
export async function secretsFor(app: App, settings: Settings): Promise<SecretValues> {
  return settings.secrets.size === 0 ? new Map() : resolveSecrets(settings.secrets, app)
}

/** The configured secrets as a record keeps them: by reference. */
export function secretRecords({ secrets }: Settings): readonly SecretRecord[] {
  return [...secrets].map(([name, { from, variable, services }]) => ({
    name,
    from,
    ...(variable === undefined ? {} : { variable }),
    ...(services === undefined ? {} : { services }),
  }))
}

/** Steps of the hooks after a start: dotfiles and post-create once, post-start always, one after the other. */
export function planHooks(settings: Settings, isNew: boolean): readonly Step[] {
  const steps: (readonly [StepId, string])[] = []
  if (isNew && settings.dotfiles.repository !== undefined)
    steps.push(['dotfiles', withoutCredentials(settings.dotfiles.repository)])
  if (isNew) steps.push(...stepOf(settings, 'post-create'))
  steps.push(...stepOf(settings, 'post-start'))
  return steps.map(([id, subject], i) => ({ id, subject, cause: 'configured', needs: [steps[i - 1]?.[0] ?? 'start'] }))
}

function stepOf(settings: Settings, name: HookName): readonly (readonly [StepId, string])[] {
  const hook = settings.hooks.get(name)
  return hook === undefined ? [] : [[name, `${hook.run} (${hook.on})`]]
}

/** Steps that are owed until they have run once. */
const ONCE: readonly StepId[] = ['dotfiles', 'post-create']

function owes(app: App, record: WorkspaceRecord): boolean {
  return record.pendingHooks === true && app.noHooks !== true
}

/** What a record says of them when the start has ended and they follow: where none is planned, none is owed any more. */
export function owedAfter(
  app: App,
  record: WorkspaceRecord,
  plan: readonly Step[],
): Pick<WorkspaceRecord, 'pendingHooks'> {
  return owes(app, record) && !plan.some(({ id }) => ONCE.includes(id)) ? { pendingHooks: false } : {}
}

/** What they do. When one fails (HOOK_FAILED), the next `up` runs those that are owed again. */
export function hookActions(app: App, settings: Settings, plan: readonly Step[]): Actions {
  const last = plan.findLast(({ id }) => ONCE.includes(id))?.id
  const after = (id: StepId, hook: (record: WorkspaceRecord) => Promise<void>): Action => ({
    run: async ({ record }, progress) => {
      await hook(record)
      if (id === last && owes(app, record)) await progress.note({ record: { pendingHooks: false } })
    },
  })
  return {
    dotfiles: after('dotfiles', (record) => installDotfiles(app, record, settings)),
    'post-create': after('post-create', (record) => runHook(app, record, settings, 'post-create')),
    'post-start': after('post-start', (record) => runHook(app, record, settings, 'post-start')),
  }
}

/** `runHook` for one whose failure stops nothing: it is told. */
export async function tryHook(...hook: Parameters<typeof runHook>): Promise<void> {
  const [app] = hook
  try {
    await runHook(...hook)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({ type: 'warning', text: error.message, hint: error.hint })
  }
}

/** What its secrets say, as long as it runs. */
export async function heldSecrets(app: App, record: WorkspaceRecord): Promise<SecretValues> {
  return (await (await app.backend(record.backend)).secrets?.read(record)) ?? new Map()
}

/**
 * @param secrets values to take out of what it says; default: those that are in the workspace
 * @throws {NexusError} HOOK_FAILED with the last lines and the log
 */
export async function runHook(
  app: App,
  record: WorkspaceRecord,
  settings: Settings,
  name: HookName,
  secrets?: SecretValues,
): Promise<void> {
  const hook = requireHook(settings, name)
  if (hook === undefined) return
  // the file may have changed since somebody looked: what is run here is what is looked at here
  if (hook.on === 'host') await admitHooks(app, record, settings)
  const mask = createMask(secrets ?? (await heldSecrets(app, record)))
  const { code, output } = await runAnywhere(app, record, { hook, pass: settings.env.pass, mask })
  const said = mask(output)
  const log = join(app.home.logs, record.id, `${name}-${timestamp().replaceAll(':', '')}.log`)
  await writeFileAtomic(log, said)
  await keepNewest(join(app.home.logs, record.id), LOGS_MAX)
  if (code === 0) return
  const how = code === null ? `did not end within ${hook.timeout}` : `ended with code ${code}`
  throw new NexusError('HOOK_FAILED', `The hook ${name} of ${record.name} ${how}.`, {
    hint: `To go on without hooks, add \`--no-hooks\`; to see all that it said, run \`cat ${log}\``,
    details: { hook: name, code, log },
    output: lastLines(said),
  })
}

interface Performance {
  readonly hook: HookSetting
  /** Variables of this machine that a hook may see, by name. */
  readonly pass: readonly string[]
  readonly mask: (text: string) => string
}

/** `code` is null when the time limit ended it. */
async function runAnywhere(app: App, record: WorkspaceRecord, { hook, pass, mask }: Performance) {
  const lines = boundedPieces<string>(KEPT_BYTES)
  const onLine = (text: string) => {
    lines.push(`${text}\n`)
    app.emit({ type: 'progress', text: mask(text) })
  }
  const timeoutMs = parseDuration(hook.timeout) ?? LONGEST_MS
  try {
    if (hook.on === 'host') return await performHere(app, record, { hook, pass, onLine, timeoutMs })
    const backend = await app.backend(record.backend)
    return await capture(app, backend, record, { argv: inLoginShell(hook.run), cwd: null, env: {}, timeoutMs, onLine })
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'TIMEOUT') throw error
    return { code: null, output: wholeLines(lines.join('')) }
  }
}

interface HostPerformance extends Omit<Performance, 'mask'> {
  readonly onLine: (line: string) => void
  readonly timeoutMs: number
}

async function performHere(app: App, record: WorkspaceRecord, { hook, pass, ...limits }: HostPerformance) {
  const { endpoints } = await app.backend(record.backend)
  const env = {
    ...projectEnvironment(app.env, pass),
    ...nexusVariables(record, (port) => endpoints.reach(record, port)),
  }
  const { code, stdout, stderr } = await app.runner.run(['bash', '-c', `exec 2>&1; ${hook.run}`], {
    // also when somebody has removed the worktree
    cwd: record.local !== null && existsSync(record.local.worktree) ? record.local.worktree : record.repo,
    env,
    okCodes: 'any',
    keepBytes: KEPT_BYTES,
    ...limits,
  })
  return { code, output: stdout + stderr }
}
