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

/**
 * Makes the pair where it is missing, and a public half that alone was lost anew from the private one; returns the public half.
 * @throws {NexusError} CONFIG_INVALID, with `hint`, when it is lost and the private one cannot be read
 */
export async function ensurePair(
  ssh: ReturnType<typeof createSsh>,
  path: string,
  { comment, hint }: { readonly comment: string; readonly hint: string },
): Promise<string> {
  await finishPair(path)
  const present = await readIfPresent(`${path}.pub`)
  if (present !== undefined) return present
  if (existsSync(path)) await writeFileAtomic(`${path}.pub`, await readPublicHalf(ssh, path, hint), 0o644)
  else await ssh.makeKey(path, comment)
  return (await readIfPresent(`${path}.pub`)) ?? ''
}

async function readPublicHalf(ssh: ReturnType<typeof createSsh>, path: string, hint: string): Promise<string> {
  try {
    return await ssh.publicHalf(path)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const message = `${path}.pub is missing, and ssh-keygen cannot read ${path} to make it anew.`
    throw new NexusError('CONFIG_INVALID', message, { hint, output: error.result.stderr, cause: error })
  }
}
