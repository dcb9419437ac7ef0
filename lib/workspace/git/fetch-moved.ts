/**
 * Fetches what has moved in a workspace's own git dir into refs of the workspace's. All at once, and where that fails bit by bit: what
 * is bad of one branch, which git here does not take, keeps no other from coming back.
 */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import { printable } from '../../core/visible.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { fetchFrom, TOTAL_MS } from '../../tools/git-fetch.ts'
import { findAdminDir } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import type { PrivatePlace } from '../current-branch.ts'
import type { SeenRefs } from './moved.ts'
import { refsOf } from './private-git.ts'

/** Of fetches; whoever works inside may make any number of bad branches. */
const TRIES_MAX = 40
/** What is left of the time for another fetch. */
const WORTH_MS = 1_000

export interface Fetching {
  readonly running: boolean
  /** How long all may take at most. */
  readonly totalMs?: number
}

/** What did not come back. */
export interface Failed {
  /** `branch x`, `tags/v1`, `HEAD`. */
  readonly what: string
  readonly why: string
}

export interface Fetched {
  /** What of it came. */
  readonly came: SeenRefs
  readonly failed: readonly Failed[]
  /** Why the workspace's own branch did not. */
  readonly own: NexusError | undefined
}

/** A ref, with what of the seen ones it is. */
interface Item {
  readonly what: string
  readonly refspec: string
  readonly seen: Partial<SeenRefs>
}

type Fetch = (items: readonly Item[]) => Promise<NexusError | undefined>

/** @throws {NexusError} TIMEOUT and the like; what git does not take is returned */
export async function fetchMoved(
  app: App,
  record: WorkspaceRecord,
  place: PrivatePlace,
  moved: SeenRefs,
  { running, totalMs = TOTAL_MS }: Fetching,
): Promise<Fetched> {
  const program = await programOf(app, record, place, running)
  const until = Date.now() + totalMs
  const fetch: Fetch = async (items) => {
    const refspecs = items.map(({ refspec }) => refspec)
    const request = { program, refspecs, signal: app.interruption.signal, totalMs: until - Date.now() }
    try {
      const refused = await fetchFrom(app.runner, place.repo, request)
      return refused === '' ? undefined : notAll(record, refused)
    } catch (error) {
      if (error instanceof NexusError && error.code === 'GIT_ERROR') return error
      throw error
    }
  }
  const items = itemsOf(record, moved)
  const whole = await fetch(items)
  if (whole === undefined) return { came: moved, failed: [], own: undefined }
  const others = items.filter(({ what }) => what !== branchWord(record.branch))
  const mine = items.filter((item) => !others.includes(item))
  // the own one first: it is what the workspace is for
  const own = mine.length === 0 ? undefined : others.length === 0 ? whole : await fetch(mine)
  const { came, failed } = await fetchInParts(fetch, others, mine.length === 0 ? whole : undefined, until)
  return { came: joined(own === undefined ? [...mine, ...came] : came), failed, own }
}

/** By halves, down to each that is bad. @param known why all of them together failed, where that is known */
async function fetchInParts(fetch: Fetch, all: readonly Item[], known: NexusError | undefined, until: number) {
  const came: Item[] = []
  const failed: Failed[] = []
  let tries = 0
  const part = async (items: readonly Item[], error: NexusError | undefined): Promise<void> => {
    if (error === undefined) came.push(...items)
    else if (items.length === 1) failed.push(...items.map(({ what }) => ({ what, why: whyOf(error) })))
    else {
      const middle = Math.ceil(items.length / 2)
      await next(items.slice(0, middle))
      await next(items.slice(middle))
    }
  }
  const next = async (items: readonly Item[]): Promise<void> => {
    if (tries++ < TRIES_MAX && until - Date.now() > WORTH_MS) return part(items, await fetch(items))
    failed.push(...items.map(({ what }) => ({ what, why: 'it was not tried, as others failed' })))
  }
  if (all.length > 0) await (known === undefined ? next(all) : part(all, known))
  return { came, failed }
}

async function programOf(app: App, record: WorkspaceRecord, place: PrivatePlace, running: boolean) {
  const backend = await app.backend(record.backend)
  // HEAD is the worktree's; its own part of the git dir has the same path on both sides
  const admin = basename(findAdminDir(place.gitDir, place.worktree)?.path ?? '')
  const own = join('worktrees', admin, 'HEAD')
  const from = admin !== '' && existsSync(join(place.path, own)) ? join(place.gitDir, dirname(own)) : place.gitDir
  const git = await requireFacet(app, backend, 'git', 'looks at its commits')
  return git.command(record, ['upload-pack', '--timeout=60', from], running)
}

function itemsOf(record: WorkspaceRecord, { branches, tags, detached }: SeenRefs): readonly Item[] {
  const item = (what: string, from: string, to: string, seen: Item['seen']) => ({
    what,
    refspec: `+${from}:${to}`,
    seen,
  })
  return [
    ...Object.entries(branches).map(([name, id]) =>
      item(branchWord(name), `refs/heads/${name}`, refsOf(record, 'heads', name), { branches: { [name]: id } }),
    ),
    ...Object.entries(tags).map(([name, id]) =>
      item(name, `refs/${name}`, refsOf(record, name), { tags: { [name]: id } }),
    ),
    ...(detached === null ? [] : [item('HEAD', 'HEAD', refsOf(record, 'HEAD'), { detached })]),
  ]
}

const branchWord = (name: string) => `branch ${name}`

function joined(items: readonly Item[]): SeenRefs {
  return {
    branches: Object.assign({}, ...items.map(({ seen }) => seen.branches)),
    tags: Object.assign({}, ...items.map(({ seen }) => seen.tags)),
    detached: items.find(({ seen }) => seen.detached != null)?.seen.detached ?? null,
  }
}

function notAll({ name }: WorkspaceRecord, output: string): NexusError {
  return new NexusError('GIT_ERROR', `Not all branches of ${name} could be brought back.`, {
    hint: `To see them, run \`nexus exec ${name} -- git branch --verbose\``,
    output,
  })
}

/** In git's words, of which the first line says most. */
function whyOf({ message, output }: NexusError): string {
  const [said = message] = (output ?? '').split('\n').filter((line) => line !== '')
  return printable(said.replace(/^(fatal|error): |^ ! */, ''))
}
