/**
 * `cp`: files and folders between this machine and the inside of workspaces, or from one workspace to another, as a stream of
 * entries over ssh; nothing is kept on the way. What comes from inside is unpacked here by `system/tree.ts`, never by a
 * program that believes it.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { bytesOf, readTree, type Tell, type TreeItem } from '../../system/tree.ts'
import { createUnpacker } from '../../system/unpack.ts'
import type { App } from '../app.ts'
import { requireWorkspace } from '../names/find.ts'
import { readInside, type Streams, streamsOf, writeInside } from './copy-inside.ts'
import { type CopyPlace, type CopyPlan, type CopyStep, type PlaceKind, planCopy, splitPlace } from './copy-places.ts'

export interface CopyRequest {
  /** Sources, then the target. */
  readonly places: readonly string[]
  readonly repo: string | undefined
  readonly dryRun: boolean
}

export interface CopyOutcome {
  readonly plan: CopyPlan
  readonly files: number
  readonly folders: number
  readonly links: number
  readonly bytes: number
  /** What was left out, in words. */
  readonly skipped: readonly string[]
}

/** Of what could not be taken along, so many are named. */
const TOLD_MAX = 20

/**
 * @throws {NexusError} INVALID_ARGUMENT for places that do not fit together; PERMISSION_DENIED when something could not be read,
 * after the rest was copied; DISK_FULL; CONTAINER_ERROR
 */
export async function copy(app: App, request: CopyRequest): Promise<CopyOutcome> {
  const { places } = request
  if (places.length < 2) {
    throw new NexusError('INVALID_ARGUMENT', 'There is no target to copy to.', {
      hint: 'To copy a file out of a workspace, use `nexus cp <name>:<path> .`',
    })
  }
  const named = await Promise.all(places.map((text) => whose(app, text, request.repo)))
  requireSide(app, named)
  const streams = await streamsOf(
    app,
    named.flatMap(({ record }) => record ?? []),
  )
  const found = await Promise.all(named.map((one) => lookAt(app, one, streams)))
  const [target, ...reversed] = [...found].reverse()
  if (target === undefined) throw new Error('two places and more')
  const plan = planCopy(reversed.reverse(), target)
  const outcome = { plan, files: 0, folders: 0, links: 0, bytes: 0, skipped: [] }
  return request.dryRun ? outcome : run(app, plan, streams)
}

interface Named {
  readonly text: string
  readonly record: WorkspaceRecord | undefined
  readonly path: string
}

/** A word with a slash before its colon is a path of this machine, unless `<repo>/<name>` names a workspace. */
async function whose(app: App, text: string, repo: string | undefined): Promise<Named> {
  if (text === '') {
    throw new NexusError('INVALID_ARGUMENT', '"" is not a path.', { hint: 'To mean this folder, use `.`' })
  }
  if (text === '-') {
    throw new NexusError('INVALID_ARGUMENT', '"-" is not a path: files and folders are copied, no streams.', {
      hint: "To send what is read, run `nexus exec <name> -- sh -c 'cat > <path>'`; to mean a file of this name, use `./-`",
    })
  }
  const { name, path } = splitPlace(text)
  const here = { text, record: undefined, path: text }
  if (name === undefined || (name.includes('/') && existsSync(resolve(app.cwd, text)))) return here
  try {
    return { text, record: await requireWorkspace(app, name, repo), path }
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    if (name.includes('/') && error.code !== 'NAME_AMBIGUOUS') return here
    if (!existsSync(resolve(app.cwd, text))) throw error
    throw new NexusError(error.code, error.message, { hint: `To mean the file of this name, use \`./${text}\`` })
  }
}

function requireSide(app: App, named: readonly Named[]): void {
  if (named.some(({ record }) => record !== undefined)) return
  const meant = named.find(({ text }) => splitPlace(text).name?.includes('/') && !existsSync(resolve(app.cwd, text)))
  if (meant !== undefined) {
    throw new NexusError(
      'WORKSPACE_NOT_FOUND',
      `There is no workspace ${JSON.stringify(splitPlace(meant.text).name)}.`,
      {
        hint: 'To see what there is, run `nexus list --all`',
      },
    )
  }
  throw new NexusError('INVALID_ARGUMENT', 'None of these paths is in a workspace.', {
    hint: `To name one that is, use \`nexus cp ${named[0]?.text.startsWith('-') ? '-- ' : ''}<file> <name>:<path>\``,
  })
}

async function lookAt(app: App, { text, record, path }: Named, streams: Streams): Promise<CopyPlace> {
  if (record !== undefined) return { text, record, ...(await streams.look(record, path)) }
  const full = resolve(app.cwd, path)
  const kind = kindHere(full)
  return { text, record, kind, path: kind === 'missing' ? join(real(dirname(full)), basename(full)) : real(full) }
}

function kindHere(path: string): PlaceKind {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined)
    return statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() ? 'missing' : 'nowhere'
  return stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'special'
}

/** Of a source its own name counts, not that of what a link leads to: only folders above it are resolved. */
function real(path: string): string {
  const above = dirname(path)
  return existsSync(above) ? join(realpathSync(above), basename(path)) : path
}

async function run(app: App, plan: CopyPlan, streams: Streams): Promise<CopyOutcome> {
  const { target, base, steps } = plan
  const counts = { files: 0, folders: 0, links: 0, bytes: 0 }
  const skipped: string[] = []
  const failures: string[] = []
  const tell: Tell = ({ text, fatal }) => void (fatal ? failures : skipped).push(printable(text))
  const sink =
    target.record === undefined
      ? createUnpacker(base, tell)
      : await writeInside(app, streams, target.record, base, tell)
  const step = { type: 'step', step: 'copy', subject: subjectOf(plan) } as const
  app.emit({ ...step, phase: 'start', cause: 'asked for' })
  const began = performance.now()
  try {
    for (const one of steps) {
      for await (const item of itemsOf(app, one, streams, tell)) {
        app.interruption.signal.throwIfAborted()
        await sink.put([...one.names.map(bytesOf), ...item.entry.names], item)
        count(counts, item)
      }
    }
    await sink.finish()
  } catch (error) {
    app.emit({ ...step, phase: 'failed' })
    throw error
  } finally {
    sink.close()
  }
  app.emit({ ...step, phase: 'done', ms: performance.now() - began })
  for (const text of skipped.slice(0, TOLD_MAX)) app.emit({ type: 'warning', text: `left out: ${text}` })
  if (failures.length > 0) throw incomplete(failures)
  return { plan, ...counts, skipped }
}

function subjectOf({ target, steps }: CopyPlan): string {
  const [first] = steps
  return `${steps.length === 1 ? (first?.from.text ?? '') : `${steps.length} things`} to ${target.text}`
}

function itemsOf(app: App, { from }: CopyStep, streams: Streams, tell: Tell): AsyncIterable<TreeItem> {
  if (from.record === undefined) return readTree(from.path, tell)
  return readInside(app, streams, from.record, { path: from.path, isFolder: from.kind === 'folder' }, tell)
}

function count(counts: { files: number; folders: number; links: number; bytes: number }, { entry }: TreeItem): void {
  if (entry.kind === 'file') counts.files++
  if (entry.kind === 'folder') counts.folders++
  if (entry.kind === 'link') counts.links++
  counts.bytes += entry.size
}

function incomplete(failures: readonly string[]): NexusError {
  const [first = ''] = failures
  const more = failures.length === 1 ? '' : `, and ${failures.length - 1} more`
  return new NexusError('PERMISSION_DENIED', `Not all was copied: ${first}${more}.`, {
    hint: 'To see who may read what, run `ls -la` there; what else there was is copied',
    details: { failures: failures.slice(0, TOLD_MAX) },
    ...(failures.length === 1 ? {} : { output: failures.slice(0, TOLD_MAX).join('\n') }),
  })
}
