/** `config set` and `config unset`: one key of one file, with comments and order kept, nothing written unless all is valid. */
import { NexusError } from '../core/errors.ts'
import { withLock } from '../system/lock.ts'
import { writeFileAtomic } from '../system/store.ts'
import { editConfigText, type FileScope } from './file.ts'
import { loadConfig, readText, requireKey } from './load.ts'

/**
 * Sets a key from text as typed; undefined removes it.
 * @throws {NexusError} CONFIG_INVALID for an unknown key, a bad value, or a file that would not be valid
 */
export async function editSetting(
  file: string,
  scope: FileScope,
  key: string,
  text: string | undefined,
): Promise<void> {
  const value = text === undefined ? undefined : parseValue(key, text)
  if (text === undefined) requireKey(key)
  await withLock(file, async () => {
    const edited = editConfigText(file, (await readText(file)) ?? '', scope, key, value)
    // values that are fine alone must also fit together
    const layer = { file, text: edited }
    const none = { systemFile: '', userFile: '', project: undefined, flags: {}, flagNames: {}, env: {} }
    await loadConfig(scope === 'project' ? { ...none, project: layer } : { ...none, user: layer })
    await writeFileAtomic(file, edited, scope === 'project' ? 0o644 : 0o600)
  })
}

/** As it stands in the file: a size stays `2g`, a list is a list. */
function parseValue(key: string, text: string): unknown {
  const { type } = requireKey(key)
  const outcome = type.parse(text)
  if ('problem' in outcome) {
    throw new NexusError('CONFIG_INVALID', `${key} ${outcome.problem}, not ${JSON.stringify(text)}.`, {
      hint: `To see what holds now, run \`nexus config get ${key}\``,
      details: { key, value: text },
    })
  }
  return Array.isArray(type.schema.type) ? text : outcome.value
}
