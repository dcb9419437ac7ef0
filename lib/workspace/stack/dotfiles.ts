/**
 * Installs the user's dotfiles inside a new workspace: cloned over Nexus's own connection (no agent, nothing to type at), then
 * the user's command, an install script of theirs, or links. They are a comfort: a failure is told and stops nothing.
 */
import { capture } from '../../backends/captured.ts'
import type { Settings } from '../../config/settings.ts'
import { lastLines, NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import script from './dotfiles.sh'

const TIMEOUT_MS = 10 * 60_000

const UNATTENDED = { GIT_TERMINAL_PROMPT: '0', GIT_SSH_COMMAND: 'ssh -o BatchMode=yes' }

/** Without the name and password that a URL may carry. */
export function withoutCredentials(text: string): string {
  return text.replace(/(\w:\/\/)[^\s/@]+@/g, '$1***@')
}

export async function installDotfiles(app: App, record: WorkspaceRecord, { dotfiles }: Settings): Promise<void> {
  const { repository, install = '' } = dotfiles
  if (repository === undefined) return
  const backend = await app.backend(record.backend)
  app.emit({ type: 'progress', text: `installing the dotfiles of ${withoutCredentials(repository)}` })
  const argv = ['bash', '-c', script, 'dotfiles', repository, install]
  try {
    const { code, output } = await capture(app, backend, record, {
      argv,
      cwd: null,
      env: UNATTENDED,
      timeoutMs: TIMEOUT_MS,
    })
    if (code !== 0) tellFailure(app, record, lastLines(output.trim(), 3).replaceAll('\n', '; '))
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    // its details hold the whole command
    tellFailure(app, record, error.code === 'TIMEOUT' ? 'it did not end within 10 minutes' : error.message)
  }
}

function tellFailure(app: App, record: WorkspaceRecord, why: string): void {
  app.emit({
    type: 'warning',
    text: `the dotfiles could not be installed: ${withoutCredentials(why)}`,
    hint: `To try it by hand, run \`nexus ssh ${record.name}\` and \`git clone <repository> ~/.dotfiles\``,
  })
}
