/** logs: a line for each line, as it comes. An interrupt ends it at once: there is nothing to undo. */
import { styleText } from 'node:util'
import type { Endpoints } from '../api/kit.ts'
import type { LogEntry } from '../core/status.ts'
import { flag, option, type Values, words } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'

const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const
/** Written at once while lines come faster than they are taken. */
const PIECE_CHARACTERS = 64 * 1024
const ANSWER: Answer = { data: null, text: '', exitCode: 0 }
/** Characters of one answer over HTTP, and lines when none are asked for. */
const LOGS_MAX = 4 * 1024 * 1024
const DEFAULT_TAIL = 1_000

const fields = {
  name: NAME,
  services: words('only these services', { as: 'service', optional: true }),
  follow: flag('go on over stops and restarts until interrupted', { short: 'f' }),
  tail: option('lines', 'only the last lines of each service; all: every one, as without it'),
  since: option('time', 'only from then on: 10m, or 2026-11-26T08:00:00Z'),
  timestamps: flag('with the time of each line'),
  hooks: flag('what its hooks have said instead'),
  repo: REPO,
}
type Input = Values<typeof fields>

const logs = verb({
  name: 'logs',
  group: 'everyday',
  effect: 'looks',
  summary: 'show the logs of a workspace, also of one that is stopped',
  fields,
  example: 'nexus logs feature-auth --tail 20',
  passesSignals: true,
  run: async (call, input) => {
    const { name, services, follow, tail, since, hooks, repo } = input
    const { readHookLogs, readLogs } = await import('../workspace/status/logs.ts')
    const record = await call.workspace(name, repo)
    const entries = hooks
      ? await readHookLogs(call.app, record, tail)
      : await readLogs(call.app, record, { services, follow, tail, since })
    await writeAll(call, input, entries)
    return ANSWER
  },
})

/** Until there are no more, or nobody reads them. */
async function writeAll(
  call: Call,
  input: Input,
  entries: AsyncIterable<LogEntry> | readonly LogEntry[],
): Promise<void> {
  const format = call.json ? (entry: LogEntry) => JSON.stringify(entry) : createFormat(call, input)
  let waiting = ''
  let idle: NodeJS.Immediate | undefined
  let closed = false
  const flush = async () => {
    if (idle !== undefined) clearImmediate(idle)
    idle = undefined
    const text = waiting
    waiting = ''
    if (text !== '' && !(await call.print('stdout', text))) closed = true
  }
  for await (const entry of entries) {
    waiting += `${format(entry)}\n`
    if (waiting.length >= PIECE_CHARACTERS) await flush()
    if (closed) return
    idle ??= setImmediate(flush)
  }
  await flush()
}

/** `web  | listening`, the names as wide as the widest so far. */
function createFormat(call: Call, { services, timestamps }: Input): (entry: LogEntry) => string {
  const colour = call.stdoutIsTerminal && (call.app.env.NO_COLOR ?? '') === ''
  const paints = new Map<string, (typeof COLOURS)[number]>()
  let wide = services.length === 1 ? 0 : 'workspace'.length
  return ({ service, time, text }) => {
    const paint = paints.get(service) ?? COLOURS[paints.size % COLOURS.length] ?? 'cyan'
    paints.set(service, paint)
    wide = Math.max(wide, service.length)
    const prefix = `${service.padEnd(wide)} |`
    const told = timestamps ? ` ${time}` : ''
    return `${colour ? styleText(paint, prefix, { validateStream: false }) : prefix}${told} ${text}`
  }
}

async function collect(entries: AsyncIterable<LogEntry>) {
  const collected: LogEntry[] = []
  let size = 0
  let truncated = false
  for await (const entry of entries) {
    collected.push(entry)
    size += entry.text.length
    while (size > LOGS_MAX && collected.length > 1) {
      size -= collected.shift()?.text.length ?? 0
      truncated = true
    }
  }
  return { logs: collected, truncated }
}

export const verbs = [logs]

export const endpoints: Endpoints = (kit) => {
  const { z, endpoint, queryFlag, idParams, logEntrySchema, repoSchema: repo, text } = kit
  return [
    endpoint({
      method: 'get',
      path: '/workspaces/{id}/logs',
      operationId: 'getLogs',
      tag: 'inside',
      summary: 'Show the last lines that a workspace logged, or follow them',
      description:
        'With `follow=true` the answer is text that goes on until the client goes, or nothing more can come.',
      verbs: ['logs'],
      params: idParams,
      query: z.strictObject({
        repo,
        service: text('Only this service', 200).optional(),
        tail: z
          .string()
          .regex(/^\d{1,6}$/)
          .optional()
          .openapi({
            type: 'integer',
            minimum: 0,
            maximum: 999_999,
            description: `Lines from the end; default ${DEFAULT_TAIL}`,
          }),
        since: text('Only what was said since: `10m`, or a time', 40).optional(),
        hooks: queryFlag('What hooks have said instead'),
        follow: queryFlag('Go on with what is logged from now on'),
      }),
      media: ['application/json', 'application/x-ndjson'],
      answer: z
        .object({
          logs: z.array(logEntrySchema),
          truncated: z.boolean().openapi({ description: 'Older lines are left out' }),
        })
        .openapi('Logs'),
      example: {
        logs: [{ service: 'web', stream: 'stdout', time: '2026-11-23T08:00:04Z', text: 'listening on 3000' }],
        truncated: false,
      },
      run: async (asked) => {
        const { app, query } = asked
        const { readHookLogs, readLogs } = await import('../workspace/status/logs.ts')
        const record = await kit.workspaceOf(asked)
        const tail = query.tail ?? String(DEFAULT_TAIL)
        if (query.hooks === true) return { logs: await readHookLogs(app, record, tail), truncated: false }
        const services = query.service === undefined ? [] : [query.service]
        const follow = query.follow === true
        const entries = await readLogs(app, record, { services, follow, tail, since: query.since })
        if (!follow) return collect(entries)
        const { Streamed } = await import('../api/answers.ts')
        const { logsStream } = await import('../api/logs-stream.ts')
        return new Streamed('application/x-ndjson', logsStream(entries))
      },
    }),
  ]
}
