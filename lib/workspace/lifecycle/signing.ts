/**
 * Who commits inside, with the user's own aliases and ignored names, and how commits are signed: as the user's git signs them here with
 * an SSH key, by the key that only the forwarded agent holds. What would make every commit inside fail is not carried, and told once.
 */

import { homedir } from 'node:os'
import { join } from 'node:path'
import { shellWord } from '../../core/shell.ts'
import type { SigningRecord, WorkspaceRecord } from '../../core/workspace.ts'
import { lookAtAgent } from '../../ssh/ssh-agent/agent-client.ts'
import { isAllowed, resolveAgentKeys } from '../../ssh/ssh-agent/agent-keys.ts'
import { keyLine } from '../../ssh/ssh-agent/agent-protocol.ts'
import { findOwnAgent } from '../../ssh/ssh-agent/own-agent.ts'
import { CommandFailed } from '../../system/exec.ts'
import { readPlain } from '../../system/read.ts'
import type { AuthorIdentity, SigningSettings } from '../../tools/git-identity.ts'
import { parsePublicKeys } from '../../tools/public-keys.ts'
import type { App } from '../app.ts'
import type { Guards } from '../trust/isolation.ts'

const KEY_FILE_MAX = 64 * 1024
const IGNORE_FILE_MAX = 64 * 1024
const IGNORE_KEY = 'core.excludesfile'
const COMMAND_TIMEOUT_MS = 5_000
const AGENT_HINT = 'To have them signed in the next workspace, run `nexus config set ssh.forward_agent proxy`'

/** Name and address for commits inside, the key that signs them where there is one, and what of the user's own settings comes along. */
export async function identityInside(
  app: App,
  guards: Guards,
  { name, email, signing, program, comfort }: AuthorIdentity,
): Promise<Pick<WorkspaceRecord, 'author' | 'signing' | 'comfort'>> {
  const who = { author: { name, email }, ...comfortInside(app, comfort) }
  if (program !== undefined) tellProgram(app, guards, program)
  if (signing === undefined) return who
  if (guards.agentMode === 'off') {
    if (signing.commits || signing.tags) tellUnsigned(app, 'ssh.forward_agent is off', AGENT_HINT)
    return who
  }
  const found = await findSigning(app, guards, signing)
  if ('signing' in found) return { ...who, signing: found.signing }
  tellUnsigned(app, found.why, found.hint)
  return who
}

function tellUnsigned(app: App, why: string, hint: string): void {
  app.emit({ type: 'warning', text: `commits inside are not signed: ${why}`, hint })
}

/** git inside reads the repository's own configuration in the git mode `shared`, and fails where it cannot sign. */
function tellProgram(app: App, { gitMode }: Guards, { name, local }: NonNullable<AuthorIdentity['program']>): void {
  const why = `git signs with ${name} here, and the key stays on this machine`
  const set = local ? 'git config' : 'git config --global'
  const sign = `${set} gpg.format ssh && ${set} user.signingkey "key::$(ssh-add -L | head -n 1)"`
  const hint = `To sign with an SSH key on both sides, run \`${sign}\` before \`nexus up\``
  if (local && gitMode === 'shared') {
    const text = `commits inside fail without --no-gpg-sign: as the repository's configuration says, ${why}`
    app.emit({ type: 'warning', text, hint })
  } else tellUnsigned(app, why, hint)
}

function comfortInside(app: App, comfort: AuthorIdentity['comfort']): Pick<WorkspaceRecord, 'comfort'> {
  const settings = comfort.filter(([key]) => key !== IGNORE_KEY)
  const ignore = readIgnored(app, comfort.findLast(([key]) => key === IGNORE_KEY)?.[1])
  if (settings.length === 0 && ignore === undefined) return {}
  return { comfort: { settings, ...(ignore === undefined ? {} : { ignore }) } }
}

/** Of the file that git would take; none where that is missing, relative or no text. */
function readIgnored({ env }: App, configured: string | undefined): string | undefined {
  const home = env.HOME ?? homedir()
  const path = configured ?? join(env.XDG_CONFIG_HOME || join(home, '.config'), 'git', 'ignore')
  const file = path.startsWith('~/') ? join(home, path.slice(2)) : path
  const text = file.startsWith('/') ? readPlain(file, { maxBytes: IGNORE_FILE_MAX })?.toString() : undefined
  return text === undefined || text.trim() === '' ? undefined : text
}

type Found = { readonly signing: SigningRecord } | { readonly why: string; readonly hint: string }

async function findSigning(app: App, { agentKeys = [], gitMode }: Guards, settings: SigningSettings): Promise<Found> {
  const key = await findKey(app, settings)
  if (typeof key !== 'string') return key
  if (settings.local && gitMode === 'shared' && !/^(key::|ssh-|ecdsa-|sk-)/.test(settings.key)) {
    const why = `git inside reads user.signingkey of the repository too, and the file ${settings.key} is not there`
    return { why, hint: `To name the key itself, run \`git config user.signingkey ${shellWord(`key::${key}`)}\`` }
  }
  const plain = key.split(' ').slice(0, 2).join(' ')
  const wanted = { key: plain, commits: settings.commits, tags: settings.tags }
  const allowed = await resolveAgentKeys(agentKeys, app.env)
  const identity = { blob: Buffer.from(plain.split(' ')[1] ?? '', 'base64'), comment: Buffer.from('') }
  const look = await lookAtAgent(await findOwnAgent(app))
  const held = look.identities.find(({ blob }) => blob.equals(identity.blob))
  if (allowed !== undefined && !isAllowed(allowed, held ?? identity)) {
    const hint = 'To let it be used, add its comment or fingerprint: `nexus config set ssh.agent_keys <key>,...`'
    return { why: 'the key of user.signingkey is not among ssh.agent_keys', hint }
  }
  // it can be used with `git commit -S` once it is there
  if (held !== undefined || !(wanted.commits || wanted.tags)) return { signing: wanted }
  const text =
    'commits inside are signed only by `git commit -S`: the ssh agent does not hold the key of user.signingkey'
  app.emit({
    type: 'warning',
    text,
    hint: 'To have them signed in the next workspace, run `ssh-add` before `nexus up`',
  })
  return { signing: { ...wanted, commits: false, tags: false } }
}

/** The public key that git would sign with here. */
async function findKey(
  app: App,
  { key, command }: SigningSettings,
): Promise<string | Exclude<Found, { signing: unknown }>> {
  const inline = key.replace(/^key::/, '')
  const [literal] = parsePublicKeys(inline)
  if (literal !== undefined) return literal
  if (key === '') return keyOfCommand(app, command)
  const hint = `To name the key itself, run \`git config --global user.signingkey "key::$(cat <file>.pub)"\``
  const path = key.startsWith('~/') ? join(app.env.HOME ?? homedir(), key.slice(2)) : key
  for (const file of path.startsWith('/') ? [path, `${path}.pub`] : []) {
    // not there, or not to be read: the next one, then it is told
    const [found] = parsePublicKeys(readPlain(file, { maxBytes: KEY_FILE_MAX })?.toString() ?? '')
    if (found !== undefined) return found
  }
  return { why: `no public key is found at user.signingkey ${key}`, hint }
}

/** Of the user's own configuration alone. */
async function keyOfCommand(app: App, command: string): Promise<string | Exclude<Found, { signing: unknown }>> {
  const hint = 'To name a key, run `git config --global user.signingkey "key::$(ssh-add -L | head -n 1)"`'
  if (command === '') return { why: 'git has no user.signingkey', hint }
  const lines =
    command.trim() === 'ssh-add -L'
      ? (await lookAtAgent(await findOwnAgent(app))).identities.map(keyLine)
      : (await outputOf(app, command)).split('\n').map((line) => line.trim().replace(/^key::/, ''))
  const [found] = parsePublicKeys(lines.join('\n'))
  return found ?? { why: `gpg.ssh.defaultKeyCommand (${command}) gives no key`, hint }
}

/** It is a command line, as git takes it. */
async function outputOf(app: App, command: string): Promise<string> {
  try {
    return (await app.runner.run(['sh', '-c', command], { okCodes: 'any', timeoutMs: COMMAND_TIMEOUT_MS })).stdout
  } catch (error) {
    if (error instanceof CommandFailed || app.interruption.signal.aborted) throw error
    return '' // it took too long: told like one that gives nothing
  }
}
