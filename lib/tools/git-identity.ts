/**
 * Reads git's configuration before Nexus changes a repository: author, signing, harmless settings that come along
 * inside, and the programs that git would run (`git-programs.ts`). One call of git; no program that it names is run.
 */
import type { RunResult } from '../system/exec.ts'
import { type GitSetting, PROGRAM_KEYS } from './git-programs.ts'
import { COMFORT_KEYS, type GitPair } from './git-settings.ts'

/** Of a signature by an SSH key. */
export interface SigningSettings {
  /** A path, a public key or `key::` and one; '' for none. */
  readonly key: string
  /**
   * The command that names the key (`gpg.ssh.defaultKeyCommand`); only from the user's own configuration, as it runs.
   */
  readonly command: string
  readonly commits: boolean
  readonly tags: boolean
  /** The repository's own configuration names the key. */
  readonly local: boolean
}

export interface AuthorIdentity {
  readonly name: string
  readonly email: string
  /** Absent where git signs otherwise, or not at all. */
  readonly signing?: SigningSettings
  /** It signs by a program, whose key stays on this machine; `local`: as the repository's own configuration says. */
  readonly program?: { readonly name: string; readonly local: boolean }
  /** Harmless settings of the user's own, such as aliases. */
  readonly comfort: readonly GitPair[]
}

const IDENTITY_KEYS = 'user\\.(name|email|signingkey)|gpg\\.(format|ssh\\.defaultkeycommand)|(commit|tag)\\.gpgsign'
const isComfort = new RegExp(`^(${COMFORT_KEYS})$`)
/** What git calls where `gpg.format` says so. */
const PROGRAMS: Readonly<Record<string, string>> = { '': 'OpenPGP', openpgp: 'OpenPGP', x509: 'X.509' }

/** @param git runs it in the repository; code 1 says that there is none of it */
export async function readIdentitySettings(
  git: (args: readonly string[]) => Promise<RunResult>,
): Promise<readonly GitSetting[]> {
  const { stdout } = await git([
    'config',
    '-z',
    '--show-scope',
    '--get-regexp',
    `^(${IDENTITY_KEYS}|${PROGRAM_KEYS}|${COMFORT_KEYS})$`,
  ])
  const fields = stdout.split('\0')
  return Array.from({ length: Math.floor(fields.length / 2) }, (_, i) => {
    const [key = '', ...value] = (fields[2 * i + 1] ?? '').split('\n')
    // a key alone is true
    return { scope: fields[2 * i] ?? '', key, value: value.length === 0 ? 'true' : value.join('\n') }
  })
}

/** The user's name and address for commits, '' where git has none. */
export function identityOf(settings: readonly GitSetting[]): AuthorIdentity {
  const values = new Map<string, string>()
  const locals = new Set<string>()
  for (const { scope, key, value } of settings) {
    if (!isOwn(scope)) locals.add(key)
    if (isOwn(scope) || key !== 'gpg.ssh.defaultkeycommand') values.set(key, value)
  }
  const at = (key: string) => values.get(key) ?? ''
  const comfort = settings.flatMap(({ scope, key, value }): readonly GitPair[] =>
    isOwn(scope) && isComfort.test(key) ? [[key, value]] : [],
  )
  const who = { name: at('user.name'), email: at('user.email'), comfort }
  const [key, command, format] = [at('user.signingkey'), at('gpg.ssh.defaultkeycommand'), at('gpg.format')]
  const [commits, tags] = [isTrue(at('commit.gpgsign')), isTrue(at('tag.gpgsign'))]
  if (format !== 'ssh') {
    const local = (commits && locals.has('commit.gpgsign')) || (tags && locals.has('tag.gpgsign'))
    return commits || tags ? { ...who, program: { name: PROGRAMS[format] ?? format, local } } : who
  }
  if (key === '' && command === '' && !commits && !tags) return who
  return { ...who, signing: { key, command, commits, tags, local: locals.has('user.signingkey') } }
}

function isOwn(scope: string): boolean {
  return scope === 'global' || scope === 'system'
}

/** As git reads a boolean. */
function isTrue(value: string): boolean {
  return /^(true|yes|on|[1-9]\d*)$/i.test(value)
}
