/** logs: a line for each line, as it comes. An interrupt ends it at once: there is nothing to undo. */
import { styleText } from 'node:util'
import type { LogEntry } from '../../lib/core/status.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import { readHookLogs, readLogs } from '../../lib/workspace/look/logs.ts'
import type { Answer, Call, Run } from './command.ts'

const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const
/** Written at once while lines come faster than they are taken. */
const PIECE_CHARACTERS = 64 * 1024
const ANSWER: Answer = { data: null, text: '', exitCode: 0 }

export const logs: Run = async (call) => {
  const [name = '', ...services] = call.args
  const record = await requireWorkspace(call.app, name, call.value('repo'))
  const [tail, since] = [call.value('tail'), call.value('since')]
  if (call.flag('hooks')) {
    await writeAll(call, await readHookLogs(call.app, record, tail))
    return ANSWER
  }
  const entries = await readLogs(call.app, record, { services, follow: call.flag('follow'), tail, since })
  await writeAll(call, entries)
  return ANSWER
}

/** Until there are no more, or nobody reads them. */
async function writeAll(call: Call, entries: AsyncIterable<LogEntry> | readonly LogEntry[]): Promise<void> {
  const format = call.json ? (entry: LogEntry) => JSON.stringify(entry) : createFormat(call)
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
function createFormat(call: Call): (entry: LogEntry) => string {
  const colour = call.stdoutIsTerminal && (call.app.env.NO_COLOR ?? '') === ''
  const paints = new Map<string, (typeof COLOURS)[number]>()
  let wide = call.args.length === 2 ? 0 : 'workspace'.length
  return ({ service, time, text }) => {
    const paint = paints.get(service) ?? COLOURS[paints.size % COLOURS.length] ?? 'cyan'
    paints.set(service, paint)
    wide = Math.max(wide, service.length)
    const prefix = `${service.padEnd(wide)} |`
    const told = call.flag('timestamps') ? ` ${time}` : ''
    return `${colour ? styleText(paint, prefix, { validateStream: false }) : prefix}${told} ${text}`
  }
}
