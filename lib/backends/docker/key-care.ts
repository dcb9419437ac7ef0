/**
 * Looks at the keys of doors and exchanges them. At every moment of an exchange, and after one that was cut off, clients verify what
 * the server shows, and the server lets in what Nexus has: first both sides know the new key too, then it is used, then the old
 * one is forgotten.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { workspacePaths } from '../../core/paths.ts'
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { giveTo, readIfPresent, removeTree, writeFileAtomic, writeGenerated } from '../../system/store.ts'
import type { Docker } from '../../tools/docker.ts'
import { describeKey, fingerprint, parsePublicKeys } from '../../tools/public-keys.ts'
import type { BackendContext } from '../context.ts'
import type { KeyCare, LetIn } from '../key-care.ts'
import type { Injection } from '../making.ts'
import { finishPair, makeNext, nextOf, takeNext } from './key-pair.ts'
import { MAIN_SERVICE } from './observation.ts'
import { type createDoors, hasDoor } from './ssh-access.ts'
import { createDoorFiles } from './ssh-files.ts'
import { targetOf } from './target.ts'
import { listUserKeys } from './user-keys.ts'

/** Milliseconds for a server to read its new key. */
const RELOAD_TIMEOUT_MS = 15_000
const POLL_MS = 50

export function createKeyCare(docker: Docker, context: BackendContext, doors: ReturnType<typeof createDoors>): KeyCare {
  const { home } = context
  const { ssh } = doors
  const files = createDoorFiles(context)

  /** Who is let in as the server reads it, and where each key comes from as far as that is known still. */
  async function list(record: WorkspaceRecord, injection: Injection): Promise<readonly LetIn[]> {
    const paths = workspacePaths(home, record.id)
    const [text, own] = await Promise.all([readIfPresent(paths.authorizedKeys), readIfPresent(`${home.sshKey}.pub`)])
    const users = injection.enabled ? await listUserKeys({ ...context, emit: () => undefined }, injection) : []
    const sources = [
      { source: 'nexus', from: 'nexus' as const, text: own ?? '' },
      { source: 'nexus', from: 'nexus' as const, text: (await readIfPresent(`${nextOf(home.sshKey)}.pub`)) ?? '' },
      ...users,
    ].map(({ text: lines, ...where }) => ({ ...where, prints: new Set(parsePublicKeys(lines).map(fingerprint)) }))
    return parsePublicKeys(text ?? '').map((line) => {
      const key = describeKey(line)
      const found = sources.find(({ prints }) => prints.has(key.fingerprint))
      return { ...key, from: found?.from ?? 'unknown', source: found?.source ?? null }
    })
  }

  async function rotateHostKey(record: WorkspaceRecord, running: boolean): Promise<string> {
    const { hostKey } = workspacePaths(home, record.id)
    await makeNext(ssh, hostKey, `nexus-${record.id}`)
    // after an exchange that was cut off, too: a server that has run since then shows a key before this one
    const old = await Promise.all([`${hostKey}.old.pub`, `${hostKey}.pub`].map(readIfPresent))
    await writeFileAtomic(`${hostKey}.old.pub`, parsePublicKeys(old.join('\n')).join('\n'))
    await files.writeClientFiles(record)
    if (record.isolation === 'agent') await giveTo(nextOf(hostKey), dockerOf(record))
    await takeNext(hostKey)
    if (running) await reload(record)
    await forgetOldHostKey(record)
    return fingerprint((await readIfPresent(`${hostKey}.pub`)) ?? '')
  }

  /** The server reads its key again; connections that are open go on. Returns when it shows the new one. */
  async function reload(record: WorkspaceRecord): Promise<void> {
    const { hostKey, sshDir } = workspacePaths(home, record.id)
    const only = join(sshDir, 'known_hosts.next')
    const door = { ...doors.doorOf(record), knownHosts: only, controlPath: undefined }
    const [type = '', blob = ''] = ((await readIfPresent(`${hostKey}.pub`)) ?? '').split(' ')
    await writeGenerated(only, `${door.hostKeyAlias} ${type} ${blob}\n`)
    // the oldest of that name takes connections; the others are those that are open
    await docker.execute(targetOf(home, record), record.docker?.stack?.main ?? MAIN_SERVICE, [
      'pkill',
      '-HUP',
      '-o',
      '-x',
      'sshd',
    ])
    const deadline = performance.now() + RELOAD_TIMEOUT_MS
    for (;;) {
      context.interruption.signal.throwIfAborted()
      const { code, stderr } = await ssh.loginOnce(door)
      if (code === 0) break
      if (performance.now() > deadline) throw notTaken(record, stderr)
      await new Promise((wake) => setTimeout(wake, POLL_MS))
    }
    await removeTree(only)
    await ssh.retireMaster(doors.doorOf(record))
  }

  async function forgetOldHostKey(record: WorkspaceRecord): Promise<void> {
    const { hostKey } = workspacePaths(home, record.id)
    await removeTree(`${hostKey}.old.pub`)
    await files.writeClientFiles(record)
  }

  /** For one that has just been started, and so shows what is in force. */
  async function settleHostKey(record: WorkspaceRecord): Promise<string> {
    const { hostKey } = workspacePaths(home, record.id)
    await finishPair(hostKey)
    await forgetOldHostKey(record)
    return fingerprint((await readIfPresent(`${hostKey}.pub`)) ?? '')
  }

  const makeOwn = () => makeNext(ssh, home.sshKey, 'nexus')
  const takeOwn = () => takeNext(home.sshKey)

  /** Lets Nexus's own key in, and the one that is about to follow it; what was its own before is left out. */
  async function renewOwn(record: WorkspaceRecord, former: readonly string[]): Promise<void> {
    const { authorizedKeys } = workspacePaths(home, record.id)
    const text = await readIfPresent(authorizedKeys)
    if (text === undefined) return
    const own = await files.ownKeys()
    const gone = new Set([...own, ...former].map((line) => line.split(' ')[1]))
    const [header = '', ...lines] = text.split('\n')
    const others = parsePublicKeys(lines.join('\n')).filter((line) => !gone.has(line.split(' ')[1]))
    await writeGenerated(authorizedKeys, [header, ...own, ...others, ''].join('\n'), 0o644)
  }

  async function reopen(record: WorkspaceRecord): Promise<void> {
    if (!hasDoor(record)) return
    await ssh.retireMaster(doors.doorOf(record))
    await doors.awaitLogin(record, async () => '')
  }

  const isRotating = (record: WorkspaceRecord) => existsSync(`${workspacePaths(home, record.id).hostKey}.old.pub`)
  const hostKeyOf = async (record: WorkspaceRecord) => {
    const [line] = parsePublicKeys((await readIfPresent(`${workspacePaths(home, record.id).hostKey}.pub`)) ?? '')
    return line === undefined ? null : { ...describeKey(line), rotating: isRotating(record) }
  }
  return { list, hostKeyOf, rotateHostKey, settleHostKey, makeOwn, takeOwn, ownKeys: files.ownKeys, renewOwn, reopen }
}

function notTaken({ name }: WorkspaceRecord, output: string): NexusError {
  return new NexusError(
    'CONTAINER_ERROR',
    `The SSH server of ${name} does not show its new host key; both are trusted.`,
    {
      hint: `To have it read the new one, run \`nexus stop ${name} && nexus start ${name}\``,
      output,
    },
  )
}
