/**
 * Which keys of the agent may be used from inside, as `ssh.agent_keys` names them: a fingerprint, a file with the public key, or the
 * comment that `ssh-add -l` shows. A comment may be a path too: a word counts as a file only where there is one.
 */

import { homedir } from 'node:os'
import { join } from 'node:path'
import { readPlain } from '../../system/read.ts'
import { parsePublicKeys } from '../../tools/public-keys.ts'
import { fingerprintOf, type Identity } from './agent-protocol.ts'

/** Of an ordinary public key file. */
const KEY_FILE_MAX = 64 * 1024

export interface AllowedKeys {
  readonly fingerprints: ReadonlySet<string>
  readonly comments: ReadonlySet<string>
}

/** Undefined for no words: every key is allowed. */
export async function resolveAgentKeys(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<AllowedKeys | undefined> {
  if (words.length === 0) return undefined
  const fingerprints = new Set(words.filter((word) => word.startsWith('SHA256:')))
  const comments = new Set(words.filter((word) => !fingerprints.has(word)))
  for (const word of [...comments]) {
    for (const line of await keysOfFile(word, env)) {
      fingerprints.add(fingerprintOf(Buffer.from(line.split(' ')[1] ?? '', 'base64')))
      comments.delete(word)
    }
  }
  return { fingerprints, comments }
}

async function keysOfFile(word: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const path = word.startsWith('~/') ? join(env.HOME ?? homedir(), word.slice(2)) : word
  if (!path.startsWith('/')) return []
  for (const file of path.endsWith('.pub') ? [path] : [`${path}.pub`, path]) {
    // not there, or not to be read: then it is a comment
    const keys = parsePublicKeys(readPlain(file, { maxBytes: KEY_FILE_MAX })?.toString() ?? '')
    if (keys.length > 0) return keys
  }
  return []
}

export function isAllowed({ fingerprints, comments }: AllowedKeys, { blob, comment }: Identity): boolean {
  return comments.has(comment.toString('utf8')) || fingerprints.has(fingerprintOf(blob))
}
