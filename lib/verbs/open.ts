/** open: a workspace in an editor, or its web port in a browser. */
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { flag, option, optionalWord, type Values } from '../verb-form/fields.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, verb } from '../verb-form/verb.ts'
import type { Opening } from '../workspace/ssh/open.ts'

const fields = {
  name: NAME,
  port: optionalWord('with --web: name or number of the port; default: web'),
  in: option('editor', 'code, cursor, windsurf, codium, zed, idea, ...; default: the key editor, or what is there'),
  web: flag('open the URL of a port in a browser'),
  noHooks: NO_HOOKS,
  repo: REPO,
  dryRun: DRY_RUN,
}

const open = verb({
  name: 'open',
  group: 'everyday',
  effect: 'changes',
  summary: 'open a workspace in an editor through its SSH alias, or its web port in a browser; starts it when needed',
  fields,
  example: 'nexus open feature-auth --in cursor --dry-run',
  run: async (call, input) => {
    const { name, port, in: editor, web, repo, dryRun } = input
    const { openInBrowser, openInEditor } = await import('../workspace/ssh/open.ts')
    refuseMixed(input)
    const record = await call.workspace(name, repo)
    const opening = web
      ? await openInBrowser(call.app, record, { port, dryRun })
      : await openInEditor(call.app, record, { editor, dryRun })
    return answer(opening, dryRun)
  },
})

function refuseMixed({ name, port, in: editor, web }: Values<typeof fields>): void {
  if (port !== undefined && !web) {
    throw new NexusError('INVALID_ARGUMENT', `The port ${JSON.stringify(port)} counts only together with --web.`, {
      hint: `To open it in a browser, run \`nexus open ${name} --web ${shellWord(port)}\``,
    })
  }
  if (web && editor !== undefined) {
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

export const verbs = [open]

export const withoutEndpoint = {
  open: 'it opens a window on the user’s screen, where a server has none; GET /workspaces/{id}/ssh has what an editor needs',
}
