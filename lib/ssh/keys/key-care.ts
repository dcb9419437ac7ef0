/**
 * Looks at the keys of access and exchanges them. At every moment of an exchange, and after one that was cut off, clients verify what
 * the server shows, and the server lets in what Nexus has: first both sides know the new key too, then it is used, then the old
 * one is forgotten.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { workspacePaths } from '../../core/paths.ts'
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WorkContext } from '../../system/context.ts'
import { giveTo, readIfPresent, removeTree, writeFileAtomic, writeGenerated } from '../../system/store.ts'
import { describeKey, fingerprint, type PublicKey, parsePublicKeys } from '../../tools/public-keys.ts'
import { type createSshAccess, hasSshAddress } from '../server/access.ts'
import { createSshFiles } from '../server/files.ts'
import { finishPair, makeNext, nextOf, takeNext } from './key-pair.ts'
import { type Injection, listUserKeys } from './user-keys.ts'

/** Milliseconds for a server to read its new key. */
const RELOAD_TIMEOUT_MS = 15_000
const POLL_MS = 50

/** A key that a workspace lets in. */
export interface LetIn extends PublicKey {
  /** `unknown`: it was let in by an earlier start, and is found nowhere any more. */
  readonly from: 'nexus' | 'file' | 'sources' | 'agent' | 'unknown'
  /** Such as the path of its file. */
  readonly source: string | null
}

/** The keys of ssh: who is let in, how a server proves what it is, and their exchange. */
export interface KeyCare {
  list(record: WorkspaceRecord, injection: Injection): Promise<readonly LetIn[]>
  /** Null before it is made. `rotating`: an exchange was cut off, and the one before it is trusted too. */
  hostKeyOf(record: WorkspaceRecord): Promise<(PublicKey & { readonly rotating: boolean }) | null>
  /** Returns the new one's fingerprint when the server shows it. @throws {NexusError} CONTAINER_ERROR when it does not */
  rotateHostKey(record: WorkspaceRecord, running: boolean): Promise<string>
  /** Ends what was cut off, when the server has been started anew; returns the fingerprint. */
  settleHostKey(record: WorkspaceRecord): Promise<string>
  /** Makes Nexus's next key, of which every workspace has to hear before it is taken. */
  makeOwn(): Promise<void>
  takeOwn(): Promise<void>
  /** Public lines: the one in use and, during an exchange, the next. */
  ownKeys(): Promise<readonly string[]>
  /** A workspace lets these in, and `former` no more. */
  renewOwn(record: WorkspaceRecord, former: readonly string[]): Promise<void>
  /** Proves that the key in use opens a running one; what runs over older connections goes on. */
  reopen(record: WorkspaceRecord): Promise<void>
}

/** @param readAgain has the server inside read its files again, while connections that are open go on */
export function createKeyCare(
  context: WorkContext,
  access: ReturnType<typeof createSshAccess>,
  readAgain: (record: WorkspaceRecord) => Promise<void>,
): KeyCare {
  const { home } = context
  const { ssh } = access
  const files = createSshFiles(context)

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
    const destination = { ...access.destinationOf(record), knownHosts: only, controlPath: undefined }
    const [type = '', blob = ''] = ((await readIfPresent(`${hostKey}.pub`)) ?? '').split(' ')
    await writeGenerated(only, `${destination.hostKeyAlias} ${type} ${blob}\n`)
    await readAgain(record)
    const deadline = performance.now() + RELOAD_TIMEOUT_MS
    for (;;) {
      context.interruption.signal.throwIfAborted()
      const { code, stderr } = await ssh.loginOnce(destination)
      if (code === 0) break
      if (performance.now() > deadline) throw notTaken(record, stderr)
      await new Promise((wake) => setTimeout(wake, POLL_MS))
    }
    await removeTree(only)
    await ssh.retireMaster(access.destinationOf(record))
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
    if (!hasSshAddress(record)) return
    await ssh.retireMaster(access.destinationOf(record))
    await access.awaitLogin(record, async () => '')
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
