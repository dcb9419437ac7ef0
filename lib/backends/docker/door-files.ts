/**
 * What a workspace's SSH door is made of: its host key, who is let in, the server's configuration, and what a client must
 * know. Only public keys ever enter a container; Nexus's own key is always among them, so that readiness and exec never
 * depend on the user's agent or a passphrase.
 */
import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import gitConfig from '../../../templates/gitconfig.hbs'
import sshConfig from '../../../templates/ssh_config.hbs'
import sshConfigAll from '../../../templates/ssh_config_all.hbs'
import sshdConfig from '../../../templates/sshd_config.hbs'
import { type WorkspacePaths, workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { renderTemplate } from '../../system/render.ts'
import { makeFolder, readIfPresent, withLock, writeGenerated } from '../../system/store.ts'
import { createSsh, fingerprint, parsePublicKeys } from '../../tools/ssh.ts'
import type { BackendContext } from '../registry.ts'
import { aliasesOf, hostKeyAlias, sshPort } from './door.ts'

export function createDoorFiles(context: BackendContext) {
  const { home, env } = context
  const ssh = createSsh(context.runner)

  /** The workspace's host key and Nexus's own key, made when they are missing; returns the host key's fingerprint. */
  async function ensureKeys(record: WorkspaceRecord): Promise<string> {
    const paths = workspacePaths(home, record.id)
    await Promise.all([makeFolder(paths.sshDir), makeFolder(home.sshDir)])
    const [hostKey] = await Promise.all([ensureHostKey(record, paths), ensureOwnKey()])
    return fingerprint(hostKey)
  }

  async function ensureHostKey(record: WorkspaceRecord, paths: WorkspacePaths): Promise<string> {
    const present = await readIfPresent(`${paths.hostKey}.pub`)
    if (present !== undefined) return present
    await ssh.makeKey(paths.hostKey, `nexus-${record.id}`)
    return (await readIfPresent(`${paths.hostKey}.pub`)) ?? ''
  }

  async function ensureOwnKey(): Promise<void> {
    if ((await readIfPresent(`${home.sshKey}.pub`)) !== undefined) return
    await withLock(home.sshKey, async () => {
      if ((await readIfPresent(`${home.sshKey}.pub`)) === undefined) await ssh.makeKey(home.sshKey, 'nexus')
    })
  }

  /** Everything that the server inside and a client outside read; written only where it changed. */
  async function writeFiles(record: WorkspaceRecord): Promise<void> {
    const paths = workspacePaths(home, record.id)
    const [keys, hostKey] = await Promise.all([authorizedKeys(), readIfPresent(`${paths.hostKey}.pub`)])
    if (hostKey === undefined) throw new Error(`${paths.hostKey}.pub is missing`)
    await Promise.all([
      makeFolder(home.run),
      writeGenerated(paths.sshdConfig, generated('#', record) + renderTemplate(sshdConfig, sshdFacts(record)), 0o644),
      writeGenerated(
        join(paths.sshDir, 'gitconfig'),
        generated('#', record) + renderTemplate(gitConfig, record.author),
        0o644,
      ),
      writeGenerated(paths.authorizedKeys, generated('#', record) + keys.map((key) => `${key}\n`).join(''), 0o644),
      writeGenerated(paths.knownHosts, knownHostsText(record, hostKey), 0o644),
      writeGenerated(
        paths.sshConfig,
        generated('#', record) + renderTemplate(sshConfig, clientFacts(record, paths)),
        0o600,
      ),
      writeGenerated(home.sshConfig, aliasFile(home.workspaces), 0o600),
    ])
  }

  async function authorizedKeys(): Promise<readonly string[]> {
    const own = (await readIfPresent(`${home.sshKey}.pub`)) ?? ''
    const injection = await context.injection()
    if (!injection.enabled) return parsePublicKeys(own)
    const userDir = join(env.HOME ?? homedir(), '.ssh')
    const files = (await listFolder(userDir)).filter((name) => name.endsWith('.pub')).map((name) => join(userDir, name))
    const wantAgent = injection.includeAgentKeys && (env.SSH_AUTH_SOCK ?? '') !== ''
    const [texts, agent] = await Promise.all([
      Promise.all([...files, ...injection.sources].map(readKeyFile)),
      wantAgent ? ssh.listAgentKeys() : [],
    ])
    return parsePublicKeys([own, ...texts, ...agent].join('\n'))
  }

  async function readKeyFile(path: string): Promise<string> {
    const text = await readIfPresent(path)
    if (text === undefined) {
      context.emit({ type: 'warning', text: `the public key file ${path} of ssh.injection.sources does not exist` })
    }
    return text ?? ''
  }

  function clientFacts(record: WorkspaceRecord, paths: WorkspacePaths) {
    return {
      aliases: aliasesOf(record),
      host: '127.0.0.1',
      port: sshPort(record),
      identityFile: home.sshKey,
      hostKeyAlias: hostKeyAlias(record),
      knownHosts: paths.knownHosts,
      forwardAgent: record.forwardAgent ? 'yes' : 'no',
    }
  }

  return { ensureKeys, writeFiles }
}

/** For the alias, and for the raw line by each name of loopback that a user may type. */
function knownHostsText(record: WorkspaceRecord, hostKey: string): string {
  const [type = '', blob = ''] = hostKey.split(' ')
  const port = sshPort(record)
  const names = [hostKeyAlias(record), `[localhost]:${port}`, `[127.0.0.1]:${port}`, `[::1]:${port}`]
  return `${generated('#', record)}${names.map((name) => `${name} ${type} ${blob}\n`).join('')}`
}

/** Root can log in by key only when the repository is root's: sshd looks at the uid, not at the name. */
function sshdFacts(record: WorkspaceRecord) {
  return {
    permitRootLogin: record.uid === 0 ? 'prohibit-password' : 'no',
    allowAgentForwarding: record.forwardAgent ? 'yes' : 'no',
  }
}

function aliasFile(workspaces: string): string {
  return `# Generated by Nexus; it is written again by every \`nexus up\`.\n${renderTemplate(sshConfigAll, {
    include: `${workspaces}/*/ssh_config`,
  })}`
}

function generated(comment: string, record: WorkspaceRecord): string {
  return `${comment} Generated by Nexus for workspace ${record.name} (${record.id}); it is written again when the workspace starts.\n`
}

async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
