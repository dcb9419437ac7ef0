/**
 * The token of the API: 256 random bits in `run/api.token`, which only its owner can read. It is in no argument, no
 * environment, no URL and no log. A server looks at the file again when it changed, so that a rotation holds at once.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import type { HomePaths } from '../core/paths.ts'
import { createExclusive } from '../system/run-files.ts'
import { readIfPresent, statIfPresent, writeFileAtomic } from '../system/store.ts'

const TOKEN = /^[A-Za-z0-9_-]{43}$/

export function tokenFile(home: HomePaths): string {
  return join(home.run, 'api.token')
}

/** The token; made when there is none. */
export async function loadToken(home: HomePaths): Promise<string> {
  const file = tokenFile(home)
  for (;;) {
    const text = (await readIfPresent(file))?.trim()
    if (text !== undefined && TOKEN.test(text)) return text
    if (text !== undefined) return rotateToken(home) // damaged: nobody knows it
    if (await createExclusive(file, `${newToken()}\n`, 0o600)) continue
  }
}

/** Makes another one; the old one is worth nothing from now on. */
export async function rotateToken(home: HomePaths): Promise<string> {
  const token = newToken()
  await writeFileAtomic(tokenFile(home), `${token}\n`, 0o600)
  return token
}

function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Compares with the token as it is on the disk now. */
export async function createTokenCheck(
  home: HomePaths,
): Promise<{ isToken(given: string): boolean; refresh(): Promise<void> }> {
  let digest = digestOf(await loadToken(home))
  let seen = await versionOf(home)
  return {
    isToken: (given) => timingSafeEqual(digestOf(given), digest),
    refresh: async () => {
      const now = await versionOf(home)
      if (now === seen) return
      digest = digestOf(await loadToken(home))
      seen = await versionOf(home)
    },
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

async function versionOf(home: HomePaths): Promise<string> {
  const stat = await statIfPresent(tokenFile(home))
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`
}
