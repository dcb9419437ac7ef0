/**
 * What a delete keeps though nothing refuses for it: ignored files and data of services. How it is said, and how much of it has room in
 * the trash. Pure.
 */
import { formatSize, sumSizes } from '../../core/sizes.ts'
import { joinWords } from '../../core/words.ts'
import type { IgnoredWork } from '../../project/ignored-work.ts'

/** A path in the worktree with what is in it, or a volume. */
export interface KeptData {
  /** The path, or the service whose data it is. */
  readonly what: string
  /** Null where it could not be measured; it takes no room of the budget then. */
  readonly bytes: number | null
  /** Of a path. */
  readonly files?: number
  /** The service whose data lies there. */
  readonly of?: string
  /** Its name, of a volume. */
  readonly volume?: string
}

/** What is to be kept of a workspace that is being deleted. */
export interface Keeping {
  /** What the delete would have refused for, or an interrupted one began to keep. */
  readonly lost: readonly string[]
  readonly data: readonly KeptData[]
  /** The files of the worktree are kept; else it is made again from its commit. */
  readonly files: boolean
  /** Paths in it that tools make again, or for which there is no room: they are not kept. */
  readonly dropped: readonly string[]
  /** Tip of the branch that goes with it, where that has commits of its own. */
  readonly branchCommit: string | undefined
}

const TOLD_MAX = 4

export function keptFile({ path, files, bytes }: IgnoredWork, of: string | undefined): KeptData {
  return { what: path, bytes, files, ...(of === undefined ? {} : { of }) }
}

/** `notes/ (3 files, 12 kB) and the data of db (48 MB)`; '' for nothing. */
export function formatData(data: readonly KeptData[]): string {
  const told = data.slice(0, data.length > TOLD_MAX ? TOLD_MAX - 1 : TOLD_MAX).map(formatOne)
  const more = data.slice(told.length)
  const all = more.length === 0 ? told : [...told, `${more.length} more (${sizeOf(sumSizes(more.map(bytesOf)))})`]
  return joinWords(all, 'and')
}

function formatOne({ what, bytes, files, of, volume }: KeptData): string {
  if (volume !== undefined) return `the data of ${what} (${sizeOf(bytes)})`
  const many = files === undefined || !what.endsWith('/') ? '' : `${files === 1 ? '1 file' : `${files} files`}, `
  const whose = of === undefined ? '' : `, the data of ${of}`
  return `${what}${whose} (${bytes === null && many !== '' ? 'size unknown' : `${many}${sizeOf(bytes)}`})`
}

const bytesOf = ({ bytes }: KeptData) => bytes
const sizeOf = (bytes: number | null) => (bytes === null ? 'size unknown' : formatSize(bytes))

/** What counts for the budget. */
export function weightOf(data: readonly KeptData[]): number {
  return data.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)
}

/** An entry of the trash, as far as its room is concerned. */
export interface Weighed {
  readonly key: string
  readonly data?: readonly KeptData[]
  /** It holds what a delete refused for. */
  readonly lost: readonly string[]
}

/**
 * Which data fits into the budget: the small before the large. What is in the trash beside work that
 * was refused for does not make room; entries of data alone do.
 */
export function chooseData(data: readonly KeptData[], budget: number, trash: readonly Weighed[]) {
  const stays = trash.filter(({ lost }) => lost.length > 0)
  let room = budget - stays.reduce((sum, entry) => sum + weightOf(entry.data ?? []), 0)
  const kept = new Set<KeptData>()
  for (const one of [...data].sort((a, b) => weightOf([a]) - weightOf([b]))) {
    if (weightOf([one]) > room) continue
    room -= weightOf([one])
    kept.add(one)
  }
  return { kept: data.filter((one) => kept.has(one)), left: data.filter((one) => !kept.has(one)) }
}

/**
 * Entries of data alone that go, the oldest first, until the rest fits into the budget.
 * @param trash newest first
 * @param made key of the entry that was just made, which stays
 */
export function findOverfull<E extends Weighed>(trash: readonly E[], budget: number, made?: string): readonly E[] {
  let over = trash.reduce((sum, { data }) => sum + weightOf(data ?? []), 0) - budget
  const going: E[] = []
  for (const entry of [...trash].reverse()) {
    if (over <= 0) break
    const weight = weightOf(entry.data ?? [])
    if (entry.key === made || entry.lost.length > 0 || weight === 0) continue
    over -= weight
    going.push(entry)
  }
  return going
}
