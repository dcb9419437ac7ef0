/** ssh-config install, uninstall, print: one line in the user's own file, shown first, written with consent. */
import { NexusError } from '../../lib/core/errors.ts'
import { printable } from '../../lib/core/visible.ts'
import { aliasFile } from '../../lib/door/alias-file.ts'
import { includeLine } from '../../lib/door/include-line.ts'
import * as sshConfig from '../../lib/workspace/door/ssh-config.ts'
import { listClientFiles } from '../../lib/workspace/door/ssh-doors.ts'
import type { Answer, Call, Run } from './command.ts'

/** Lines of the user's own that a diff shows around the change. */
const CONTEXT_LINES = 3

export const install: Run = (call) => change(call, 'install')
export const uninstall: Run = (call) => change(call, 'uninstall')

const SAID = {
  install: { changed: 'is in', would: 'would be put into', same: 'is in already:' },
  uninstall: { changed: 'is taken out of', would: 'would be taken out of', same: 'is not in' },
} as const

async function change(call: Call, verb: keyof typeof SAID): Promise<Answer> {
  const { app } = call
  const dryRun = call.flag('dry-run')
  // a person who was asked has seen the diff
  let asked = false
  const run = verb === 'install' ? sshConfig.installInclude : sshConfig.uninstallInclude
  const result = await run(app, {
    file: call.value('file'),
    dryRun,
    consent: async (change) => {
      asked = await requireConsent(call, verb, diffOf(change))
    },
  })
  for (const text of result.notes) app.emit({ type: 'warning', text })
  const { file, line, changed } = result
  const diff = result.change === undefined ? '' : diffOf(result.change)
  const said = changed ? (dryRun ? SAID[verb].would : SAID[verb].changed) : SAID[verb].same
  return {
    data: { ...(dryRun ? { dryRun } : {}), file, line, changed, diff, notes: result.notes },
    text: [`${line}\n${said} ${file}`, ...(diff === '' || asked ? [] : [diff])].join('\n'),
  }
}

/**
 * True when a person was asked.
 * @throws {NexusError} APPROVAL_REQUIRED without a yes
 */
async function requireConsent(call: Call, verb: string, diff: string): Promise<boolean> {
  if (call.flag('yes')) return false
  const file = call.value('file')
  const command = `nexus ssh-config ${verb}${file === undefined ? '' : ` --file ${file}`}`
  if (call.json || !call.stdinIsTerminal) {
    throw new NexusError('APPROVAL_REQUIRED', 'Your ssh configuration is changed only when you say so.', {
      hint: `To see the change, run \`${command} --dry-run\`; to make it, run \`${command} --yes\``,
      details: { diff },
    })
  }
  const { ask } = await import('./ask.ts')
  if (await ask(`${diff}\nChange it so? [y/N] `, call.app.interruption.signal)) return true
  throw new NexusError('APPROVAL_REQUIRED', 'Nothing is changed, because you did not say yes.', {
    hint: `To change it, run \`${command}\` again`,
  })
}

/** As `diff -u` shows it; of the user's own lines only the next ones. */
function diffOf({ config, next }: sshConfig.Change): string {
  const [before, after] = [config.text ?? '', next ?? ''].map(linesOf)
  if (before === undefined || after === undefined) return ''
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const show = (sign: string, lines: readonly string[]) => lines.map((line) => `${sign}${readable(line)}`)
  const gone = before.slice(start, before.length - end)
  const come = after.slice(start, after.length - end)
  return [
    `--- ${config.text === undefined ? '/dev/null' : config.path}`,
    `+++ ${next === undefined ? '/dev/null' : config.path}`,
    ...show(' ', before.slice(Math.max(0, start - CONTEXT_LINES), start)),
    ...show('-', gone),
    ...show('+', come),
    ...show(' ', before.slice(before.length - end, before.length - end + CONTEXT_LINES)),
  ].join('\n')
}

/** What ends with a line break has no empty line behind it. */
function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/)
}

function readable(line: string): string {
  return printable(Buffer.from(line, 'latin1').toString('utf8'))
}

export const print: Run = async ({ app }) => {
  const line = includeLine(app.home.sshConfig)
  const config = { path: app.home.sshConfig, text: aliasFile(app.home) }
  const workspaces = await listClientFiles(app)
  const parts = [config, ...workspaces].map(({ path, text }) => `# ---- ${path}\n${text.trimEnd()}`)
  return { data: { line, config, workspaces }, text: [line, ...parts].join('\n\n') }
}
