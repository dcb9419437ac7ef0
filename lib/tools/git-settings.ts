/**
 * Which keys of a git configuration are harmless: they say how files and refs are meant and name no program. Whatever
 * is not listed here reaches neither a look at a workspace's tree nor a private git dir. Reading a configuration runs
 * nothing.
 */
import type { Runner } from '../system/exec.ts'

export type GitPair = readonly [key: string, value: string]

/** How the files of a worktree are to be read, and the format of the repository. */
const TREE = [
  /^core\.(autocrlf|eol|filemode|symlinks|ignorecase|precomposeunicode|trustctime|checkstat)$/,
  /^core\.(sparsecheckout|sparsecheckoutcone|bigfilethreshold|protecthfs|protectntfs)$/,
  /^index\.sparse$/,
]
const FORMAT = /^extensions\.(objectformat|refstorage)$/
/** Files of the user's own, taken from the user's own configuration alone. */
const OWN = /^core\.(excludesfile|attributesfile)$/
/** What makes work go on as it does in the repository: who, to where, and how branches are combined. */
const WORK = [
  /^user\.(name|email)$/,
  /^remote\..+\.(url|pushurl|fetch|tagopt|promisor|partialclonefilter)$/,
  /^(remote\.pushdefault|extensions\.partialclone)$/,
  /^branch\..+\.(remote|merge|rebase|pushremote)$/,
  /^(pull\.(rebase|ff)|push\.(default|autosetupremote|followtags)|merge\.(ff|conflictstyle)|rebase\.(autostash|autosquash))$/,
  /^(init\.defaultbranch|log\.date|lfs\.url)$/,
]

/** The user's settings that git inside gets, as a pattern for `git config --get-regexp`; any git takes them. */
export const COMFORT_KEYS = [
  'alias\\..+',
  'core\\.excludesfile',
  'pull\\.(rebase|ff)',
  'push\\.(default|autosetupremote|followtags)',
  'rebase\\.(autostash|autosquash)',
  'fetch\\.prune',
  'commit\\.verbose',
  'init\\.defaultbranch',
  '(branch|tag)\\.sort',
  'column\\.ui',
].join('|')

export const isTreeKey = (key: string): boolean => TREE.some((pattern) => pattern.test(key))
export const isFormatKey = (key: string): boolean => FORMAT.test(key)
export const isOwnKey = (key: string): boolean => OWN.test(key) || isTreeKey(key)
export const isWorkKey = (key: string): boolean => WORK.some((pattern) => pattern.test(key))

/** The entries of one file; none when there is none. Includes are not followed. */
export async function readSettings(runner: Runner, file: string): Promise<readonly GitPair[]> {
  const argv = ['git', '-C', '/', 'config', '--file', file, '--no-includes', '-z', '--list']
  const { stdout, code } = await runner.run(argv, { okCodes: 'any' })
  return code === 0 ? parseSettings(stdout) : []
}

/** The user's own and the machine's, with what they include. */
export async function readOwnSettings(runner: Runner): Promise<readonly GitPair[]> {
  const argv = ['git', '-C', '/', 'config', '-z', '--list', '--show-scope']
  const { stdout, code } = await runner.run(argv, { okCodes: 'any', env: { GIT_DIR: '/dev/null' } })
  if (code !== 0) return []
  const fields = stdout.split('\0')
  return fields.flatMap((scope, i) =>
    i % 2 === 0 && ['system', 'global'].includes(scope) ? parseSettings(`${fields[i + 1] ?? ''}\0`) : [],
  )
}

/** Of `git config -z --list`: a key in lower case but for its middle, a line break, the value. A key alone is true. */
export function parseSettings(text: string): readonly GitPair[] {
  return text
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const at = entry.indexOf('\n')
      return at < 0 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)]
    })
}

/** Text of a configuration file with these entries. */
export function formatSettings(entries: readonly GitPair[]): string {
  return entries
    .map(([key, value], i) => {
      const [own, last] = [header(key), header(entries[i - 1]?.[0] ?? '.')]
      return `${own === last ? '' : `${own}\n`}\t${key.split('.').at(-1)} = ${quote(value)}\n`
    })
    .join('')
}

function header(key: string): string {
  const [first, last] = [key.indexOf('.'), key.lastIndexOf('.')]
  return first === last ? `[${key.slice(0, first)}]` : `[${key.slice(0, first)} ${quote(key.slice(first + 1, last))}]`
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
