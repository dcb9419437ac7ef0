/**
 * The step between a filled worktree and leased ports: which of the project's files run here, whether they may, what they
 * publish, and on which image the workspace's own container stands. Starts nothing of the project's.
 */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import type { Resolution } from '../../backends/making.ts'
import type { Settings } from '../../config/load.ts'
import { locate } from '../../config/locate.ts'
import { NexusError } from '../../core/errors.ts'
import { nearest } from '../../core/names.ts'
import { dockerOf, localOf, withDocker } from '../../core/record-parts.ts'
import type { StackRecord, WorkspaceRecord } from '../../core/workspace.ts'
import { requireGuardable } from '../../network/gate.ts'
import { hasFixedImages, hasGate, withFixedBase } from '../../network/network.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { databaseName } from '../../stack/database.ts'
import { sideCarName } from '../../stack/detect.ts'
import type { ComposeModel } from '../../stack/model.ts'
import { overrideNotes } from '../../stack/override.ts'
import { requireFreePlaces } from '../../stack/own-mounts.ts'
import { isWithin } from '../../stack/places.ts'
import { ownServices, stackPorts } from '../../stack/ports.ts'
import { requireShared, sharedDatabase } from '../../stack/shared.ts'
import { realPathOf } from '../../system/real-path.ts'
import { hideValues } from '../../trust/environment.ts'
import type { App } from '../app.ts'
import { SSH_PORT } from '../port-plan.ts'
import { admitFiles, admitModel, dotenvOf, findingsOf } from '../trust/admit.ts'
import type { Chosen } from '../trust/choice.ts'
import { detectIn, stackOf, withReadyPorts } from './stack-choice.ts'

export interface ResolvedStack {
  readonly record: WorkspaceRecord
  readonly wanted: readonly WantedPort[]
  readonly resolution: Resolution
  /** Files of the worktree that the resolved model was made from, by absolute paths. */
  readonly inputs: readonly string[]
}

/**
 * @param lookOnly builds and pulls nothing: whoever is inside may still change what a build reads
 * @throws {NexusError} CONFIG_INVALID for files that are not there or that compose refuses; BUILD_FAILED; UNSUPPORTED for an
 * image that cannot be worked in; APPROVAL_REQUIRED
 */
export async function resolveStack(
  app: App,
  record: WorkspaceRecord,
  backend: Backend,
  chosen: Chosen,
  lookOnly = false,
): Promise<ResolvedStack> {
  try {
    return await resolve(app, record, backend, chosen, lookOnly)
  } catch (error) {
    throw error instanceof NexusError && error.code === 'CONFIG_INVALID' ? inProject(error, record) : error
  }
}

/** A new worktree goes again when its files cannot be used: they are named as they lie in the repository. */
function inProject(error: NexusError, record: WorkspaceRecord): NexusError {
  const { worktree } = localOf(record)
  const short = (text: string | undefined) => text?.replaceAll(`${worktree}/`, '')
  const { code, message, hint, details, output } = error
  const { file } = details ?? {}
  return new NexusError(code, short(message) ?? '', {
    hint: short(hint),
    details: typeof file === 'string' ? { ...details, file: short(file) } : details,
    output: short(output),
    cause: error,
  })
}

async function resolve(
  app: App,
  record: WorkspaceRecord,
  backend: Backend,
  chosen: Chosen,
  lookOnly: boolean,
): Promise<ResolvedStack> {
  const { settings } = chosen
  const { worktree } = localOf(record)
  const docker = dockerOf(record)
  if (docker.stack === undefined) throw new Error(`${record.id} has no files to resolve`)
  const found = filesToRun(record, docker.stack, worktree, settings)
  const looked = withDocker(record, { stack: found })
  const files = found.files.map((file) => join(worktree, file))
  const admitted = await admitFiles(app, looked, settings, files)
  const { inputs } = admitted
  const { model: read, warnings, unset = [] } = await readModel(backend, looked, files)
  for (const text of warnings) app.emit({ type: 'warning', text })
  if (read !== undefined) {
    requireServices(read, found)
    requireGuardable(looked, read)
    await placed(files, async () => requireFreePlaces(found, read))
    await admitModel(app, looked, settings, read, admitted, unset)
  }
  const { model, ...mounts } = await settle(app, looked, read)
  const main = found.base.kind === 'service' ? found.main : sideCarName(Object.keys(model?.services ?? {}))
  requireShared(settings.shared, model)
  // other workspaces' data is in what is shared
  const shared = hasGate(record) ? undefined : sharedOf(settings.shared, model, record)
  const named = { ...found, ...mounts, main, ...(shared === undefined ? {} : { shared }) }
  const settled = withDocker(record, { stack: named })
  for (const text of model === undefined ? [] : overrideNotes(model)) app.emit({ type: 'warning', text })
  const fixed = hasFixedImages(record)
  if (fixed) await backend.stack?.requireImages(settled, model)
  if (record.isolation === 'agent')
    await (await import('../trust/wishes.ts')).admitWishes(app, settled, { chosen, model })
  const under = fixed || lookOnly ? undefined : await backend.stack?.prepareImage(settled, model)
  const stack = onImage(named, under)
  return {
    record: withDocker(record, { stack }),
    wanted: await withReadyPorts(
      wantedPorts(settings, record, stack, model, under?.exposed ?? []),
      record,
      Object.keys(model?.services ?? {}),
    ),
    resolution: { model, warnings, under },
    inputs,
  }
}

/** @throws {NexusError} CONFIG_INVALID for a file that is not there, or is a link out of the worktree */
function filesToRun(record: WorkspaceRecord, last: StackRecord, worktree: string, settings: Settings): StackRecord {
  const now = stackOf(detectIn(worktree, record.repo, settings), settings) ?? last
  const found = hasFixedImages(record) ? withFixedBase(now, last) : now
  const missing = found.files.find((file) => !existsSync(join(worktree, file)))
  if (missing !== undefined) throw missingFile(missing, worktree)
  if (found.base.kind === 'dockerfile') requireWithin(worktree, found.base.file)
  return found
}

function onImage(stack: StackRecord, under: Resolution['under']): StackRecord {
  if (under === undefined) return stack
  return { ...stack, under: under.reference, ...(under.app === undefined ? {} : { app: under.app }) }
}

/** The model as it will be started, with what is remembered of its mounts for later starts. */
async function settle(app: App, record: WorkspaceRecord, read: ComposeModel | undefined) {
  if (read === undefined) return { model: read }
  const { isolation, gitMode } = record
  const { worktree } = localOf(record)
  // a link could lead a mount past the read-only `.git` file, too
  const guarded = isolation === 'agent' || gitMode === 'private'
  const held = guarded ? await import('../../stack/held-mounts.ts') : undefined
  const model = held?.settleMounts(read, worktree, realPathOf) ?? read
  const admitted = findingsOf(app, record, model)
  const holds = (held?.heldPaths(model, worktree).length ?? 0) > 0
  return { model, ...(admitted.length === 0 ? {} : { admitted }), ...(holds ? { holds } : {}) }
}

/** @throws {NexusError} CONFIG_INVALID with compose's words, without values of the `.env` that it reads */
async function readModel(backend: Backend, record: WorkspaceRecord, files: readonly string[]): Promise<Reading> {
  try {
    return await placed(files, async () => (await backend.stack?.resolve(record)) ?? NOTHING_RESOLVED)
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'CONFIG_INVALID') throw error
    const variables = dotenvOf(dirname(files[0] ?? ''))
    const { message, hint, details, output = '' } = error
    const fields = { hint, details, output: hideValues(output, variables) }
    throw new NexusError('CONFIG_INVALID', hideValues(message, variables), fields)
  }
}

type Reading = Pick<Resolution, 'model' | 'warnings' | 'unset'>

const NOTHING_RESOLVED: Reading = { model: undefined, warnings: [] }

/** @throws {NexusError} CONFIG_INVALID with file and line, where they can be told */
async function placed<T>(files: readonly string[], run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'CONFIG_INVALID') throw error
    const place = await locate(files, error.message)
    if (place === undefined) throw error
    const { hint, details, output } = error
    throw new NexusError('CONFIG_INVALID', `${place.file}:${place.line}: ${error.message}`, {
      hint,
      details: { ...details, ...place },
      output,
    })
  }
}

function sharedOf(
  services: readonly string[],
  model: ComposeModel | undefined,
  record: WorkspaceRecord,
): StackRecord['shared'] {
  if (model === undefined || services.length === 0) return undefined
  const database = sharedDatabase(services, model, databaseName(record))
  return { services, ...(database === undefined ? {} : { database }) }
}

/** ssh, what was asked for at create, the configuration's ports, then what the project publishes. */
function wantedPorts(
  settings: Settings,
  record: WorkspaceRecord,
  stack: StackRecord,
  model: ComposeModel | undefined,
  exposed: readonly WantedPort[],
): readonly WantedPort[] {
  const configured = [...settings.ports].map(([name, port]) => ({ name, ...port }))
  const services = model === undefined ? new Map() : ownServices(model, stack)
  const published = stackPorts(services, stack.main, configured, record.ports)
  const wanted = new Map<string, WantedPort>([[SSH_PORT.name, SSH_PORT]])
  const own = record.ports.filter((port) => port.service === undefined).map(({ host: _, ...port }) => port)
  for (const port of [...published, ...own, ...exposed]) {
    const twin = [...wanted.values()].some(
      (one) => one.service === port.service && one.container === port.container && one.protocol === port.protocol,
    )
    if (!wanted.has(port.name) && !twin) wanted.set(port.name, port)
  }
  return [...wanted.values()]
}

/** @throws {NexusError} CONFIG_INVALID for a service or profile of the configuration that the files do not have */
function requireServices(model: ComposeModel, stack: StackRecord): void {
  const services = Object.keys(model.services)
  if (stack.base.kind === 'service' && !services.includes(stack.main)) {
    throw unknownWord('workspace.service', stack.main, services)
  }
  const profiles = Object.values(model.services).flatMap((service) => service.profiles ?? [])
  const unknown = stack.profiles.find((profile) => profile !== '*' && !profiles.includes(profile))
  if (unknown !== undefined) throw unknownWord('compose.profiles', unknown, [...new Set(profiles)])
}

function unknownWord(key: string, word: string, known: readonly string[]): NexusError {
  const near = nearest(word, known)
  const there = known.length === 0 ? 'the compose files have none' : `there are ${known.join(', ')}`
  return new NexusError(
    'CONFIG_INVALID',
    `${key} names ${JSON.stringify(word)}, which the compose files do not have; ${there}.`,
    {
      hint: `To set it, run \`nexus config set --project ${key} ${near ?? known[0] ?? '<name>'}\``,
      details: { key, value: word, known },
    },
  )
}

/** @throws {NexusError} CONFIG_INVALID for a Dockerfile that is not there, or is a link out of the worktree */
function requireWithin(worktree: string, file: string): void {
  const [top, real] = [realPathOf(worktree), realPathOf(join(worktree, file))]
  if (!existsSync(join(worktree, file))) throw missingFile(file, worktree)
  if (top !== undefined && real !== undefined && isWithin(real, top)) return
  throw new NexusError('CONFIG_INVALID', `The Dockerfile ${file} is a link that leads out of the worktree.`, {
    hint: `To see where, run \`ls -l ${file}\``,
    details: { file, leadsTo: real },
  })
}

function missingFile(file: string, worktree: string): NexusError {
  return new NexusError('CONFIG_INVALID', `The file ${file} does not exist on this branch.`, {
    hint: `To see what there is, run \`ls -a ${worktree}\`; where git ignores it, name it in .worktreeinclude`,
    details: { file },
  })
}
