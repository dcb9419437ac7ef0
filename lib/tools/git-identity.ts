/** Who commits, and how they are signed, as git's configuration has it. One call of git; nothing that it names is run. */
import type { RunOptions, RunResult } from '../system/exec.ts'

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

const KEYS = '^(user\\.(name|email|signingkey)|gpg\\.(format|ssh\\.defaultkeycommand)|(commit|tag)\\.gpgsign)$'

type Git = (repo: string, args: readonly string[], options: RunOptions) => Promise<RunResult>

export async function readIdentity(git: Git, repo: string, env: RunOptions['env']): Promise<AuthorIdentity> {
  const args = ['config', '-z', '--show-scope', '--get-regexp', KEYS]
  const { stdout } = await git(repo, args, { ...(env === undefined ? {} : { env }), okCodes: [0, 1] })
  const values = new Map<string, string>()
  let local = false
  const fields = stdout.split('\0')
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [key = '', ...value] = (fields[i + 1] ?? '').split('\n')
    if (key === 'user.signingkey') local = fields[i] === 'local' || fields[i] === 'worktree'
    const own = fields[i] === 'global' || fields[i] === 'system'
    // a key alone is true
    if (own || key !== 'gpg.ssh.defaultkeycommand') values.set(key, value.length === 0 ? 'true' : value.join('\n'))
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
