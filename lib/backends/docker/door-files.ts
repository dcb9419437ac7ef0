/**
 * The files of a workspace's SSH door: who is let in, the server's configuration, and what a client must know. Only public keys ever enter a container; Nexus's own key is always among them, so that readiness and exec never
 * depend on the user's agent or a passphrase.
 */
import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import gitConfig from '../../../templates/gitconfig.hbs'
import sshConfig from '../../../templates/ssh_config.hbs'
import sshConfigAll from '../../../templates/ssh_config_all.hbs'
import sshdConfig from '../../../templates/sshd_config.hbs'
import { type WorkspacePaths, workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { proxyCommand, proxyScript } from '../../door/proxy-script.ts'
import { renderTemplate } from '../../system/render.ts'
import { makeFolder, readIfPresent, writeGenerated } from '../../system/store.ts'
import { createSsh, parsePublicKeys } from '../../tools/ssh.ts'
import type { Injection } from '../backend.ts'
import type { BackendContext } from '../registry.ts'
import { aliasesOf, hostKeyAlias, sshPort } from './door.ts'

/** What the aliases call, as it is now. */
const PROGRAM = { node: process.execPath, proxy: fileURLToPath(new URL('ssh-proxy.js', import.meta.url)) }

export function createDoorFiles(context: BackendContext) {
  const { home, env } = context
  const ssh = createSsh(context.runner)

  /** Everything that the server inside and a client outside read; written only where it changed. */
  async function writeFiles(record: WorkspaceRecord, injection: Injection): Promise<void> {
    const paths = workspacePaths(home, record.id)
    const keys = await authorizedKeys(injection)
    await Promise.all([
      makeFolder(home.run),
      writeGenerated(paths.sshdConfig, generated('#', record) + renderTemplate(sshdConfig, sshdFacts(record)), 0o644),
      writeGenerated(
        join(paths.sshDir, 'gitconfig'),
        generated('#', record) + renderTemplate(gitConfig, record.author),
        0o644,
      ),
      writeGenerated(paths.authorizedKeys, generated('#', record) + keys.map((key) => `${key}\n`).join(''), 0o644),
      writeClientFiles(record),
    ])
  }

  /** What a client outside reads. */
  async function writeClientFiles(record: WorkspaceRecord): Promise<void> {
    const paths = workspacePaths(home, record.id)
    const hostKey = await readIfPresent(`${paths.hostKey}.pub`)
    if (hostKey === undefined) throw new Error(`${paths.hostKey}.pub is missing`)
    const text = generated('#', record) + renderTemplate(sshConfig, clientFacts(record, paths))
    await Promise.all([
      writeGenerated(paths.knownHosts, knownHostsText(record, hostKey), 0o644),
      writeGenerated(paths.sshConfig, text, 0o600),
      writeGenerated(home.sshConfig, aliasFile(home.workspaces), 0o600),
      writeGenerated(home.sshProxy, proxyScript(home, PROGRAM), 0o700),
    ])
  }

  async function authorizedKeys(injection: Injection): Promise<readonly string[]> {
    const own = (await readIfPresent(`${home.sshKey}.pub`)) ?? ''
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
      identityFile: withoutTokens(home.sshKey),
      hostKeyAlias: hostKeyAlias(record),
      knownHosts: withoutTokens(paths.knownHosts),
      proxyCommand: proxyCommand(home, record.id),
      forwardAgent: record.forwardAgent ? 'yes' : 'no',
    }
  }

  return { writeFiles, writeClientFiles }
}

/** ssh takes a `%` in a path for the beginning of a token. */
function withoutTokens(path: string): string {
  return path.replaceAll('%', '%%')
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
