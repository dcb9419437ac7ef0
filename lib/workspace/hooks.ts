/**
 * Runs the project's hooks and installs the user's dotfiles: inside over SSH, or on this machine in the worktree, each with a
 * time limit and a log of its own. A hook that fails leaves the workspace as it is, up and in reach.
 */
import { join } from 'node:path'
import type { ConfigSources } from '../config/load.ts'
import type { HookName, HookSetting, Settings } from '../config/settings.ts'
import { NexusError } from '../core/errors.ts'
import { parseDuration, timestamp } from '../core/time.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { hookFindings, requireHook } from '../project/hooks.ts'
import { resolveSecrets, secretFindings } from '../project/secrets.ts'
import { projectEnvironment } from '../stack/environment.ts'
import { nexusVariables } from '../stack/variables.ts'
import { keepNewest, writeFileAtomic } from '../system/store.ts'
import type { App } from './app.ts'
import type { Step, StepId } from './steps.ts'

const LOGS_MAX = 20
/** Steps of a plan, which tells of them itself. */
const PLANNED: ReadonlySet<string> = new Set(['pre-start', 'pre-stop', 'post-stop'])
/** A hook without a limit still ends some day. */
const LONGEST_MS = 24 * 3_600_000
const DOTFILES_TIMEOUT_MS = 10 * 60_000

type Project = ConfigSources['project']

/**
 * What the configuration asks for on this machine, before anything is changed.
 * @throws {NexusError} APPROVAL_REQUIRED for what the project's own file asks for; CONFIG_INVALID for a hook at no time
 */
export async function admitHooks(app: App, repo: string, settings: Settings): Promise<void> {
  for (const name of settings.hooks.keys()) requireHook(settings, name)
  const findings = [...hookFindings(settings), ...secretFindings(settings)]
  if (findings.length > 0) await (await import('./gate.ts')).admit(app, repo, settings, findings)
}

/** The configuration, undefined (and told) where its file is broken: that must not keep anybody from a stop or a delete. */
export async function findSettings(app: App, project: Project): Promise<Settings | undefined> {
  try {
    return (await app.config(project)).settings
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'CONFIG_INVALID') throw error
    app.emit({ type: 'warning', text: `no hooks are run: ${error.message}`, hint: error.hint })
    return undefined
  }
}

/** Values of the configured secrets. @throws {NexusError} SECRET_UNRESOLVED */
export async function secretsFor(app: App, settings: Settings): Promise<ReadonlyMap<string, string>> {
  return settings.secrets.size === 0 ? new Map() : resolveSecrets(settings.secrets, app)
}

/** Takes the values of secrets out of what a hook says; without them, where they cannot be had any more. */
async function createMask(app: App, settings: Settings): Promise<(text: string) => string> {
  const values = await secretsFor(app, settings).catch((error: unknown) => {
    if (error instanceof NexusError) return new Map<string, string>()
    throw error
  })
  const long = [...values.values()].map((value) => value.trim()).filter((value) => value.length >= 4)
  return (text) => long.reduce((rest, value) => rest.replaceAll(value, '***'), text)
}

/** Steps of the hooks after a start, for a plan that people read. */
export function planHooks(settings: Settings, isNew: boolean): readonly Step[] {
  const steps: (readonly [StepId, string])[] = []
  if (isNew && settings.dotfiles.repository !== undefined) steps.push(['dotfiles', settings.dotfiles.repository])
  if (isNew) steps.push(...stepOf(settings, 'post-create'))
  steps.push(...stepOf(settings, 'post-start'))
  return steps.map(([id, subject]) => ({ id, subject, cause: 'configured', needs: ['start'] }))
}

function stepOf(settings: Settings, name: HookName): readonly (readonly [StepId, string])[] {
  const hook = settings.hooks.get(name)
  return hook === undefined ? [] : [[name, `${hook.run} (${hook.on})`]]
}

/**
 * After a start: dotfiles and post-create once, post-start always. Returns the record as it is then.
 * @throws {NexusError} HOOK_FAILED; the next `up` runs post-create again
 */
export async function runStartHooks(app: App, record: WorkspaceRecord, project: Project): Promise<WorkspaceRecord> {
  const { settings } = await app.config(project)
  let now = record
  if (record.pendingHooks === true) {
    await installDotfiles(app, record, settings)
    await runHook(app, record, settings, 'post-create')
    now = { ...record, pendingHooks: false }
    await app.records.save(now)
  }
  await runHook(app, now, settings, 'post-start')
  return now
}

/** A hook whose failure stops nothing: it is told. */
export async function tryHook(app: App, record: WorkspaceRecord, project: Project, name: HookName): Promise<void> {
  const { settings } = await app.config(project)
  try {
    await runHook(app, record, settings, name)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({ type: 'warning', text: error.message, hint: error.hint })
  }
}

/** @throws {NexusError} HOOK_FAILED with the last lines and the log */
export async function runHook(app: App, record: WorkspaceRecord, settings: Settings, name: HookName): Promise<void> {
  const hook = requireHook(settings, name)
  if (hook === undefined) return
  const began = performance.now()
  const step = { step: name, subject: hook.run }
  const emit: App['emit'] = PLANNED.has(name) ? () => {} : app.emit
  const cause = hook.on === 'host' ? 'configured, on this machine' : 'configured'
  emit({ type: 'step', phase: 'start', ...step, cause })
  const mask = await createMask(app, settings)
  const { code, output } = await perform(app, record, hook, mask)
  const log = join(app.home.logs, record.id, `${name}-${timestamp().replaceAll(':', '')}.log`)
  await writeFileAtomic(log, mask(output))
  await keepNewest(join(app.home.logs, record.id), LOGS_MAX)
  if (code === 0) return emit({ type: 'step', phase: 'done', ...step, ms: performance.now() - began })
  emit({ type: 'step', phase: 'failed', ...step })
  const how = code === null ? `did not end within ${hook.timeout}` : `ended with code ${code}`
  throw new NexusError('HOOK_FAILED', `The hook ${name} of ${record.name} ${how}.`, {
    hint: `To see all that it said, run \`cat ${log}\``,
    details: { hook: name, code, log },
    output: mask(output).trimEnd().split('\n').slice(-20).join('\n'),
  })
}

/** `code` is null when the time limit ended it. */
async function perform(app: App, record: WorkspaceRecord, hook: HookSetting, mask: (text: string) => string) {
  const lines: string[] = []
  const onLine = (text: string) => {
    lines.push(text)
    app.emit({ type: 'progress', text: mask(text) })
  }
  const timeoutMs = parseDuration(hook.timeout) ?? LONGEST_MS
  try {
    if (hook.on === 'host') return await performHere(app, record, hook, { onLine, timeoutMs })
    const backend = await app.backend(record.backend)
    return await backend.capture(record, { argv: ['bash', '-lc', hook.run], cwd: null, env: {}, timeoutMs, onLine })
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'TIMEOUT') throw error
    return { code: null, output: `${lines.join('\n')}\n` }
  }
}

async function performHere(
  app: App,
  record: WorkspaceRecord,
  hook: HookSetting,
  limits: { readonly onLine: (line: string) => void; readonly timeoutMs: number },
) {
  const env = { ...projectEnvironment(app.env, []), ...nexusVariables(record) }
  const { code, stdout, stderr } = await app.runner.run(['bash', '-c', `exec 2>&1; ${hook.run}`], {
    cwd: record.worktree ?? record.repo,
    env,
    okCodes: 'any',
    ...limits,
  })
  return { code, output: stdout + stderr }
}

const INSTALL = `set -e
[ -e ~/.dotfiles ] || git clone --quiet -- "$1" ~/.dotfiles
cd ~/.dotfiles
if [ -n "$2" ]; then exec bash -c "$2"; fi
for file in install.sh install bootstrap.sh bootstrap setup.sh setup; do
  if [ -f "$file" ]; then if [ -x "$file" ]; then exec "./$file"; else exec bash "$file"; fi; fi
done
for file in .[!.]*; do
  case $file in .git|.gitignore|.gitmodules) ;; *) ln -sfn "$PWD/$file" ~/"$file" ;; esac
done
`

/** The user's own files are a comfort: without them the workspace is complete. */
async function installDotfiles(app: App, record: WorkspaceRecord, settings: Settings): Promise<void> {
  const { repository, install = '' } = settings.dotfiles
  if (repository === undefined) return
  const backend = await app.backend(record.backend)
  const request = { argv: ['bash', '-c', INSTALL, 'dotfiles', repository, install], cwd: null, env: {} }
  app.emit({ type: 'progress', text: `installing the dotfiles of ${repository}` })
  try {
    const { code, output } = await backend.capture(record, { ...request, timeoutMs: DOTFILES_TIMEOUT_MS })
    if (code === 0) return
    const said = output.trim().split('\n').slice(-3).join('; ')
    app.emit({ type: 'warning', text: `the dotfiles could not be installed: ${said}`, hint: againHint(record) })
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({
      type: 'warning',
      text: `the dotfiles could not be installed: ${error.message}`,
      hint: againHint(record),
    })
  }
}

function againHint(record: WorkspaceRecord): string {
  return `To try it by hand, run \`nexus ssh ${record.name}\` and \`git clone <repository> ~/.dotfiles\``
}
