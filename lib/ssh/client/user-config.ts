/**
 * The user's own ssh configuration as a file: found where ssh looks, read as bytes, replaced in one step with its mode and owner, and
 * only while it is what was read. A link is followed, never replaced.
 */

import { type Stats, statSync } from 'node:fs'
import { readlink, realpath } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import { requirePlain } from '../../system/read.ts'
import { removeTree, statIfPresent, writeFileAtomic } from '../../system/store.ts'
import { explainReadError } from '../../system/temporary.ts'

/** More than this is no configuration that a person keeps; ssh reads it anew for every connection. */
const MAX_BYTES = 8 * 1024 * 1024
const LINKS_MAX = 40

export interface UserConfig {
  /** As ssh is told, or knows by itself. */
  readonly path: string
  /** Behind all links; it need not exist. */
  readonly target: string
  /** One character for each byte; undefined where there is no file. */
  readonly text: string | undefined
  readonly stats: Stats | undefined
}

/** The home of the user's entry in the system: ssh reads `~/.ssh` there, whatever HOME says. */
export function userHome(): string {
  try {
    return userInfo().homedir
  } catch (error) {
    throw new NexusError(
      'UNSUPPORTED',
      `The system has no user with the id ${process.getuid?.()}, so that ssh refuses to run.`,
      {
        hint: 'To see who you are, run `id`',
        cause: error,
      },
    )
  }
}

/** `~/.ssh/config` as ssh finds it. */
export function userConfigPath(): string {
  return join(userHome(), '.ssh', 'config')
}

/** @throws {NexusError} for what is no file, too large, not to be read, or a ring of links */
export async function readUserConfig(path: string): Promise<UserConfig> {
  const target = await followLinks(path)
  const stats = await statOf(target)
  if (stats === undefined) return { path, target, text: undefined, stats }
  if (!stats.isFile()) {
    throw new NexusError('CONFIG_INVALID', `${path} is not a file.`, {
      hint: `To see what it is, run \`ls -ld ${shellWord(path)}\``,
    })
  }
  if (stats.size > MAX_BYTES) {
    const size = `${Math.round(stats.size / 1024 / 1024)} MiB`
    throw new NexusError('CONFIG_INVALID', `${path} has ${size}, which is too large to be edited by Nexus.`, {
      hint: 'To put the line at its top yourself, see `nexus ssh-config print`',
    })
  }
  return { path, target, text: requirePlain(target, { maxBytes: MAX_BYTES })?.toString('latin1'), stats }
}

async function statOf(target: string): Promise<Stats | undefined> {
  try {
    return await statIfPresent(target)
  } catch (error) {
    throw explainReadError(error, target)
  }
}

async function followLinks(path: string): Promise<string> {
  let at = path
  for (let count = 0; count < LINKS_MAX; count++) {
    try {
      return await realpath(at)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ELOOP') break
      if (code === 'ENOTDIR') throw notAFolder(path)
      if (code !== 'ENOENT') throw explainReadError(error, path)
    }
    const next = await readlink(at).catch(() => undefined) // no link: simply not there
    if (next === undefined) return at
    at = resolve(dirname(at), next)
  }
  throw new NexusError('CONFIG_INVALID', `${path} is a ring of links.`, {
    hint: `To see it, run \`ls -l ${shellWord(path)}\``,
  })
}

function notAFolder(path: string): NexusError {
  return new NexusError('CONFIG_INVALID', `${path} cannot be there: what should be its folder is none.`, {
    hint: `To see what it is, run \`ls -ld ${shellWord(dirname(path))}\``,
  })
}

/**
 * Fails for a file that is not the user's to change: one that is read-only, as those that a system writes are, or another user's.
 * @throws {NexusError} PERMISSION_DENIED with `hint`
 */
export function requireWritable({ path, target, stats }: UserConfig, hint: string): void {
  if (stats === undefined) return
  const refuse = (what: string) => {
    const where = target === path ? path : `${path} leads to ${target}, which`
    throw new NexusError('PERMISSION_DENIED', `${where} ${what}.`, { hint })
  }
  const uid = process.getuid?.() ?? stats.uid
  if ((stats.mode & 0o222) === 0) refuse('is read-only')
  if (uid !== 0 && stats.uid !== uid) refuse('belongs to another user')
}

/** It was changed by somebody else since it was read. */
export class Changed extends Error {}

/**
 * Writes new text, `undefined` for no file.
 * @throws {Changed} when it is no more what was read, and is left so
 */
export async function replaceUserConfig(config: UserConfig, text: string | undefined): Promise<void> {
  const { target, stats } = config
  const check = () => {
    const now = statSync(target, { throwIfNoEntry: false })
    if (identityOf(now) !== identityOf(stats)) throw new Changed()
  }
  if (text === undefined) {
    check()
    return removeTree(target)
  }
  const mode = stats === undefined ? 0o600 : stats.mode & 0o7777
  const isOwn = stats === undefined || (stats.uid === process.getuid?.() && stats.gid === process.getgid?.())
  await writeFileAtomic(target, Buffer.from(text, 'latin1'), mode, check, isOwn ? undefined : stats)
}

function identityOf(stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
}
