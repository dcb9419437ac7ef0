/**
 * A key pair that is exchanged for a new one. The new one lies beside it as `<path>.next`, and takes its place in two steps, of which
 * the first decides: whoever finds it half done knows which of both holds. What reads public keys counts `next` as good, so nobody is
 * kept out at any moment.
 */
import { existsSync } from 'node:fs'
import { NexusError } from '../../core/errors.ts'
import { CommandFailed } from '../../system/exec.ts'
import { readIfPresent, removeTree, renameInto, writeFileAtomic } from '../../system/store.ts'
import type { createSsh } from '../../tools/ssh.ts'

export const OWN_KEY_LOST = { hint: 'To have a new one in all workspaces, run `nexus keys rotate --own`' }

export const nextOf = (path: string): string => `${path}.next`

/** Makes the new pair. */
export async function makeNext(ssh: ReturnType<typeof createSsh>, path: string, comment: string): Promise<void> {
  await finishPair(path)
  await ssh.makeKey(nextOf(path), comment)
}

/** From here on the new one holds. */
export async function takeNext(path: string): Promise<void> {
  await renameInto(nextOf(path), path)
  await renameInto(`${nextOf(path)}.pub`, `${path}.pub`)
}

/** False after an exchange that was cut off. */
export function isSettled(path: string): boolean {
  return ![nextOf(path), `${nextOf(path)}.pub`, `${path}.old.pub`].some(existsSync)
}

/** Ends what was cut off: back where nothing was decided yet, else forward. */
export async function finishPair(path: string): Promise<void> {
  const next = nextOf(path)
  if (existsSync(next)) {
    await removeTree(`${next}.pub`)
    await removeTree(next)
  } else if (existsSync(`${next}.pub`)) await renameInto(`${next}.pub`, `${path}.pub`)
}

interface Lost {
  /** What to do where the private half cannot be read. */
  readonly hint: string
}

/**
 * Makes the pair where it is missing; returns the public half.
 * @throws {NexusError} as `restorePublic` does
 */
export async function ensurePair(
  ssh: ReturnType<typeof createSsh>,
  path: string,
  { comment, hint }: Lost & { readonly comment: string },
): Promise<string> {
  await finishPair(path)
  await restorePublic(ssh, path, { hint })
  if (!existsSync(`${path}.pub`)) await ssh.makeKey(path, comment)
  return (await readIfPresent(`${path}.pub`)) ?? ''
}

/**
 * Makes a public half that alone was lost anew from the private one.
 * @throws {NexusError} CONFIG_INVALID when that cannot be read
 */
export async function restorePublic(ssh: ReturnType<typeof createSsh>, path: string, { hint }: Lost): Promise<void> {
  if (existsSync(`${path}.pub`) || !existsSync(path)) return
  try {
    await writeFileAtomic(`${path}.pub`, await ssh.publicHalf(path), 0o644)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const message = `${path}.pub is missing, and ssh-keygen cannot read ${path} to make it anew.`
    throw new NexusError('CONFIG_INVALID', message, { hint, output: error.result.stderr, cause: error })
  }
}
