/** Writes a workspace's generated files again after its record changed, as far as it has what they are made of. */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { projectOf } from '../trust/choice.ts'

/** What a broken configuration keeps from being written is written by the next start. */
export async function renewFiles(app: App, record: WorkspaceRecord): Promise<void> {
  const backend = await app.backend(record.backend)
  const leased = record.ports.length > 0 && record.ports.every(({ host }) => host !== null)
  if (backend.endpoints.leased !== undefined && (!leased || record.hostKeyFingerprint === null)) return
  try {
    const { settings } = await app.config(await projectOf(app, record))
    await backend.lifecycle.configure(record, settings.ssh.injection)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    app.emit({
      type: 'warning',
      text: `generated files are written by the next start: ${error.message}`,
      hint: error.hint,
    })
  }
}
