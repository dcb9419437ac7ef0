/**
 * What `cp` was told: which words name a workspace, what lies at each place, and what goes where by the rules of `cp -r`. The
 * decision is pure; a place that is a file of this machine is looked at by its caller's means.
 */
import { basename, dirname, join, normalize } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'

/** What lies at a path: `missing` in a folder that is there, `nowhere` where not even that is. */
export type PlaceKind = 'folder' | 'file' | 'special' | 'missing' | 'nowhere'

export interface CopyPlace {
  /** As it was typed. */
  readonly text: string
  /** Undefined for this machine. */
  readonly record: WorkspaceRecord | undefined
  readonly kind: PlaceKind
  /** Absolute. */
  readonly path: string
}

export interface CopyStep {
  readonly from: CopyPlace
  /** Names below the base that it gets; none when what is in it goes into the base itself. */
  readonly names: readonly string[]
}

export interface CopyPlan {
  readonly target: CopyPlace
  /** A folder on the target's side that is there. */
  readonly base: string
  readonly steps: readonly CopyStep[]
}

/** A word split at its first colon: `name` undefined for a path of this machine for sure. */
export function splitPlace(text: string): { readonly name: string | undefined; readonly path: string } {
  const colon = text.indexOf(':')
  if (colon < 1 || /^(\/|\.{1,2}\/|~)/.test(text)) return { name: undefined, path: text }
  return { name: text.slice(0, colon), path: text.slice(colon + 1) }
}

/**
 * As `cp -r` has it: into a folder that is there, else by the new name in a folder that is there.
 * @throws {NexusError} INVALID_ARGUMENT
 */
export function planCopy(sources: readonly CopyPlace[], target: CopyPlace): CopyPlan {
  for (const source of sources) requireSource(source)
  const steps = sources.map((from) => stepInto(from))
  if (target.kind === 'folder') {
    requireApart(sources, target, target.path, steps)
    return { target, base: target.path, steps }
  }
  const [first, ...others] = sources
  if (others.length > 0 || first === undefined)
    throw refuse(target, `is not a folder, which ${sources.length} sources need`, makeIt(target))
  if (target.kind === 'special') throw refuse(target, 'is neither a file nor a folder', look(target))
  if (target.kind === 'nowhere') throw refuse(target, 'lies in a folder that is not there', makeIt(target, true))
  if (target.kind === 'file' && first.kind === 'folder')
    throw refuse(target, `is a file, and ${first.text} is a folder`, look(target))
  if (target.text.endsWith('/') && first.kind !== 'folder') throw refuse(target, 'is not a folder', makeIt(target))
  const names = [basename(target.path)]
  const base = dirname(target.path)
  requireApart(sources, target, base, [{ from: first, names }])
  return { target, base, steps: [{ from: first, names }] }
}

/** The path with `~` and relative ones left to whoever looks: `x/.` means what is in `x`. */
function meansContents(text: string): boolean {
  const { path } = splitPlace(text)
  return /(^|\/)\.{1,2}\/*$/.test(path) || /^\/+$/.test(path)
}

function stepInto(from: CopyPlace): CopyStep {
  return { from, names: from.kind === 'folder' && meansContents(from.text) ? [] : [basename(normalize(from.path))] }
}

function requireSource(source: CopyPlace): void {
  if (source.kind === 'missing' || source.kind === 'nowhere') throw refuse(source, 'is not there', look(source))
  if (source.kind === 'special') throw refuse(source, 'is neither a file nor a folder', look(source))
  if (source.kind === 'file' && source.text.endsWith('/')) throw refuse(source, 'is not a folder', look(source))
}

/** A worktree is the same files at the same path on both sides. */
function requireApart(
  sources: readonly CopyPlace[],
  target: CopyPlace,
  base: string,
  steps: readonly CopyStep[],
): void {
  sources.forEach((source, i) => {
    const to = join(base, ...(steps[i]?.names ?? []))
    if (!sharesFiles(source, target, to)) return
    if (to === source.path) throw refuse(source, 'is what it would be copied to', look(source))
    if (source.kind === 'folder' && `${to}/`.startsWith(`${source.path.replace(/\/$/, '')}/`))
      throw refuse(source, `cannot be copied into itself, to ${to}`, look(source))
  })
}

function sharesFiles(source: CopyPlace, target: CopyPlace, to: string): boolean {
  if (source.record?.id === target.record?.id) return true
  const worktree = (source.record ?? target.record)?.local?.worktree ?? null
  const isIn = (path: string) => worktree !== null && `${path}/`.startsWith(`${worktree}/`)
  return (source.record === undefined || target.record === undefined) && isIn(source.path) && isIn(to)
}

function refuse({ text }: CopyPlace, what: string, command: string): NexusError {
  return new NexusError('INVALID_ARGUMENT', `${JSON.stringify(text)} ${what}.`, {
    hint: command,
    details: { path: text },
  })
}

function look({ record, path }: CopyPlace): string {
  return `To see what is there, run \`${inside(record)}ls -la ${shellWord(dirname(path))}\``
}

function makeIt({ record, path }: CopyPlace, above = false): string {
  return `To make it, run \`${inside(record)}mkdir -p ${shellWord(above ? dirname(path) : path)}\``
}

function inside(record: WorkspaceRecord | undefined): string {
  return record === undefined ? '' : `nexus exec ${record.name} -- `
}
