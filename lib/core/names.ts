/**
 * Names and ids. The branded types are made only here, so a `WorkspaceName` or `WorkspaceId` elsewhere is known to be
 * safe as a file name, a compose project, a host name and a git ref component.
 *
 * A given text keeps its identity: where making it a slug loses information, 4 characters of a hash of the original are
 * appended, so that `feature/x` and `feature-x` never meet.
 */
import { createHash, randomBytes } from 'node:crypto'
import { NexusError } from './errors.ts'

export type WorkspaceName = string & { readonly __brand: 'WorkspaceName' }
export type WorkspaceId = string & { readonly __brand: 'WorkspaceId' }

/** Characters. */
export const NAME_MAX_LENGTH = 40
/** Characters a user may type before the text is made a name. */
export const GIVEN_MAX_LENGTH = 200
export const RESERVED_NAMES: readonly string[] = ['all', 'current', 'new', 'help']

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/
const ID = /^ws-[a-z2-7]{8}$/
const GIVEN = /^[\p{L}\p{M}\p{N}/._\-+#]+$/u
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** 4 base32 characters of the text's SHA-256. */
export function shortHash(text: string): string {
  const digest = createHash('sha256').update(text).digest()
  return Array.from(digest.subarray(0, 4), (byte) => BASE32[byte & 31]).join('')
}

export function isWorkspaceId(text: string): text is WorkspaceId {
  return ID.test(text)
}

/** A fresh random id: `ws-` and 8 lower-case base32 characters. */
export function newWorkspaceId(): WorkspaceId {
  return `ws-${Array.from(randomBytes(8), (byte) => BASE32[byte & 31]).join('')}` as WorkspaceId
}

/**
 * The workspace name for what a user typed.
 * @throws {NexusError} INVALID_ARGUMENT, naming the text, with the nearest good name as the hint
 */
export function parseName(given: string): WorkspaceName {
  return parse(given, problemOf(given) ?? oddnessOf(given))
}

/**
 * The same for a text that may be the name of a branch, which may hold more than a new name: `a@b`, `it's`.
 * @throws {NexusError} as `parseName`, for what is empty, too long, reserved, or could be taken for an option or a path
 */
export function nameOfBranch(given: string): WorkspaceName {
  return parse(given, problemOf(given))
}

function parse(given: string, problem: string | undefined): WorkspaceName {
  if (problem !== undefined) {
    const near = nearestName(given)
    throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(shorten(given))} is not a workspace name: ${problem}.`, {
      hint: `To use the nearest good name, repeat with \`${near}\``,
      details: { given: shorten(given), suggestion: near },
    })
  }
  return slugOf(given)
}

function problemOf(given: string): string | undefined {
  if (given === '') return 'it is empty'
  if ([...given].length > GIVEN_MAX_LENGTH) return `it is longer than ${GIVEN_MAX_LENGTH} characters`
  if (/[\p{Cc}]/u.test(given)) return 'it holds a control character'
  if (/\s/u.test(given)) return 'it holds a space'
  if (given.startsWith('-')) return 'it starts with "-"'
  if (given.includes('..')) return 'it holds ".."'
  if (RESERVED_NAMES.includes(given.toLowerCase())) return 'the word is reserved'
  if (ID.test(given)) return 'it looks like a workspace id'
  return undefined
}

/** What only the name of a branch that is there may hold. */
function oddnessOf(given: string): string | undefined {
  if (!GIVEN.test(given)) return 'only letters, digits and / . _ - + # are allowed'
  return /[\p{L}\p{N}]/u.test(given) ? undefined : 'it has no letter or digit'
}

/** The branch for a text, below `nexus/`: its name, or the text where the name has lost letters. */
export function branchWord(given: string, name: WorkspaceName): string {
  const isWhole = !/[^\0-\x7f]/.test(plainLetters(given))
  return isWhole || !isBranchName(given) || oddnessOf(given) !== undefined ? name : given
}

/** True by git's rules for refs (git-check-ref-format(1)), unless it could be taken for an option. */
export function isBranchName(text: string): boolean {
  if (text === '' || text.length > 250 || text.startsWith('-') || text === '@' || text === 'HEAD') return false
  if (/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|\.$|\/$|^\//u.test(text)) return false
  return text.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
}

function slugOf(given: string): WorkspaceName {
  const slug = asciiSlug(given)
  if (slug === given && NAME.test(slug) && slug.length <= NAME_MAX_LENGTH) return slug as WorkspaceName
  return withHash(slug, given)
}

function withHash(slug: string, given: string): WorkspaceName {
  const kept = slug.slice(0, NAME_MAX_LENGTH - 5).replace(/-+$/, '')
  return (kept === '' ? `x-${shortHash(given)}` : `${kept}-${shortHash(given)}`) as WorkspaceName
}

function asciiSlug(text: string): string {
  return plainLetters(text)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
}

/** Without what stands above and below letters: `e` for `é`. */
function plainLetters(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '')
}

/** The best name that can be made of a refused text; itself always acceptable. */
function nearestName(given: string): string {
  const slug = asciiSlug(given).slice(0, NAME_MAX_LENGTH).replace(/-+$/, '')
  if (slug === '') return 'my-feature'
  return (problemOf(slug) ?? oddnessOf(slug)) === undefined ? slug : `${slug.slice(0, NAME_MAX_LENGTH - 2)}-1`
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** The names of a workspace: the present one, and the first one of a renamed workspace. */
export interface WorkspaceNames {
  readonly id: WorkspaceId
  readonly name: WorkspaceName
  readonly madeAs?: WorkspaceName
}

/**
 * `nexus-<name>-<8 id characters>`: the compose project of a workspace. A workspace that was renamed keeps it, as its
 * containers and volumes are found by it.
 */
export function composeProject({ id, name, madeAs = name }: WorkspaceNames): string {
  return `nexus-${madeAs}-${id.slice('ws-'.length)}`
}

/** A host name label for a repository: lower-case, at most 40 characters, never empty. */
export function repoLabel(text: string): string {
  const slug = asciiSlug(text).slice(0, NAME_MAX_LENGTH).replace(/-+$/, '')
  return slug === '' ? `repo-${shortHash(text)}` : slug
}

/** What stands for the repository in a workspace's long alias, `<name>.<label>.nexus`. */
export function labelInAlias({ project, aliasLabel }: { project: string; aliasLabel?: string }): string {
  return aliasLabel ?? repoLabel(project)
}

/** What a repository would be called there, then what tells it from others of its name. */
export function aliasLabels(project: string, repo: string): readonly string[] {
  const plain = repoLabel(project)
  return [plain, `${plain}-${shortHash(repo)}`]
}

/** The candidate closest to `text` by edit distance, if one letter of up to three differs: a typing error. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = (text.length < 4 ? 1 : Math.max(2, Math.floor(text.length / 4))) + 1
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Letters changed, added, left out, or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, i) => i)]
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const best = Math.min(at(i - 1, j - 1) + same, at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1)
      row.push(swapped ? Math.min(best, at(i - 2, j - 2) + 1) : best)
    }
  }
  return at(a.length, b.length)
}
