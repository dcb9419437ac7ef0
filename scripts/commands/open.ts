/** open: a workspace in an editor, or its web port in a browser. */
import { NexusError } from '../../lib/core/errors.ts'
import { shellWord } from '../../lib/core/shell.ts'
import { type Opening, openInBrowser, openInEditor } from '../../lib/workspace/door/open.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'

export const open: Run = async (call) => {
  const [given = '', port] = call.args
  refuseMixed(call, given, port)
  const record = await requireWorkspace(call.app, given, call.value('repo'))
  const dryRun = call.flag('dry-run')
  const opening = call.flag('web')
    ? await openInBrowser(call.app, record, { port, dryRun })
    : await openInEditor(call.app, record, { editor: call.value('in'), dryRun })
  return answer(opening, dryRun)
}

function refuseMixed(call: Call, name: string, port: string | undefined): void {
  const web = call.flag('web')
  if (port !== undefined && !web) {
    throw new NexusError('INVALID_ARGUMENT', `The port ${JSON.stringify(port)} counts only together with --web.`, {
      hint: `To open it in a browser, run \`nexus open ${name} --web ${shellWord(port)}\``,
    })
  }
  if (web && call.value('in') !== undefined) {
    throw new NexusError('INVALID_ARGUMENT', '--in names an editor, and --web opens a browser.', {
      hint: `To choose the browser, set $BROWSER: \`BROWSER=firefox nexus open ${name} --web\``,
    })
  }
}

/** The command where it is only shown, else what was opened; the link alone where nothing here could open it. */
function answer({ workspace, editor, argv, link, opened }: Opening, dryRun: boolean): Answer {
  const { id, name, worktree, ssh } = workspace
  const data = {
    workspace: { id, name },
    editor: editor?.name ?? null,
    alias: editor === undefined ? null : ssh.alias,
    folder: editor === undefined ? null : worktree,
    argv: argv ?? null,
    link,
    opened,
  }
  if (dryRun) return { data, text: argv === undefined ? link : argv.map(shellWord).join(' ') }
  return { data, text: opened && editor !== undefined ? `${name} is open in ${editor.title}` : link }
}
