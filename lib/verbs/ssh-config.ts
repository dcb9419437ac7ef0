/** ssh-config install, uninstall, print: one line in the user's own file, shown first, written with consent. */
import type { Endpoint } from '../api/endpoint.ts'
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { printable } from '../core/visible.ts'
import { flag, option, type Values } from '../verb-form/fields.ts'
import { DRY_RUN } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'
import { planned } from '../verb-form/words.ts'
import type { Change } from '../workspace/ssh/ssh-config.ts'

/** Lines of the user's own that a diff shows around the change. */
const CONTEXT_LINES = 3

const SAID = {
  install: { changed: 'is in', would: 'would be put into', same: 'is in already:' },
  uninstall: { changed: 'is taken out of', would: 'would be taken out of', same: 'is not in' },
} as const

const fields = {
  file: option('path', 'this file instead of the ~/.ssh/config that ssh reads; for `ssh -F <path>`', {
    pattern: /^\//,
    http: 'Absolute; default: what ssh reads',
  }),
  yes: flag('change it without asking', { http: 'Needed, as the file is the user’s own; not for a dry run' }),
  dryRun: DRY_RUN,
}
type Input = Values<typeof fields>

const install = verb({
  name: 'ssh-config install',
  group: 'configuration',
  effect: 'changes',
  summary: 'put one Include line at the top of ~/.ssh/config, so that every tool knows <name>.nexus',
  fields,
  example: 'nexus ssh-config install --file ~/.ssh/config --yes',
  run: (call, input) => change(call, 'install', input),
})

const uninstall = verb({
  name: 'ssh-config uninstall',
  group: 'configuration',
  effect: 'changes',
  summary: 'take that line out again; the file is then as it was before',
  fields,
  example: 'nexus ssh-config uninstall --file ~/.ssh/config --yes',
  run: (call, input) => change(call, 'uninstall', input),
})

async function change(call: Call, how: keyof typeof SAID, input: Input): Promise<Answer> {
  const { app } = call
  const { file: given, dryRun } = input
  const { installInclude, uninstallInclude } = await import('../workspace/ssh/ssh-config.ts')
  // a person who was asked has seen the diff
  let asked = false
  const run = how === 'install' ? installInclude : uninstallInclude
  const result = await run(app, {
    file: given,
    dryRun,
    consent: async (wanted) => {
      asked = await requireConsent(call, how, input, diffOf(wanted))
    },
  })
  for (const text of result.notes) app.emit({ type: 'warning', text })
  const { file, line, changed } = result
  const diff = result.change === undefined ? '' : diffOf(result.change)
  const said = changed ? (dryRun ? SAID[how].would : SAID[how].changed) : SAID[how].same
  return {
    data: { ...planned(dryRun), file, line, changed, diff, notes: result.notes },
    text: [`${line}\n${said} ${file}`, ...(diff === '' || asked ? [] : [diff])].join('\n'),
  }
}

/**
 * True when a person was asked.
 * @throws {NexusError} APPROVAL_REQUIRED without a yes
 */
async function requireConsent(call: Call, how: string, { file, yes, dryRun }: Input, diff: string): Promise<boolean> {
  if (yes || (call.http && dryRun)) return false
  const command = `nexus ssh-config ${how}${file === undefined ? '' : ` --file ${file}`}`
  if (call.http) {
    const message = 'The ssh configuration of the user is changed only with `yes` in the body.'
    throw new NexusError('APPROVAL_REQUIRED', message, {
      hint: `To see the change, run \`nexus ssh-config ${how} --dry-run\``,
    })
  }
  if (call.json || !call.stdinIsTerminal) {
    throw new NexusError('APPROVAL_REQUIRED', 'Your ssh configuration is changed only when you say so.', {
      hint: `To see the change, run \`${command} --dry-run\`; to make it, run \`${command} --yes\``,
      details: { diff },
    })
  }
  if ((await call.ask([`${diff}\nChange it so? [y/N] `]))[0] === true) return true
  throw new NexusError('APPROVAL_REQUIRED', 'Nothing is changed, because you did not say yes.', {
    hint: `To change it, run \`${command}\` again`,
  })
}

/** As `diff -u` shows it; of the user's own lines only the next ones. */
function diffOf({ config, next }: Change): string {
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

const print = verb({
  name: 'ssh-config print',
  group: 'configuration',
  effect: 'looks',
  summary: 'print the line, and what the files that it brings in say',
  fields: {},
  example: 'nexus ssh-config print',
  run: async ({ app }) => {
    const { aliasFile } = await import('../ssh/client/alias-file.ts')
    const { includeLine } = await import('../ssh/client/include-line.ts')
    const { listClientFiles } = await import('../workspace/ssh/ssh-targets.ts')
    const line = includeLine(app.home.sshConfig)
    const config = { path: app.home.sshConfig, text: aliasFile(app.home) }
    const workspaces = await listClientFiles(app)
    const parts = [config, ...workspaces].map(({ path, text }) => `# ---- ${path}\n${text.trimEnd()}`)
    return { data: { line, config, workspaces }, text: [line, ...parts].join('\n\n') }
  },
})

export const verbs = [install, uninstall, print]

export const endpoints: Endpoints = ({ z, via, sample }) => {
  const changing = (row: typeof install, how: 'install' | 'uninstall', bodyName: string, summary: string): Endpoint =>
    via(row, {
      http: `POST /ssh-config/${how}`,
      operationId: `${how}SshConfig`,
      tag: 'inside',
      summary,
      quick: true,
      query: ['dryRun'],
      body: ['yes', 'file'],
      bodyName,
      answerOf: ({ diff: _, ...changed }) => changed,
      answer: z.object({
        dryRun: z.literal(true).optional(),
        file: z.string(),
        line: z.string(),
        changed: z.boolean(),
        notes: z.array(z.string()),
      }),
      example: sample.INCLUDED,
    })
  const file = z.object({ path: z.string(), text: z.string() })
  return [
    via(print, {
      http: 'GET /ssh-config',
      operationId: 'getSshConfig',
      tag: 'inside',
      summary: "Show the line for the user's ssh configuration, and the files that it brings in",
      answer: z
        .object({
          line: z.string(),
          config: file,
          workspaces: z.array(file.extend({ aliases: z.array(z.string()), port: z.int().nullable() })),
        })
        .openapi('SshConfig'),
      example: {
        line: 'Include /home/u/.nexus/ssh/config',
        config: { path: '/home/u/.nexus/ssh/config', text: '# made by Nexus' },
        workspaces: [],
      },
    }),
    changing(
      install,
      'install',
      'InstallSshConfig',
      'Put one Include line into the ssh configuration, so that every tool knows <name>.nexus',
    ),
    changing(uninstall, 'uninstall', 'UninstallSshConfig', 'Take that line out of the ssh configuration again'),
  ]
}
