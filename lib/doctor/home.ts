/** Checks of NEXUS_HOME: its modes, temporary files of killed processes, locks without a holder. */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { isWorkspaceId, type WorkspaceId } from '../core/names.ts'
import { workspacePaths } from '../core/paths.ts'
import { shellWord } from '../core/shell.ts'
import { isNewer, parseRecord } from '../record/reader.ts'
import { withLock } from '../system/lock.ts'
import { removeTree, restrict } from '../system/store.ts'
import { isAbandoned } from '../system/temporary.ts'
import type { App } from '../workspace/app.ts'
import { findFiles, peekJson, type Scan } from './scan.ts'

/** A holder renews its lock each second. */
const LOCK_STALE_MS = 10_000
const LOCK_WAIT_MS = 5_000

interface Guarded {
  readonly path: string
  readonly mode: number
  /** Another user who may own it. */
  readonly uid?: number | undefined
}

export async function checkOwnership({ app, ids, records }: Scan): Promise<readonly Diagnosis[]> {
  const { home } = app
  // root gives a workspace's host key to the user inside, as whom the server there reads it
  const uidOf = (id: string) =>
    process.getuid?.() === 0 ? records.find((one) => one.id === id)?.docker?.uid : undefined
  const keys = [...ids].map((id) => ({ path: workspacePaths(home, id).hostKey, mode: 0o600, uid: uidOf(id) }))
  const guarded: readonly Guarded[] = [{ path: home.home, mode: 0o700 }, { path: home.sshKey, mode: 0o600 }, ...keys]
  const found = guarded.filter(({ path }) => existsSync(path)).flatMap(judgeGuarded)
  return found.length > 0 ? found : [well(`${home.home} is yours alone`)]
}

function judgeGuarded({ path, mode, uid }: Guarded): readonly Diagnosis[] {
  const stat = statSync(path)
  if (process.getuid !== undefined && stat.uid !== process.getuid() && stat.uid !== uid) {
    return [
      failure({
        message: `${path} belongs to user ${stat.uid}, not to you.`,
        why: 'What another user owns, that user can change: keys, and what runs in your workspaces.',
        hint: `To take it over, run \`sudo chown -R $(id -u):$(id -g) ${shellWord(path)}\``,
      }),
    ]
  }
  if ((stat.mode & 0o077) === 0) return []
  return [
    failure({
      message: `${path} can be read by others (mode ${(stat.mode & 0o777).toString(8)}).`,
      why: 'Keys and tokens in it let whoever reads them into your workspaces.',
      hint: `To close it, run \`chmod ${mode.toString(8)} ${shellWord(path)}\``,
      fix: () => restrict(path, mode),
    }),
  ]
}

/** Reads state files directly: the ordinary readers would set damaged files aside. */
export async function checkStateFiles(scan: Scan): Promise<readonly Diagnosis[]> {
  const { home } = scan.app.home
  const temporary = findFiles(home, isAbandoned)
  const damaged = findFiles(home, (name) => name.includes('.damaged-'))
  const found = [
    ...(temporary.length === 0 ? [] : [judgeTemporary(temporary)]),
    ...stateFiles(scan).flatMap(judgeState),
    ...damaged.map(judgeDamaged),
  ]
  return found.length > 0 ? found : [well('all state files are whole')]
}

function judgeTemporary(paths: readonly string[]): Diagnosis {
  const more = paths.length === 1 ? '' : ` and ${paths.length - 1} more`
  return warning({
    message: `A file was never finished: ${paths[0]}${more}.`,
    why: 'A process was killed while it wrote; what it would have replaced is whole.',
    hint: 'To remove it, run `nexus doctor --fix`',
    fix: async () => {
      for (const path of paths) await removeTree(path)
    },
  })
}

interface StateFile {
  readonly path: string
  /** Of the workspace whose record it is. */
  readonly id?: WorkspaceId
  readonly fix?: () => Promise<unknown>
}

function stateFiles({ app, ids }: Scan): readonly StateFile[] {
  const { home } = app
  return [
    { path: home.leases, fix: async () => (await app.leases()).list() },
    { path: home.subnets, fix: async () => (await app.subnets()).list() },
    { path: home.approvals },
    ...[...ids].map((id) => ({ path: workspacePaths(home, id).record, id })),
  ]
}

function judgeState({ path, id, fix }: StateFile): readonly Diagnosis[] {
  if (!existsSync(path)) return []
  const data = peekJson(path) as { readonly schema?: unknown } | undefined
  const isVersioned = typeof data?.schema === 'number'
  if (isVersioned && (id === undefined || isNewer(data) || parseRecord(data, id) !== undefined)) return []
  const rebuild = fix === undefined ? undefined : async () => void (await fix())
  return [
    failure({
      message: `${path} is damaged.`,
      why:
        id !== undefined
          ? 'Nexus does not know this workspace any more; its worktree, its containers and its ports are kept.'
          : 'The next command sets it aside and goes on without it.',
      hint:
        id !== undefined
          ? `To give the workspace up but for its worktree, run \`rm -r ${shellWord(dirname(path))}\`, then \`nexus doctor --fix\``
          : fix === undefined
            ? `To look at it, run \`cat ${shellWord(path)}\``
            : "To build it again from the workspaces' records, run `nexus doctor --fix`",
      fix: rebuild,
    }),
  ]
}

/** Copies that were set aside. Where the record itself is missing, the copy is all that is known of its workspace. */
function judgeDamaged(path: string): Diagnosis {
  const original = path.replace(/\.damaged-.*$/, '')
  const isLast = isWorkspaceId(basename(dirname(path))) && !existsSync(original)
  if (!isLast) {
    return warning({
      message: `${path} was damaged and set aside; ${basename(original)} was built again.`,
      why: 'It is kept for you to look at, and is of no use to Nexus.',
      hint: 'To remove it, run `nexus doctor --fix`',
      fix: () => removeTree(path),
    })
  }
  return failure({
    message: `The record of ${basename(dirname(path))} was damaged and set aside as ${path}.`,
    why: 'Nexus does not know this workspace any more; its worktree, its containers and its ports are kept.',
    hint: `To give the workspace up but for its worktree, run \`rm -r ${shellWord(dirname(path))}\`, then \`nexus doctor --fix\``,
  })
}

export async function checkLocks({ app, records }: Scan): Promise<readonly Diagnosis[]> {
  const repositories = [...new Set(records.flatMap(({ local }) => (local === null ? [] : [local.gitDir])))]
  const locks = [
    ...findFiles(app.home.home, (name) => name.endsWith('.lock')),
    ...repositories.map((dir) => join(dir, 'nexus-worktrees.lock')),
  ].filter((path) => existsSync(path) && statSync(path).isDirectory())
  const stale = locks.filter((path) => Date.now() - statSync(path).mtimeMs > LOCK_STALE_MS)
  if (stale.length === 0) return [well('no lock is left over')]
  return stale.map((path) => judgeLock(app, path))
}

function judgeLock(app: App, path: string): Diagnosis {
  return warning({
    message: `${path} is held by nobody.`,
    why: 'A process was killed while it held the lock; other programs that look at it wait for nothing.',
    hint: 'To release it, run `nexus doctor --fix`',
    // taken in the ordinary way: a lock with a holder stays
    fix: () =>
      withLock(path.replace(/\.lock$/, ''), async () => undefined, {
        waitMs: LOCK_WAIT_MS,
        signal: app.interruption.signal,
      }),
  })
}
