/**
 * Which keys open a workspace, and the exchange of those that are Nexus's own to exchange: a workspace's host key, and the key that
 * Nexus itself comes in with. A workspace that nobody can get into in between would be lost, so every step leaves it open.
 */

import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { KeyCare, LetIn } from '../../ssh/keys/key-care.ts'
import { withLock } from '../../system/lock.ts'
import type { PublicKey } from '../../tools/public-keys.ts'
import type { App } from '../app.ts'
import { observeOne, requireEngine } from '../observe.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { projectOf } from '../trust/choice.ts'

export interface WorkspaceKeys {
  readonly id: string
  readonly name: string
  readonly repo: string
  /** Null before it is made. */
  readonly hostKey: (PublicKey & { readonly rotating: boolean }) | null
  /** Who is let in. */
  readonly keys: readonly LetIn[]
}

async function careOf(app: App, record: WorkspaceRecord): Promise<KeyCare> {
  const backend = await app.backend(record.backend)
  const ssh = await requireFacet(app, backend, 'ssh', 'keys')
  return ssh.keys()
}

export async function listKeys(app: App, records: readonly WorkspaceRecord[]): Promise<readonly WorkspaceKeys[]> {
  const all: WorkspaceKeys[] = []
  for (const record of records) {
    const care = await careOf(app, record)
    const { settings } = await app.config(await projectOf(app, record))
    const [hostKey, keys] = await Promise.all([care.hostKeyOf(record), care.list(record, settings.ssh.injection)])
    all.push({ id: record.id, name: record.name, repo: record.repo, hostKey, keys })
  }
  return all
}

/** Those whose backend has ssh. */
export async function withSsh(app: App): Promise<readonly WorkspaceRecord[]> {
  const records = await app.records.list()
  const has = await Promise.all(records.map(async ({ backend }) => (await app.backend(backend)).ssh !== undefined))
  return records.filter((_, i) => has[i])
}

export interface RotatedHostKey {
  readonly id: string
  readonly name: string
  readonly before: string | null
  /** Null in a dry run. */
  readonly after: string | null
  /** A server that runs shows it already. */
  readonly running: boolean
}

/**
 * Gives a workspace another host key; connections that are open go on.
 * @throws {NexusError} WORKSPACE_NOT_RUNNING for one that neither runs nor is stopped: nobody could tell which key it shows
 */
export async function rotateHostKey(app: App, found: WorkspaceRecord, dryRun: boolean): Promise<RotatedHostKey> {
  const body = async (locked: WorkspaceRecord | undefined): Promise<RotatedHostKey> => {
    const record = requireThere(locked, found)
    const { id, name, hostKeyFingerprint: before } = record
    const care = await careOf(app, record)
    const running = await requireSettled(app, record)
    if (before === null) throw neverStarted(record)
    if (dryRun) return { id, name, before, after: null, running }
    const after = await care.rotateHostKey(record, running)
    await app.records.save({ ...record, hostKeyFingerprint: after })
    return { id, name, before, after, running }
  }
  return exclusively(app, found.id, body, { dryRun })
}

/** True while it runs. */
async function requireSettled(app: App, record: WorkspaceRecord): Promise<boolean> {
  const seen = await observeOne(app, record)
  requireEngine(seen)
  const { state, reason } = seen
  if (state === 'running' || state === 'stopped') return state === 'running'
  const { name } = record
  const verb = state === 'paused' ? 'resume' : 'up'
  throw new NexusError('WORKSPACE_NOT_RUNNING', `Workspace ${name} is ${state}: its server can take no new key now.`, {
    hint: `To have it run, use \`nexus ${verb} ${name}\``,
    details: { state, reason },
  })
}

function neverStarted({ name }: WorkspaceRecord): NexusError {
  return new NexusError('WORKSPACE_NOT_RUNNING', `Workspace ${name} was never started and has no host key yet.`, {
    hint: `To make one, run \`nexus up ${name}\``,
  })
}

export interface RotatedOwnKey {
  /** Null where it was lost. */
  readonly before: string | null
  /** Null in a dry run. */
  readonly after: string | null
  readonly workspaces: readonly { readonly id: string; readonly name: string; readonly state: string }[]
}

/**
 * Exchanges the key that Nexus comes in with: first every workspace lets the new one in too, then it is used, then the old one is
 * let in nowhere. Workspaces that do not run hear of it by their files.
 */
export async function rotateOwnKey(app: App, dryRun: boolean): Promise<RotatedOwnKey> {
  const records = await withSsh(app)
  const states = await Promise.all(records.map(async (record) => (await observeOne(app, record)).state))
  const workspaces = records.map(({ id, name }, i) => ({ id, name, state: states[i] ?? 'unknown' }))
  const [first] = records
  if (first === undefined) {
    throw new NexusError('WORKSPACE_NOT_FOUND', 'There is no workspace that a key of Nexus opens.', {
      hint: 'To make one, run `nexus up <name>`',
    })
  }
  const care = await careOf(app, first)
  const print = async () => {
    const [own] = await care.ownKeys()
    return own === undefined ? null : (await import('../../tools/public-keys.ts')).fingerprint(own)
  }
  const before = await print()
  if (dryRun) return { before, after: null, workspaces }
  await withLock(app.home.sshKey, async () => {
    const former = (await care.ownKeys()).slice(0, 1)
    await care.makeOwn()
    for (const record of records) await exclusively(app, record.id, (there) => letIn(care, there, []))
    await care.takeOwn()
    for (const record of await withSsh(app)) await forget(app, care, record, former)
  })
  return { before, after: await print(), workspaces }
}

async function letIn(care: KeyCare, record: WorkspaceRecord | undefined, former: readonly string[]): Promise<void> {
  if (record !== undefined) await care.renewOwn(record, former)
}

/** Whoever is at work on the workspace writes the same lines. */
async function forget(app: App, care: KeyCare, found: WorkspaceRecord, former: readonly string[]): Promise<void> {
  try {
    await exclusively(app, found.id, async (record) => {
      await letIn(care, record, former)
      if (record !== undefined && (await observeOne(app, record)).state === 'running') await care.reopen(record)
    })
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const text = `the new key was not tried at ${found.name}: ${error.message}`
    app.emit({
      type: 'warning',
      text,
      hint: `To have all its files written anew, run \`nexus stop ${found.name} && nexus up ${found.name}\``,
    })
  }
}
