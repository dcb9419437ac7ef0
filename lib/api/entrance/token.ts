/**
 * The token of the API: 256 random bits in `run/api.token`, which only its owner can read. It is in no argument, no
 * environment, no URL and no log. A server looks at the file again when it changed, so that a rotation holds at once.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { HomePaths } from '../../core/paths.ts'
import { createExclusive } from '../../system/run-files.ts'
import { readIfPresent, statIfPresent, writeFileAtomic } from '../../system/store.ts'

const TOKEN = /^[A-Za-z0-9_-]{43}$/

export function tokenFile(home: HomePaths): string {
  return join(home.run, 'api.token')
}

/**
 * The token; made when there is none, and made anew when the one there is damaged, or is in a file that others could have read or written.
 * @throws {NexusError} INVALID_ARGUMENT when a folder is in its place
 */
export async function loadToken(home: HomePaths): Promise<string> {
  const file = tokenFile(home)
  for (;;) {
    const there = lstatSync(file, { throwIfNoEntry: false })
    if (there?.isDirectory()) throw notAFile(file)
    const isOwn = there?.isFile() && (there.mode & 0o077) === 0 && there.uid === (process.getuid?.() ?? there.uid)
    const text = isOwn ? (await readIfPresent(file))?.trim() : undefined
    if (text !== undefined && TOKEN.test(text)) return text
    if (there !== undefined) return rotateToken(home)
    if (await createExclusive(file, `${newToken()}\n`, 0o600)) continue
  }
}

function notAFile(file: string): NexusError {
  return new NexusError('INVALID_ARGUMENT', `${file} is a folder, and the token has to be a file there.`, {
    hint: `To have one made, remove the folder: \`rmdir ${file}\``,
  })
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
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}`
}
