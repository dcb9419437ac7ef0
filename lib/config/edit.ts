/**
 * `config set` and `config unset`: one key of one file, with comments, order and layout kept, nothing written and no folder
 * made unless all is valid afterwards.
 */
import { readlink, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isMap, isScalar, type Node } from 'yaml'
import { NexusError } from '../core/errors.ts'
import { withLock } from '../system/lock.ts'
import { makeFolder, statIfPresent, writeFileAtomic } from '../system/store.ts'
import { type FileScope, parseConfigFile } from './file.ts'
import { chosenNameProblem, entryOf, shortFormOf } from './keys.ts'
import { loadConfig, requireKey } from './load.ts'
import { removeKey, reprint, setKey } from './patch.ts'
import { invalidFile, quote } from './problem.ts'
import { readText } from './read.ts'
import { holdsPath } from './types.ts'
import { keyText, parseYaml } from './yaml-text.ts'

/**
 * Sets a key from text as typed in the folder `cwd`; undefined removes it, and nothing to remove is fine.
 * @throws {NexusError} CONFIG_INVALID for an unknown key, a bad value, or a file that would not be valid
 */
export async function editSetting(
  file: string,
  scope: FileScope,
  key: string,
  text: string | undefined,
  cwd = process.cwd(),
): Promise<void> {
  requireGoodKey(key)
  const value = text === undefined ? undefined : parseValue(key, text, cwd)
  const target = await findTarget(file)
  const change = async () => {
    const before = (await readText(target)) ?? ''
    const edited = editConfigText(target, before, scope, key, value)
    if (edited === before) return undefined
    // values that are fine alone must also fit together
    const layer = { file: target, text: edited }
    const none = { systemFile: '', userFile: '', project: undefined, flags: {}, flagNames: {}, env: {} }
    await loadConfig(scope === 'project' ? { ...none, project: layer } : { ...none, user: layer })
    return edited
  }
  // what is refused must not leave the folder behind in which the lock lies
  if ((await change()) === undefined) return
  await makeFolder(dirname(target), scope === 'project' ? 0o755 : 0o700)
  await withLock(target, async () => {
    const edited = await change()
    const mode = (await statIfPresent(target))?.mode ?? (scope === 'project' ? 0o644 : 0o600)
    if (edited !== undefined) await writeFileAtomic(target, edited, mode & 0o777)
  })
}

function requireGoodKey(key: string): void {
  requireKey(key)
  const [section = '', name = ''] = key.split('.')
  const problem = entryOf(key) === undefined ? undefined : chosenNameProblem(section, name)
  if (problem === undefined) return
  throw new NexusError('CONFIG_INVALID', `${quote(key)} cannot be a key: ${problem}.`, {
    hint: 'To see the keys, run `nexus config show`',
    details: { key },
  })
}

/** As it stands in the file: a size stays `2g`, a list is a list; a relative path is meant from the current folder. */
function parseValue(key: string, text: string, cwd: string): unknown {
  const { type } = requireKey(key)
  const outcome = type.parse(text)
  if ('problem' in outcome) {
    throw new NexusError('CONFIG_INVALID', `${key} ${outcome.problem}, not ${quote(text)}.`, {
      hint: `To see what holds now, run \`nexus config get ${key}\``,
      details: { key, value: text },
    })
  }
  if (Array.isArray(type.schema.type)) return text
  if (!holdsPath(type)) return outcome.value
  const absolute = (path: string) => (isAbsolute(path) || /^~(\/|$)/.test(path) ? path : resolve(cwd, path))
  return Array.isArray(outcome.value) ? outcome.value.map(String).map(absolute) : absolute(String(outcome.value))
}

/** A link stays a link: what it points to is written, even when that is not there yet. */
async function findTarget(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch {
    const link = await readlink(file).catch(() => undefined) // mostly: there is nothing yet
    return link === undefined ? file : resolve(dirname(file), link)
  }
}

/**
 * The file's text with one key set (or, with undefined, removed); comments, order and everything else stay as they are.
 * The old text need only be YAML, so that a bad value can be repaired.
 * @throws {NexusError} CONFIG_INVALID when the whole would not be valid
 */
export function editConfigText(file: string, text: string, scope: FileScope, key: string, value: unknown): string {
  const source = text.replace(/^\uFEFF/, '')
  const { document, problems } = parseYaml(source)
  if (problems.length > 0) throw invalidFile(file, problems)
  const wanted = leavesOf(document?.contents)
  if (value === undefined) {
    if (!wanted.delete(key)) return text
  } else wanted.set(key, value)
  const path = key.split('.')
  const attempts = [
    () => (value === undefined ? removeKey : setKey)(source, path, value),
    () => reprint(source, path, value),
  ]
  for (const attempt of attempts) {
    const edited = attempt()
    if (edited === undefined || !holds(edited, wanted)) continue
    parseConfigFile(file, edited, scope)
    return text.slice(0, text.length - source.length) + edited
  }
  parseConfigFile(file, text, scope)
  throw new NexusError('CONFIG_INVALID', `${file} is written in a way that Nexus cannot edit.`, {
    hint: `To change ${key}, edit the file, then run \`nexus config show --origin\``,
    details: { file, key },
  })
}

function holds(text: string, wanted: ReadonlyMap<string, unknown>): boolean {
  const { document, problems } = parseYaml(text)
  return problems.length === 0 && isDeepStrictEqual(leavesOf(document?.contents), wanted)
}

/** Every value by its dotted key, good or bad; short forms as their long ones, without what is empty. */
function leavesOf(node: unknown, key = '', leaves = new Map<string, unknown>()): Map<string, unknown> {
  if (isMap(node)) {
    for (const pair of node.items) {
      const word = keyText(pair.key) ?? ''
      leavesOf(pair.value, key === '' ? word : `${key}.${word}`, leaves)
    }
  } else if (node !== null && node !== undefined && !(isScalar(node) && node.value === null)) {
    leaves.set(isScalar(node) ? (shortFormOf(key) ?? key) : key, (node as Node).toJSON())
  }
  return leaves
}
