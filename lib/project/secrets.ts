/**
 * Secrets by reference: `env://NAME`, `file://PATH`, `cmd://COMMAND`. A value is resolved when a workspace starts, handed on,
 * and kept nowhere: not in a record, a log, an event, an argument or a generated file.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { SecretSetting, Settings } from '../config/settings.ts'
import { NexusError } from '../core/errors.ts'
import { makeFinding } from '../stack/findings.ts'
import type { Finding } from '../stack/model.ts'
import { CommandFailed, type Runner } from '../system/exec.ts'

const COMMAND_TIMEOUT_MS = 30_000
const SECRET_MAX_BYTES = 512 * 1024

export interface SecretContext {
  readonly runner: Runner
  readonly env: Readonly<Record<string, string | undefined>>
}

/** @throws {NexusError} SECRET_UNRESOLVED with the secret, its reference and what is missing; CONFIG_INVALID for no reference */
export async function resolveSecrets(
  secrets: Settings['secrets'],
  context: SecretContext,
): Promise<ReadonlyMap<string, string>> {
  const entries = await Promise.all(
    [...secrets].map(async ([name, secret]) => [name, await resolveSecret(name, secret, context)] as const),
  )
  return new Map(entries)
}

/** References of the project's own file: they would read from this machine. */
export function secretFindings(settings: Settings): readonly Finding[] {
  return [...settings.secrets]
    .filter(([, secret]) => secret.fromProject)
    .map(([name, { from }]) =>
      makeFinding(`secrets.${name}`, from, `${whyOf(from)} and gives the workspace what it says`),
    )
}

function whyOf(from: string): string {
  if (from.startsWith('cmd://')) return 'runs a command on this machine'
  return from.startsWith('file://') ? 'reads a file of this machine' : 'reads a variable of this machine'
}

async function resolveSecret(name: string, { from }: SecretSetting, { runner, env }: SecretContext): Promise<string> {
  const [, kind, rest = ''] = /^(env|file|cmd):\/\/(.+)$/s.exec(from) ?? []
  switch (kind) {
    case 'env': {
      const value = env[rest]
      if (value !== undefined && value !== '') return value
      throw unresolved(name, from, `the variable ${rest} is not set here`, `export ${rest}=...`)
    }
    case 'file':
      return readSecret(name, from, pathOf(name, from, rest, env))
    case 'cmd':
      return runSecret(name, from, rest, runner)
    default:
      throw new NexusError('CONFIG_INVALID', `secrets.${name} ${JSON.stringify(from)} is no reference to a secret.`, {
        hint: `To take it from a variable, run \`nexus config set secrets.${name}.from env://NAME\`; file:// and cmd:// are there too`,
        details: { key: `secrets.${name}.from` },
      })
  }
}

function pathOf(name: string, from: string, path: string, env: SecretContext['env']): string {
  const full = path.startsWith('~/') ? join(env.HOME ?? homedir(), path.slice(2)) : path
  if (isAbsolute(full)) return full
  throw new NexusError('CONFIG_INVALID', `secrets.${name} ${JSON.stringify(from)} is not an absolute path.`, {
    hint: `To name a file of yours, run \`nexus config set secrets.${name}.from file://~/path\``,
    details: { key: `secrets.${name}.from` },
  })
}

async function readSecret(name: string, from: string, path: string): Promise<string> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'the file does not exist' : 'the file cannot be read'
    throw unresolved(name, from, why, `ls -l ${path}`)
  }
  if (content.byteLength > SECRET_MAX_BYTES)
    throw unresolved(name, from, 'the file is larger than 512 KiB', `ls -l ${path}`)
  return content.toString('utf8')
}

/** The user's own shell text: it is approved, or the user's own configuration. */
async function runSecret(name: string, from: string, command: string, runner: Runner): Promise<string> {
  try {
    const { stdout } = await runner.run(['bash', '-c', command], { timeoutMs: COMMAND_TIMEOUT_MS })
    if (stdout !== '') return stdout.replace(/\n$/, '')
    throw unresolved(name, from, 'the command printed nothing', command)
  } catch (error) {
    if (error instanceof CommandFailed)
      throw unresolved(name, from, `the command ended with code ${error.result.code}`, command)
    if (error instanceof NexusError && error.code === 'TIMEOUT')
      throw unresolved(name, from, `the command did not end within ${COMMAND_TIMEOUT_MS / 1000} s`, command)
    throw error
  }
}

function unresolved(name: string, from: string, why: string, command: string): NexusError {
  return new NexusError('SECRET_UNRESOLVED', `The secret ${name} (${from}) has no value: ${why}.`, {
    hint: `To see it, run \`${command}\``,
    details: { secret: name, from },
  })
}
