/**
 * Where secrets lie while a workspace runs: on a file system in memory, in a folder that only the user can enter, mounted file
 * by file into the services that get them. Gone with a stop, a delete, or the machine's end.
 */
import { existsSync, lstatSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256 } from '../../core/digest.ts'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { makeFolder, readIfPresent, removeIfEmpty, removeTree, writeFileAtomic } from '../../system/store.ts'
import type { BackendContext } from '../context.ts'

const MEMORY = '/dev/shm'

export function secretFolder({ home }: BackendContext, record: WorkspaceRecord): string {
  const own = `nexus-${process.getuid?.() ?? 0}-${sha256(home.home).slice(0, 8)}`
  return join(MEMORY, own, record.id)
}

/** Readable by whoever runs in the services; the folder above is the user's alone. */
export async function fillSecrets(folder: string, secrets: ReadonlyMap<string, string> | undefined): Promise<void> {
  if (secrets === undefined || secrets.size === 0) return
  if (!existsSync(MEMORY)) {
    throw new NexusError('UNSUPPORTED', `There is no file system in memory at ${MEMORY} to keep secrets in.`, {
      hint: `To have one, run \`sudo mount -t tmpfs tmpfs ${MEMORY}\``,
    })
  }
  await makeFolder(dirname(folder), 0o700)
  requireOwn(dirname(folder))
  await removeTree(folder)
  await makeFolder(folder, 0o700)
  for (const [name, value] of secrets) await writeFileAtomic(join(folder, name), value, 0o444)
}

/** What lies there now. */
export async function readSecretFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  if (!existsSync(folder)) return new Map()
  requireOwn(dirname(folder))
  const names = await readdir(folder)
  const entries = await Promise.all(names.map(async (name) => [name, await readIfPresent(join(folder, name))] as const))
  return new Map(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/** With the folder of this home, when nothing else is in it. */
export async function removeSecrets(folder: string): Promise<void> {
  await removeTree(folder)
  await removeIfEmpty(dirname(folder))
}

/** Anybody may make folders there: one of our name that is not ours is no place for a secret. */
function requireOwn(folder: string): void {
  const stat = lstatSync(folder)
  if (stat.isDirectory() && stat.uid === (process.getuid?.() ?? 0) && (stat.mode & 0o077) === 0) return
  throw new NexusError('PERMISSION_DENIED', `${folder} belongs to somebody else, so no secret is kept there.`, {
    hint: `To see whose it is, run \`ls -ld ${folder}\``,
  })
}
