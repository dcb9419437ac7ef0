/**
 * Opens a workspace in an editor, through its SSH alias, or its web port in a browser. It is started first when it does not run. An
 * editor that is not on this machine is no failure: its link is the answer then, to be opened where the editor is.
 */
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import type { PortResource, WorkspaceRecord, WorkspaceResource } from '../../core/workspace.ts'
import { resolveHost } from '../../ssh/client/resolved.ts'
import { EDITORS, type Editor, type EditorPlace, editorCalled, requireEditor } from '../../ssh/editors.ts'
import { findProgram } from '../../system/programs.ts'
import type { App } from '../app.ts'
import { start } from '../lifecycle/up.ts'
import { resourceOf } from '../status/list.ts'

/** A program that cannot open anything says so at once; one that goes on is at work. */
const LAUNCH_WAIT_MS = 2_000

export interface Opening {
  readonly workspace: WorkspaceResource
  /** Undefined for a browser. */
  readonly editor: Editor | undefined
  /** What is, or would be, run; undefined without a program for it. */
  readonly argv: readonly string[] | undefined
  /** The same as a link: what to open where the program is. */
  readonly link: string
  readonly opened: boolean
}

/**
 * @throws {NexusError} INVALID_ARGUMENT for an unknown editor; UNSUPPORTED where there is no SSH or no folder to open
 */
export async function openInEditor(
  app: App,
  found: WorkspaceRecord,
  wish: { readonly editor: string | undefined; readonly dryRun: boolean },
): Promise<Opening> {
  const editor = await chooseEditor(app, wish.editor)
  await requireFacet(app, await app.backend(found.backend), 'ssh', 'open')
  const workspace = await running(app, found, wish.dryRun)
  const place = placeOf(workspace)
  const program = findProgram(editor.programs, app.env)
  const argv = program === undefined ? undefined : [program, ...editor.args(place)]
  await tellMissingInclude(app, found.id, place.alias)
  const opened = !wish.dryRun && argv !== undefined && (await launch(app, argv))
  if (argv === undefined) {
    const text = `${editor.title} is not on this machine (no \`${editor.programs.at(-1)}\` on PATH): open the link where it is`
    app.emit({ type: 'notice', text })
  }
  return { workspace, editor, argv, link: editor.link(place), opened }
}

/** @throws {NexusError} INVALID_ARGUMENT for a port without a URL */
export async function openInBrowser(
  app: App,
  found: WorkspaceRecord,
  wish: { readonly port: string | undefined; readonly dryRun: boolean },
): Promise<Opening> {
  // before anything is started, once its ports are known
  if (found.ports.some(({ host }) => host !== null)) requireUrl(await resourceOf(app, found), wish.port)
  const workspace = await running(app, found, wish.dryRun)
  const link = requireUrl(workspace, wish.port)
  const { browserCommand } = await import('../../ssh/browser.ts')
  const argv = browserCommand(link, app.env)
  const opened = !wish.dryRun && argv !== undefined && (await launch(app, argv))
  if (argv === undefined) app.emit({ type: 'notice', text: 'there is no browser here: open the URL where one is' })
  return { workspace, editor: undefined, argv, link, opened }
}

/** As asked, as configured, as the shell's own editor where that is one of them, else the first that is there. */
async function chooseEditor(app: App, asked: string | undefined): Promise<Editor> {
  if (asked !== undefined) return requireEditor(asked, '--in')
  const { editor } = (await app.config()).settings
  if (editor !== undefined) return requireEditor(editor, 'The configuration key editor:')
  const own = [app.env.VISUAL, app.env.EDITOR].map((text) => (text === undefined ? undefined : editorCalled(text)))
  const first = own.find((one) => one !== undefined) ?? EDITORS.find(({ programs }) => findProgram(programs, app.env))
  return first ?? requireEditor('code', '--in')
}

/** Started, resumed or repaired when it does not run; a dry run takes it as it would be. */
async function running(app: App, found: WorkspaceRecord, dryRun: boolean): Promise<WorkspaceResource> {
  if (dryRun) return resourceOf(app, found)
  return resourceOf(app, (await start(app, found, { start: true, dryRun: false })).record)
}

function placeOf({ name, worktree, ssh }: WorkspaceResource): EditorPlace {
  if (worktree !== null && ssh.alias !== null && ssh.port !== null)
    return { alias: ssh.alias, folder: worktree, user: ssh.user, port: ssh.port }
  throw new NexusError(
    'UNSUPPORTED',
    `${name} has no SSH door on this machine that an editor could come through yet.`,
    {
      hint: `To give it one, run \`nexus up ${name}\``,
    },
  )
}

/** Without the include an editor would look for a host of that name in the net. */
async function tellMissingInclude(app: App, id: string, alias: string): Promise<void> {
  const { values, refusal } = await resolveHost(app.runner, [], alias)
  if (values.get('hostkeyalias')?.[0] === `nexus-${id}`) return
  const why =
    refusal === undefined
      ? `your ~/.ssh/config does not lead to ${alias} yet`
      : `ssh refuses your configuration (${refusal})`
  const text = `${why}, so the editor cannot find the workspace: run \`nexus ssh-config install\``
  app.emit({ type: 'warning', text })
}

async function launch(app: App, argv: readonly string[]): Promise<boolean> {
  const code = await app.runner.launch(argv, LAUNCH_WAIT_MS)
  if (code === null || code === 0) return true
  const text = `${argv.map(shellWord).join(' ')} ended with code ${code}: open the link by hand`
  app.emit({ type: 'warning', text })
  return false
}

function requireUrl({ name, ports }: WorkspaceResource, wish: string | undefined): string {
  const port = wish === undefined ? webPort(ports) : ports.find((one) => isMeant(one, wish))
  if (port?.url !== undefined) return port.url
  const rest = ports.filter((one) => one.url !== undefined)
  const list = ports.map((one) => `${one.name} ${one.container}${one.url === undefined ? '' : ` at ${one.url}`}`)
  const what = wish === undefined ? 'no port with a URL' : `no port ${JSON.stringify(wish)} with a URL`
  throw new NexusError('INVALID_ARGUMENT', `${name} has ${what}; its ports: ${list.join(', ')}.`, {
    hint:
      rest[0] === undefined
        ? `To publish one, set it in .nexus/config.yaml and run \`nexus rebuild ${name}\`; to see all, \`nexus ports ${name}\``
        : `To open one, run \`nexus open ${name} --web ${rest[0].name}\``,
    details: { ports: ports.map((one) => one.name) },
  })
}

function webPort(ports: readonly PortResource[]): PortResource | undefined {
  const open = ports.filter(({ url }) => url !== undefined)
  return open.find(({ name }) => name === 'web') ?? open[0]
}

function isMeant({ name, container, host }: PortResource, wish: string): boolean {
  return name === wish || String(container) === wish || String(host) === wish
}
