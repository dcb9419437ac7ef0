/**
 * Secrets by reference: `env://NAME`, `file://PATH`, `cmd://COMMAND`. A value is resolved when a workspace starts,
 * handed on, and kept nowhere: not in a record, a log, an event, an argument or a generated file.
 */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { readText } from '../config/read.ts'
import type { SecretSetting, Settings } from '../config/settings.ts'
import { NexusError } from '../core/errors.ts'
import type { Finding } from '../stack/model.ts'
import { CommandFailed, type Runner } from '../system/exec.ts'
import { makeFinding } from '../trust/findings.ts'

const COMMAND_TIMEOUT_MS = 30_000
const SECRET_MAX_BYTES = 512 * 1024

/** Masking shorter values would hit ordinary words. */
const MASKED_MIN = 4
/** One variable of a process cannot be longer (Linux: MAX_ARG_STRLEN, with the name). */
const VARIABLE_MAX_BYTES = 120 * 1024

export type SecretValues = ReadonlyMap<string, string>

export interface SecretContext {
  readonly runner: Runner
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * @throws {NexusError} SECRET_UNRESOLVED with the secret, its reference and what is missing; CONFIG_INVALID for no
 * reference
 */
export async function resolveSecrets(secrets: Settings['secrets'], context: SecretContext): Promise<SecretValues> {
  const entries = await Promise.all(
    [...secrets].map(async ([name, secret]) => {
      const value = await resolveSecret(name, secret, context)
      if (secret.variable !== undefined) requireVariable(name, secret.from, value)
      return [name, value] as const
    }),
  )
  return new Map(entries)
}

/** Takes values out of a text, as a whole and line by line, as a text of many lines may be told one at a time. */
export function createMask(values: SecretValues): (text: string) => string {
  const parts = [...values.values()].flatMap((value) => [value, ...value.split('\n')]).map((part) => part.trim())
  const hidden = [...new Set(parts)].filter((part) => part.length >= MASKED_MIN)
  hidden.sort((a, b) => b.length - a.length)
  return (text) => hidden.reduce((rest, part) => rest.replaceAll(part, '***'), text)
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
  const text = await readText(path, { maxBytes: SECRET_MAX_BYTES }).catch((error: unknown) => {
    if (!(error instanceof NexusError)) throw error
    throw unresolved(name, from, error.message.replace(/\.$/, ''), `ls -ld ${path}`)
  })
  if (text === undefined) throw unresolved(name, from, 'the file does not exist', `ls -l ${path}`)
  if (text === '') throw unresolved(name, from, 'the file is empty', `ls -l ${path}`)
  return text
}

/** Shell text that the user wrote or approved. Its error output may hold the secret, so it is not shown. */
async function runSecret(name: string, from: string, command: string, runner: Runner): Promise<string> {
  try {
    const { stdout, cut } = await runner.run(['bash', '-c', command], {
      timeoutMs: COMMAND_TIMEOUT_MS,
      keepBytes: SECRET_MAX_BYTES,
    })
    if (stdout === '') throw unresolved(name, from, 'the command printed nothing', command)
    if (cut === true || stdout.length > SECRET_MAX_BYTES)
      throw unresolved(name, from, 'the command printed more than 512 KiB', command)
    if (stdout.includes('\uFFFD')) throw unresolved(name, from, 'the command printed what is not UTF-8 text', command)
    return stdout.replace(/\n$/, '')
  } catch (error) {
    if (error instanceof CommandFailed)
      throw unresolved(name, from, `the command ended with code ${error.result.code}`, command)
    if (error instanceof NexusError && error.code === 'TIMEOUT')
      throw unresolved(name, from, `the command did not end within ${COMMAND_TIMEOUT_MS / 1000} s`, command)
    if (error instanceof NexusError && error.code === 'TOOL_MISSING')
      throw unresolved(name, from, 'a program in the command could not be started', command)
    throw error
  }
}

/** @throws {NexusError} SECRET_UNRESOLVED for a value that no variable can hold */
function requireVariable(name: string, from: string, value: string): void {
  const config = `nexus config unset secrets.${name}.variable`
  if (value.includes('\0')) throw unresolved(name, from, 'a variable cannot hold a zero byte, a file can', config)
  if (Buffer.byteLength(value) > VARIABLE_MAX_BYTES)
    throw unresolved(name, from, `a variable holds at most ${VARIABLE_MAX_BYTES / 1024} KiB, a file more`, config)
}

function unresolved(name: string, from: string, why: string, command: string): NexusError {
  return new NexusError('SECRET_UNRESOLVED', `The secret ${name} (${from}) has no value: ${why}.`, {
    hint: `To see what is wrong, run \`${command}\``,
    details: { secret: name, from },
  })
}
