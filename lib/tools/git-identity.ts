/**
 * What Nexus has to know of git's configuration before it changes a repository: who commits, how they are signed, and what
 * git would run (`git-programs.ts`). One call of git; nothing that it names is run.
 */
import type { RunResult } from '../system/exec.ts'
import { PROGRAM_KEYS, type Setting } from './git-programs.ts'

/** Of a signature by an SSH key. */
export interface SigningSettings {
  /** A path, a public key or `key::` and one; '' for none. */
  readonly key: string
  /** What tells the key where none is named; only from the user's own configuration, as it is run. */
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
}

const IDENTITY_KEYS = 'user\\.(name|email|signingkey)|gpg\\.(format|ssh\\.defaultkeycommand)|(commit|tag)\\.gpgsign'

/** @param git runs it in the repository; code 1 says that there is none of it */
export async function readSettings(git: (args: readonly string[]) => Promise<RunResult>): Promise<readonly Setting[]> {
  const { stdout } = await git(['config', '-z', '--show-scope', '--get-regexp', `^(${IDENTITY_KEYS}|${PROGRAM_KEYS})$`])
  const fields = stdout.split('\0')
  return Array.from({ length: Math.floor(fields.length / 2) }, (_, i) => {
    const [key = '', ...value] = (fields[2 * i + 1] ?? '').split('\n')
    // a key alone is true
    return { scope: fields[2 * i] ?? '', key, value: value.length === 0 ? 'true' : value.join('\n') }
  })
}

/** The user's name and address for commits, '' where git has none. */
export function identityOf(settings: readonly Setting[]): AuthorIdentity {
  const values = new Map<string, string>()
  let local = false
  for (const { scope, key, value } of settings) {
    if (key === 'user.signingkey') local = scope === 'local' || scope === 'worktree'
    const own = scope === 'global' || scope === 'system'
    if (own || key !== 'gpg.ssh.defaultkeycommand') values.set(key, value)
  }
  const at = (key: string) => values.get(key) ?? ''
  const who = { name: at('user.name'), email: at('user.email') }
  const [key, command] = [at('user.signingkey'), at('gpg.ssh.defaultkeycommand')]
  if (at('gpg.format') !== 'ssh') return who
  const [commits, tags] = [isTrue(at('commit.gpgsign')), isTrue(at('tag.gpgsign'))]
  if (key === '' && command === '' && !commits && !tags) return who
  return { ...who, signing: { key, command, commits, tags, local } }
}

/** As git reads a boolean. */
function isTrue(value: string): boolean {
  return /^(true|yes|on|[1-9]\d*)$/i.test(value)
}
