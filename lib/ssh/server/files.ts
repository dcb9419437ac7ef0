/**
 * The files of a workspace's SSH server: who is let in, its configuration, and what a client must know. Only public keys ever enter
 * a workspace; Nexus's own key is always among them, so that readiness and exec never depend on the user's agent or a passphrase.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import gitConfig from '../../../templates/gitconfig.hbs'
import sshConfig from '../../../templates/ssh_config.hbs'
import sshdConfig from '../../../templates/sshd_config.hbs'
import { type WorkspacePaths, workspacePaths } from '../../core/paths.ts'
import { namesOf } from '../../core/reach.ts'
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WorkContext } from '../../system/context.ts'
import { renderTemplate } from '../../system/render.ts'
import { makeFolder, readIfPresent, writeGenerated } from '../../system/store.ts'
import { formatSettings, type GitPair } from '../../tools/git-settings.ts'
import { parsePublicKeys } from '../../tools/public-keys.ts'
import { createSsh, withoutTokens } from '../../tools/ssh.ts'
import { updateKnownHosts, writeAliasFile } from '../client/alias-file.ts'
import { aliasControlPath } from '../client/control-path.ts'
import { proxyCommand, proxyScript } from '../client/proxy-script.ts'
import { nextOf, OWN_KEY_LOST, restorePublic } from '../keys/key-pair.ts'
import type { Injection } from '../keys/user-keys.ts'
import { agentSocketPath } from '../ssh-agent/agent-socket.ts'
import { addressOf, aliasesOf, hostKeyAlias } from './access.ts'

/** What the aliases call, as it is now. */
const PROGRAM = { node: process.execPath, proxy: fileURLToPath(new URL('ssh-proxy.js', import.meta.url)) }

export function createSshFiles(context: WorkContext) {
  const { home } = context

  /** Everything that the server inside and a client outside read; written only where it changed. */
  async function writeFiles(record: WorkspaceRecord, injection: Injection): Promise<void> {
    const paths = workspacePaths(home, record.id)
    const keys = await authorizedKeys(injection)
    await Promise.all([
      makeFolder(home.run),
      writeGenerated(paths.sshdConfig, generated('#', record) + renderTemplate(sshdConfig, sshdFacts(record)), 0o644),
      writeGenerated(
        join(paths.sshDir, 'gitconfig'),
        generated('#', record) + renderTemplate(gitConfig, gitFacts(record)) + formatSettings(comfortOf(record)),
        0o644,
      ),
      writeGenerated(paths.authorizedKeys, generated('#', record) + keys.map((key) => `${key}\n`).join(''), 0o644),
      writeClientFiles(record),
      ...(record.signing === undefined
        ? []
        : [writeGenerated(join(paths.sshDir, 'allowed_signers'), signersText(record), 0o644)]),
      ...(record.comfort?.ignore === undefined
        ? []
        : [writeGenerated(join(paths.sshDir, 'gitignore'), generated('#', record) + record.comfort.ignore, 0o644)]),
    ])
  }

  /** What a client outside reads. */
  async function writeClientFiles(record: WorkspaceRecord): Promise<void> {
    const paths = workspacePaths(home, record.id)
    // during an exchange the server may show either
    const all = [paths.hostKey, `${paths.hostKey}.old`, nextOf(paths.hostKey)]
    const [hostKey, ...others] = await Promise.all(all.map((path) => readIfPresent(`${path}.pub`)))
    if (hostKey === undefined) throw new Error(`${paths.hostKey}.pub is missing`)
    const hostKeys = [hostKey, ...others.flatMap((text) => parsePublicKeys(text ?? ''))]
    const text = generated('#', record) + renderTemplate(sshConfig, clientFacts(record, paths))
    const knownHosts = knownHostsText(record, hostKeys)
    await Promise.all([
      writeGenerated(paths.knownHosts, knownHosts, 0o644),
      writeGenerated(paths.sshConfig, text, 0o600),
      writeAliasFile(home),
      writeGenerated(home.sshProxy, proxyScript(home, PROGRAM), 0o700),
    ])
    await updateKnownHosts(home, record.id, knownHosts)
  }

  /** Nexus's own, and the one that is about to take its place. */
  async function ownKeys(): Promise<readonly string[]> {
    const paths = [home.sshKey, nextOf(home.sshKey)]
    const texts = await Promise.all(paths.map((path) => readIfPresent(`${path}.pub`)))
    return parsePublicKeys(texts.filter((text) => text !== undefined).join('\n'))
  }

  async function authorizedKeys(injection: Injection): Promise<readonly string[]> {
    await restorePublic(createSsh(context.runner), home.sshKey, OWN_KEY_LOST)
    const own = await ownKeys()
    if (!injection.enabled) return own
    const { listUserKeys } = await import('../keys/user-keys.ts')
    const found = await listUserKeys(context, injection)
    return parsePublicKeys([...own, ...found.map(({ text }) => text)].join('\n'))
  }

  function clientFacts(record: WorkspaceRecord, paths: WorkspacePaths) {
    return {
      aliases: aliasesOf(record),
      ...addressOf(record),
      identityFile: withoutTokens(home.sshKey),
      hostKeyAlias: hostKeyAlias(record),
      knownHosts: withoutTokens(paths.knownHosts),
      proxyCommand: proxyCommand(home, record.id),
      controlPath: aliasControlPath(home, record.id),
      forwardAgent: record.forwardAgent ? 'yes' : 'no',
      agentSocket: record.agentMode === 'proxy' ? withoutTokens(agentSocketPath(home, record)) : '',
    }
  }

  return { writeFiles, writeClientFiles, ownKeys }
}

/** For the alias, and for the raw line by each name of its address that a user may type. */
function knownHostsText(record: WorkspaceRecord, hostKeys: readonly string[]): string {
  const keys = [...new Set(hostKeys.map((key) => key.split(' ').slice(0, 2).join(' ')))]
  const { port } = addressOf(record)
  const typed = record.address === null ? [] : namesOf(record.address)
  const names = [hostKeyAlias(record), ...typed.map((name) => `[${name}]:${port}`)]
  return `${generated('#', record)}${keys.flatMap((key) => names.map((name) => `${name} ${key}\n`)).join('')}`
}

/** Root can log in by key only when the repository is root's: sshd looks at the uid, not at the name. */
function sshdFacts(record: WorkspaceRecord) {
  return {
    permitRootLogin: dockerOf(record).uid === 0 ? 'prohibit-password' : 'no',
    allowAgentForwarding: record.forwardAgent ? 'yes' : 'no',
  }
}

/** Who signs can be told inside too: the one key is its author's. */
function gitFacts({ author, signing }: WorkspaceRecord) {
  if (signing === undefined) return author
  return { ...author, signing: { ...signing, key: `key::${signing.key}`, signers: '/etc/nexus/ssh/allowed_signers' } }
}

/** The user's own settings; the file of ignored names lies beside them. */
function comfortOf({ comfort }: WorkspaceRecord): readonly GitPair[] {
  if (comfort === undefined) return []
  const ignore: readonly GitPair[] =
    comfort.ignore === undefined ? [] : [['core.excludesfile', '/etc/nexus/ssh/gitignore']]
  return [...comfort.settings, ...ignore]
}

function signersText(record: WorkspaceRecord): string {
  const { author, signing } = record
  const line =
    signing === undefined || /[\s",*?!]/.test(author.email) || author.email === ''
      ? ''
      : `${author.email} ${signing.key}\n`
  return generated('#', record) + line
}

function generated(comment: string, record: WorkspaceRecord): string {
  return `${comment} Generated by Nexus for workspace ${record.name} (${record.id}); it is written again when the workspace starts.\n`
}
