/**
 * Lists the programs that git would run in a worktree by its configuration, and those that a branch decides: a relative
 * path means the worktree that git runs in, and so a hook, a filter or a helper of another person's branch. For Nexus
 * such a path means the main worktree's copy. Read once per command; starts no program.
 */
import { readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { relativeWords } from '../core/relative-words.ts'
import { shellWord } from '../core/shell.ts'
import { escapePattern } from '../core/words.ts'
import { findRepository, isOnItsOwn, listLinkedWorktrees, type Repository } from './repository.ts'

/** Whose content a branch has: for another person's branch no hook runs, neither the branch's nor the user's. */
export type Whose = 'own' | 'other'

const LINKS_MAX = 40
/** As `core.hooksPath`, a folder without hooks. */
export const NO_HOOKS_FOLDER = '/dev/null'

export interface GitSetting {
  readonly scope: string
  /** Section and name in lower case. */
  readonly key: string
  readonly value: string
}

/** Keys that this file judges by, as `git config --get-regexp` takes them. */
export const PROGRAM_KEYS = [
  'core\\.(hookspath|sshcommand|gitproxy|askpass|attributesfile)',
  'init\\.templatedir',
  'filter\\..*\\.(smudge|process|clean)',
  'merge\\..*\\.driver',
  '(credential|gpg)\\.(.*\\.)?(helper|program)',
  'include(if\\..*)?\\.path',
  'submodule\\..*\\.url',
  '(remote\\..*\\.promisor|extensions\\.partialclone)',
].join('|')

export const isFilter = (key: string): boolean => /^filter\..*\.(smudge|process)$/.test(key)
/** What git reaches another machine with. */
export const isTransport = (key: string): boolean =>
  /^(core\.(sshcommand|gitproxy|askpass)|credential\.(.*\.)?helper)$/.test(key)
/** What git may run while it merges and after the files are there. */
const isMerging = (key: string): boolean =>
  /^(filter\..*\.(smudge|process|clean)|merge\..*\.driver|gpg\.(.*\.)?program|core\.sshcommand)$/.test(key)

/** Where a repository lies, and its worktrees beside the main one. */
interface Places {
  readonly root: string
  readonly gitDir: string
  readonly linked: readonly string[]
}

function placesOf(root: string): Places {
  const found: Repository = findRepository(root) ?? { root, gitDir: join(root, '.git'), worktree: root }
  const linked = listLinkedWorktrees(found.gitDir).map(({ path }) => path)
  const others = isOnItsOwn(found) ? linked.filter((path) => path !== root) : linked
  return { root, gitDir: found.gitDir, linked: [...others, join(root, '.worktree')] }
}

export function lastValue(settings: readonly GitSetting[], key: string): string | undefined {
  return settings.findLast((one) => one.key === key)?.value
}

/** Filters that a line of attributes names. */
export function filtersIn(line: string): readonly string[] {
  if (line.trimStart().startsWith('#')) return []
  return [...line.matchAll(/(?:^|\s)filter=(\S+)/g)].map(([, name]) => name ?? '')
}

/** The values that count: git takes the last value of a key, and all values of a helper. */
export function effective(settings: readonly GitSetting[]): readonly GitSetting[] {
  const last = new Map(settings.map((one, i) => [one.key, i]))
  return settings.filter(({ key }, i) => key.startsWith('credential.') || last.get(key) === i)
}

/** Objects are fetched when they are needed. */
export function isPartial(settings: readonly GitSetting[]): boolean {
  return settings.some(({ key }) => key === 'extensions.partialclone' || key.endsWith('.promisor'))
}

/** The folder that hooks are taken from: the git dir's own, or what `core.hooksPath` means in the main worktree. */
export function hooksFolder(settings: readonly GitSetting[], root: string): string {
  const places = placesOf(root)
  const value = lastValue(settings, 'core.hookspath')
  if (value === undefined) return join(places.gitDir, 'hooks')
  return value === '' ? NO_HOOKS_FOLDER : mainCopy(value, places)
}

/** A path of the configuration in the main worktree; undefined where it leads into another worktree. */
function mainCopy(value: string, places: Places): string {
  const { root, linked } = places
  // git knows the homes of others
  if (/^(~[^/]|%\()/.test(value)) return value
  const path = value.startsWith('~') ? join(homedir(), value.slice(1)) : resolve(root, value)
  const real = realPath(path)
  const home = linked.find((folder) => isBelow(real, realPath(folder)))
  if (home === undefined) return path
  const copy = join(root, relative(realPath(home), real))
  return linked.some((folder) => isBelow(realPath(copy), realPath(folder))) ? NO_HOOKS_FOLDER : copy
}

/** The files of attributes that the user has beside those of a branch. */
export function ownAttributes(
  settings: readonly GitSetting[],
  root: string,
  env: NodeJS.ProcessEnv,
): readonly string[] {
  const value = lastValue(settings, 'core.attributesfile')
  if (value !== undefined && value !== '') return [mainCopy(value, placesOf(root))]
  return [join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'git', 'attributes'), '/etc/gitattributes']
}

/** `-c` options by which paths and filters that hang on the worktree mean the main worktree's copies. */
export function mainCopies(settings: readonly GitSetting[], root: string): readonly string[] {
  const places = placesOf(root)
  const paths = ['core.attributesfile', 'init.templatedir'].flatMap((key) => {
    const value = lastValue(settings, key)
    if (value === undefined || value === '') return []
    const copy = mainCopy(value, places)
    return copy === value || value.startsWith('~') ? [] : [`${key}=${copy}`]
  })
  const filters = effective(settings.filter(({ key }) => isFilter(key))).flatMap((one) => {
    const mended = mendedValue(one.value, places, () => false)
    // without a main worktree (a bare clone) there is no copy; a branch that is not HEAD's was refused before
    return mended === one.value || mended.includes(NO_HOOKS_FOLDER) ? [] : [`${one.key}=${mended}`]
  })
  return [...paths, ...filters].flatMap((setting) => ['-c', setting])
}

export interface Relative {
  readonly setting: GitSetting
  /** The words of it that the branch decides. */
  readonly words: readonly string[]
  /** The one line of configuration that mends it. */
  readonly mend: string
}

/** Those programs whose words the files of a branch decide; `isThere` tells the names at the top of its tree. */
export function relativePrograms(
  settings: readonly GitSetting[],
  root: string,
  isThere: (name: string) => boolean,
): readonly Relative[] {
  const places = placesOf(root)
  return effective(settings).flatMap((setting) => {
    const words = decidedWords(setting, places, isThere)
    if (words.length === 0) return []
    const mended = mendedValue(setting.value, places, isThere)
    const value = mended === setting.value ? '<absolute path of the program>' : shellWord(mended)
    const scope = ['global', 'system'].includes(setting.scope) ? ` --${setting.scope}` : ''
    return [{ setting, words, mend: `git config${scope} ${shellWord(setting.key)} ${value}` }]
  })
}

/** @param why how git comes to run it */
export function relativeProgram({ setting, words, mend }: Relative, branch: string, why: string): NexusError {
  const text = `git would run what ${branch} has as ${words.join(', ')} on this machine: ${why}, and ${setting.key} names it by a path in the worktree.`
  return new NexusError('UNSUPPORTED', text, {
    hint: `To have git run the main worktree's, run \`${mend}\``,
    details: { key: setting.key, value: setting.value, words },
  })
}

function decidedWords(
  { key, value }: GitSetting,
  places: Places,
  isThere: (name: string) => boolean,
): readonly string[] {
  const words = relativeWords(commandOf(key, value), isThere).map(({ text }) => text)
  const elsewhere = absoluteWords(value).filter((word) => mainCopy(word, places) !== word)
  return [...words, ...elsewhere]
}

/** Of a credential helper, `!` begins a command, and a path is a program; a name is one of git's own. */
function commandOf(key: string, value: string): string {
  return key.startsWith('credential.') ? value.replace(/^!/, '') : value
}

function mendedValue(value: string, places: Places, isThere: (name: string) => boolean): string {
  let mended = value
  const words = relativeWords(value, isThere).flatMap(({ text, path }) => (path === undefined ? [] : [text]))
  for (const word of new Set([...words, ...absoluteWords(value)])) {
    const copy = mainCopy(word, places)
    if (copy !== word && !word.includes('$')) mended = mended.replaceAll(wordPattern(word), () => shellWord(copy))
  }
  return mended
}

function absoluteWords(value: string): readonly string[] {
  return value.split(/[\s"'`<>=,;|&(){}]+/).filter((word) => word.startsWith('/'))
}

/** As a word alone, with the quotes around it. */
function wordPattern(word: string): RegExp {
  const text = escapePattern(word)
  return new RegExp(`(?<![\\w./-])(?:"${text}"|'${text}'|${text})(?![\\w./-])`, 'g')
}

/** Files in the main worktree that run as hooks, or that hooks lead to, from its top. */
export function hookFiles(folder: string, root: string): readonly string[] {
  const own = inTree(realPath(folder), root)
  // husky keeps what it starts one folder above
  const folders = own === undefined ? [] : [own, ...(own.endsWith('/_') ? [own.slice(0, -2)] : [])]
  const names = namesIn(folder).map((name) => join(folder, name))
  return [...new Set([...folders, ...[folder, ...names].flatMap((path) => pathsTo(path, root))])]
}

/** Files in the main worktree that hold a part of git's configuration, from its top. */
export function includedFiles(settings: readonly GitSetting[], root: string): readonly string[] {
  const { gitDir } = placesOf(root)
  return settings
    .filter(({ key }) => /^include(if\..*)?\.path$/.test(key))
    .flatMap(({ value }) =>
      value.startsWith('~/') ? [join(homedir(), value.slice(2))] : [resolve(gitDir, value), resolve(homedir(), value)],
    )
    .flatMap((path) => pathsTo(path, root))
}

/** Files in the main worktree that programs of a merge are, or are given, from its top. */
export function mergingFiles(settings: readonly GitSetting[], root: string): readonly string[] {
  return effective(settings.filter(({ key }) => isMerging(key))).flatMap(({ value }) => {
    const words = relativeWords(value, () => true).flatMap(({ path }) => path ?? [])
    return [...words, ...absoluteWords(value)].flatMap((word) => pathsTo(resolve(root, word), root))
  })
}

/** All of the main worktree that a path leads through, from its top: each link on the way, and where the path ends. */
function pathsTo(path: string, root: string): readonly string[] {
  const found = new Set<string>()
  const follow = (place: string, links: number): void => {
    const parts = place.split('/').filter((part) => part !== '')
    let here = '/'
    for (const [i, part] of parts.entries()) {
      const next = join(here, part)
      const link = links > LINKS_MAX ? undefined : linkAt(next)
      if (link !== undefined) {
        found.add(next)
        follow(join(resolve(here, link), ...parts.slice(i + 1)), links + 1)
        return
      }
      here = next
    }
    found.add(here)
  }
  follow(path, 0)
  return [...found].flatMap((one) => inTree(one, root) ?? [])
}

/** From the top of the main worktree; undefined for what does not lie there. */
function inTree(path: string, root: string): string | undefined {
  const [real, git] = [realPath(root), realPath(join(root, '.git'))]
  return isBelow(path, real) && path !== real && !isBelow(path, git) ? relative(real, path) : undefined
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // without such a folder there are no hooks
  }
}

/** Also for a missing file, or a link to nothing: a merge may bring the file. */
function realPath(path: string, links = 0): string {
  if (!isAbsolute(path)) return path
  try {
    return realpathSync(path)
  } catch {
    const parent = resolve(path, '..')
    const place = parent === path ? path : join(realPath(parent, links), path.slice(parent.length))
    const link = links > LINKS_MAX ? undefined : linkAt(place)
    return link === undefined ? place : realPath(resolve(place, '..', link), links + 1)
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined // it is no link
  }
}
