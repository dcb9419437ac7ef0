/**
 * Which of the objects of an instance no workspace needs, and why. Pure, but for the question whether repositories and worktrees
 * are still there. In doubt an object stays: a workspace whose record cannot be read or whose worktree is there, what runs without
 * a workspace for less than an hour, data that services of a repository share.
 */
import { existsSync } from 'node:fs'
import { hasGate } from '../../network/network.ts'
import type { ImageRow, LabelledRow } from '../../tools/docker-facts.ts'
import { findRepository, listAdminDirs } from '../../tools/repository.ts'
import type { Leftover, Needed } from '../housekeeping.ts'
import { type ImageWish, imageWish } from './image.ts'

export const WANTED_LABELS = [
  'dev.nexus.workspace',
  'dev.nexus.repo',
  'dev.nexus.shared',
  'dev.nexus.cache',
  'dev.nexus.seed',
  'dev.nexus.seed.done',
] as const

/** A helper container ends by itself; one that copies prepared data may take a while. */
const HELPER_MS = 60 * 60_000

export interface SeenResources {
  readonly containers: readonly LabelledRow[]
  readonly networks: readonly LabelledRow[]
  readonly volumes: readonly LabelledRow[]
  readonly images: readonly ImageRow[]
}

export interface LeftoverFacts {
  readonly instance: string
  /** For whom the image would be built next. */
  readonly owner: { readonly uid: number; readonly gid: number }
  readonly currentImage: (wish: ImageWish) => { readonly reference: string }
  /** The gates' image that would be built next. */
  readonly gateImage: string
  readonly now: number
}

interface Marks {
  readonly workspace: string
  readonly repo: string
  readonly shared: string
  readonly cache: string
  readonly seed: string
  readonly seedDone: string
}

export function findLeftovers(seen: SeenResources, needed: Needed, facts: LeftoverFacts): readonly Leftover[] {
  const done = new Set(seen.volumes.map((row) => marksOf(row).seedDone).filter((hash) => hash !== ''))
  return [
    ...seen.containers.flatMap((row) => leftover('container', row.id, partCause(row, needed, facts.now))),
    ...seen.networks.flatMap((row) => leftover('network', row.id, partCause(row, needed, facts.now))),
    ...seen.volumes.flatMap((row) => volumeLeftover(row, needed, done)),
    ...imageLeftovers(seen.images, needed, facts),
  ]
}

function leftover(kind: string, name: string, cause: string | undefined): readonly Leftover[] {
  return cause === undefined ? [] : [{ kind, name, sort: 'part', cause, bytes: null }]
}

function marksOf({ labels }: LabelledRow): Marks {
  const [workspace = '', repo = '', shared = '', cache = '', seed = '', seedDone = ''] = labels
  return { workspace, repo, shared, cache, seed, seedDone }
}

/** Why a container or a network belongs to nobody; undefined when it does not, or when it is too new to tell. */
function partCause(row: LabelledRow, needed: Needed, now: number): string | undefined {
  const { workspace, shared, repo } = marksOf(row)
  if (workspace !== '')
    return needed.ids.has(workspace) || hasWorktree(workspace, repo) ? undefined : `workspace ${workspace} is gone`
  if (shared !== '') return hasWorkspaces(repo, needed) ? undefined : `${repo} has no workspaces that share it`
  return row.createdAt !== null && now - row.createdAt > HELPER_MS ? 'a helper that never ended' : undefined
}

/** Its record alone is lost: `nexus adopt` brings it back, with its data. */
function hasWorktree(workspace: string, repo: string): boolean {
  const gitDir = existsSync(repo) ? findRepository(repo)?.gitDir : undefined
  const own = gitDir === undefined ? [] : listAdminDirs(gitDir).filter(({ marker }) => marker === workspace)
  return own.some(({ worktree }) => existsSync(worktree))
}

function volumeLeftover(row: LabelledRow, needed: Needed, done: ReadonlySet<string>): readonly Leftover[] {
  const { workspace, repo, shared, cache, seed, seedDone } = marksOf(row)
  if (needed.trashed.has(workspace)) return []
  if (workspace !== '') return leftover('volume', row.name, partCause(row, needed, 0))
  const what = cache !== '' ? 'cache' : seed + seedDone !== '' ? 'prepared data' : shared !== '' ? 'shared data' : ''
  if (what === '' || hasWorkspaces(repo, needed)) return []
  const gone = !existsSync(repo)
  // the data of shared services is nobody's to lose but the user's
  if (!needed.all && (shared !== '' || !gone)) {
    return seed === '' || done.has(seed)
      ? []
      : [store('volume', row.name, 'prepared data that was never finished', null)]
  }
  return [store('volume', row.name, `${what} of ${repo}, which ${gone ? 'is gone' : 'has no workspaces'}`, null)]
}

/** Damaged records hold their repository's name too, but cannot be read: with one of them, every repository counts. */
function hasWorkspaces(repo: string, { ids, records }: Needed): boolean {
  return ids.size > records.length || records.some((record) => record.repo === repo)
}

function imageLeftovers(images: readonly ImageRow[], needed: Needed, facts: LeftoverFacts): readonly Leftover[] {
  const kept = new Set(needed.records.flatMap(({ docker }) => [docker?.image ?? '', docker?.stack?.under ?? '']))
  const wishes = needed.records.filter(({ docker }) => docker !== undefined).map(imageWish)
  const owners = needed.all ? [] : [facts.owner, ...wishes]
  for (const owner of owners) kept.add(facts.currentImage(owner).reference)
  if (needed.records.some(hasGate)) kept.add(facts.gateImage)
  // what was built a moment ago has no container yet
  const building = needed.records.some(({ operation }) => operation !== null)
  return images.flatMap(({ id, references, labels, bytes }) => {
    const workspace = labels['dev.nexus.workspace'] ?? ''
    if (references.some((name) => kept.has(name) || kept.has(name.replace(/:latest$/, '')))) return []
    const cause = imageCause(workspace, labels['dev.nexus.repo'] ?? '', references, needed, facts)
    const sort = workspace === '' || needed.ids.has(workspace) ? 'store' : 'part'
    if (cause === undefined || (sort === 'store' && building)) return []
    const names = references.length === 0 ? [id] : references
    return names.map((name) => ({ kind: 'image', name, sort, cause, bytes }) as const)
  })
}

/** Of workspaces, also those of agents, and of gates. */
const OWN_IMAGE = /^nexus-(?:agent-|gate-)?([0-9a-f]{8}):/

function imageCause(
  workspace: string,
  repo: string,
  references: readonly string[],
  needed: Needed,
  { instance }: LeftoverFacts,
): string | undefined {
  if (workspace !== '') {
    if (!needed.ids.has(workspace)) return hasWorktree(workspace, repo) ? undefined : `workspace ${workspace} is gone`
    return references.length === 0 ? 'an older build' : undefined
  }
  if (references.length === 0) return 'an older build'
  if (repo !== '') return hasWorkspaces(repo, needed) ? undefined : `${repo} has no workspaces that share it`
  const ours = references.every((name) => OWN_IMAGE.exec(name)?.[1] === instance.slice(0, 8))
  return ours ? 'no workspace is made from it' : undefined
}

function store(kind: string, name: string, cause: string, bytes: number | null): Leftover {
  return { kind, name, sort: 'store', cause, bytes }
}
