/**
 * What ssh makes of a host name, asked of ssh itself (`ssh -G`, which connects to nothing): whether it reads the user's configuration at
 * all, whether that brings Nexus's file in, and where the user's own settings change what an alias needs.
 */
import { NexusError } from '../../core/errors.ts'
import type { HomePaths } from '../../core/paths.ts'
import type { Runner, RunResult } from '../../system/exec.ts'
import { PROBE_KEY, probeHost } from './alias-file.ts'
import { type Section, sectionsOf } from './include-line.ts'

const TIMEOUT_MS = 10_000

/** Words before the host; `-F file` for another file than the user's own. */
export type SshWords = readonly string[]

export interface ResolvedHost {
  /** Keyword in lower case -> its values, in ssh's order. */
  readonly values: ReadonlyMap<string, readonly string[]>
  /** What ssh said when it refused the configuration. */
  readonly refusal: string | undefined
}

export async function resolveHost(runner: Runner, words: SshWords, host: string): Promise<ResolvedHost> {
  const argv = ['ssh', '-G', ...words, '--', host]
  const { code, stdout, stderr } = await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS }).catch(tooSlow)
  const values = new Map<string, readonly string[]>()
  for (const line of stdout.split('\n')) {
    const [, key = '', value = ''] = /^(\S+) (.*)$/.exec(line) ?? []
    if (key !== '') values.set(key, [...(values.get(key) ?? []), value])
  }
  return { values, refusal: code === 0 ? undefined : firstWord(stderr, code) }
}

function tooSlow(error: unknown): RunResult {
  if (!(error instanceof NexusError) || error.code !== 'TIMEOUT') throw error
  const seconds = TIMEOUT_MS / 1000
  return {
    code: 1,
    stdout: '',
    stderr: `it is not read within ${seconds} s; a command of a \`Match exec\` may take that long`,
  }
}

/** Without what ssh says of its own streams. */
function firstWord(stderr: string, code: number): string {
  const said = stderr.split('\n').find((line) => /\S/.test(line) && !line.startsWith('Pseudo-terminal'))
  return (said ?? `ssh ended with code ${code}`).trim()
}

export interface Probe {
  readonly refusal: string | undefined
  readonly included: boolean
}

export async function probe(runner: Runner, words: SshWords, home: HomePaths): Promise<Probe> {
  // a name that no server knows is no fault of the configuration, where that looks names up
  const { values, refusal } = await resolveHost(runner, ['-o', 'CanonicalizeHostname=no', ...words], probeHost(home))
  return { refusal, included: values.get('hostkeyalias')?.[0] === PROBE_KEY }
}

export interface Clash {
  /** Such as `feature-auth.nexus`, or the raw line's `nexus@localhost -p 32800`. */
  readonly host: string
  readonly key: string
  readonly actual: string
  readonly needed: string
  /** Where the user's file says so, as far as that can be told. */
  readonly line: number | undefined
  readonly section: string | undefined
}

/** Without one of these as Nexus has it, a connection fails, goes elsewhere, or is not verified. */
const NEEDED = [
  ...[
    'hostname',
    'port',
    'user',
    'hostkeyalias',
    'userknownhostsfile',
    'globalknownhostsfile',
    'stricthostkeychecking',
  ],
  ...['hostkeyalgorithms', 'identityfile', 'proxycommand', 'proxyjump', 'pubkeyauthentication', 'addressfamily'],
  ...['remotecommand', 'sessiontype', 'updatehostkeys', 'addkeystoagent', 'knownhostscommand'],
]
/** What a setting was called before OpenSSH 8.5, which every version still takes. */
const OLD_NAMES: Readonly<Record<string, string>> = { pubkeyacceptedalgorithms: 'pubkeyacceptedkeytypes' }
/** Lists from which one word is needed; not set, ssh's own list has it. */
const NEEDED_IN = [
  ['preferredauthentications', 'publickey'],
  ['pubkeyacceptedalgorithms', 'ssh-ed25519'],
] as const
/** No workspace has it. */
const OTHER_PORT = '1'
const UNSET = new Set(['', 'none'])

export interface SshTarget {
  /** As people type it. */
  readonly name: string
  readonly host: string
  readonly words: SshWords
}

/** Compares what the user's configuration makes of a host with what Nexus's own alone does. */
export async function findClashes(
  runner: Runner,
  target: SshTarget,
  files: { readonly user: SshWords; readonly own: string; readonly text: string },
): Promise<readonly Clash[]> {
  const [actual, needed] = await Promise.all([
    resolveHost(runner, [...files.user, ...target.words], target.host),
    resolveHost(runner, ['-F', files.own, ...target.words], target.host),
  ])
  if (actual.refusal !== undefined || needed.refusal !== undefined) return []
  const sections = sectionsOf(files.text).filter((section) => applies(section, target.host))
  const clash = (key: string, is: readonly string[], should: string): Clash => {
    const source = sections.flatMap((section) => section.sets.map((set) => ({ ...set, section })))
    const found = source.find((set) => set.key === key || set.key === OLD_NAMES[key])
    const section = found?.section.line === 0 ? undefined : found?.section.text
    return { host: target.name, key, actual: is.join(' ') || 'not set', needed: should, line: found?.line, section }
  }
  const clashes = NEEDED.flatMap((key) => {
    const [is, should] = [actual.values.get(key) ?? [], needed.values.get(key) ?? []]
    return agree(key, is, should) ? [] : [clash(key, is, should.join(' ') || 'not set')]
  })
  const lists = NEEDED_IN.flatMap(([key, word]) => {
    const is = actual.values.get(key)
    return is === undefined || is.some((value) => value.split(',').includes(word))
      ? []
      : [clash(key, is, `${word} among others`)]
  })
  const ownPath = needed.values.get('controlpath')?.[0]
  const shared = (await sharesConnections(runner, actual, ownPath, files.user, target))
    ? [clash('controlpath', actual.values.get('controlpath') ?? [], 'one for each port, as with %C')]
    : []
  return [...clashes, ...lists, ...shared]
}

/**
 * All workspaces are this machine, each at its port: without it in a path that stands before Nexus's own, one's open connection would be
 * taken for another's.
 */
async function sharesConnections(
  runner: Runner,
  { values }: ResolvedHost,
  ownPath: string | undefined,
  user: SshWords,
  { words, host }: SshTarget,
): Promise<boolean> {
  const path = values.get('controlpath')?.[0] ?? ''
  if (UNSET.has(path) || path === ownPath || (values.get('controlmaster')?.[0] ?? 'false') === 'false') return false
  const other = await resolveHost(
    runner,
    [...user, '-p', OTHER_PORT, ...words.filter((_, i) => words[i - 1] !== '-p' && words[i] !== '-p')],
    host,
  )
  return other.values.get('controlpath')?.[0] === path
}

/** Identity files add up; everything else is one's or the other's. */
function agree(key: string, is: readonly string[], should: readonly string[]): boolean {
  if (key === 'identityfile') return should.every((value) => is.includes(value))
  const [a, b] = [is.join(' '), should.join(' ')]
  return a === b || (UNSET.has(a) && UNSET.has(b))
}

/** For a `Match`, which only ssh can judge, as far as its words about the host go. */
function applies({ word, words }: Section, host: string): boolean {
  if (word === 'host') return matchesPatterns(words, host)
  const patterns = hostsOfMatch(words)
  return patterns.length === 0 || matchesPatterns(patterns, host)
}

function hostsOfMatch(words: readonly string[]): readonly string[] {
  return words.flatMap((one, i) => {
    const [, key = '', value] = /^(host|originalhost)(?:=(.*))?$/i.exec(one) ?? []
    return key === '' ? [] : (value ?? words[i + 1] ?? '').split(',')
  })
}

/** Sections of the user's that speak of Nexus's names in particular. */
export function sectionsAbout(text: string, aliases: readonly string[]): readonly Section[] {
  return sectionsOf(text).filter(({ word, words }) => {
    const patterns = word === 'host' ? words : hostsOfMatch(words)
    const named = patterns.filter((pattern) => !/^!|^\*$/.test(pattern))
    return named.some(
      (pattern) => /\.nexus$/i.test(pattern) || aliases.some((alias) => matchesPatterns([pattern], alias)),
    )
  })
}

function matchesPatterns(patterns: readonly string[], host: string): boolean {
  const fits = (pattern: string) => {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    return new RegExp(`^${source}$`, 'i').test(host)
  }
  const refused = patterns.some((one) => one.startsWith('!') && fits(one.slice(1)))
  return !refused && patterns.some((one) => !one.startsWith('!') && fits(one))
}
