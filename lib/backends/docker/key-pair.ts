/**
 * A key pair that is exchanged for a new one. The new one lies beside it as `<path>.next`, and takes its place in two steps, of which
 * the first decides: whoever finds it half done knows which of both holds. What reads public keys counts `next` as good, so nobody is
 * kept out at any moment.
 */
import { existsSync } from 'node:fs'
import { removeTree, renameInto } from '../../system/store.ts'
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
