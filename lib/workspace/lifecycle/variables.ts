/** `--env` entries. Pure. */
import { NexusError } from '../../core/errors.ts'

/**
 * `KEY=value`, or `KEY` to take the value of this process's own variable.
 * @throws {NexusError} INVALID_ARGUMENT for a bad name, or a variable to take over that is not set here
 */
export function parseVariable(
  entry: string,
  own: Readonly<Record<string, string | undefined>>,
): readonly [string, string] {
  const equals = entry.indexOf('=')
  const key = equals === -1 ? entry : entry.slice(0, equals)
  const value = equals === -1 ? (Object.hasOwn(own, key) ? own[key] : undefined) : entry.slice(equals + 1)
  const named = /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)
  if (named && value !== undefined) return [key, value]
  const why = named ? `${key} is not set here` : `${JSON.stringify(key)} is not a variable's name`
  throw new NexusError('INVALID_ARGUMENT', `--env ${JSON.stringify(entry)} cannot be used: ${why}.`, {
    hint: 'To set a variable, use `--env KEY=value`',
  })
}
