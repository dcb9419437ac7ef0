/** top: what workspaces use at this moment; with --watch again and again on a terminal, until it is interrupted. */
import { NexusError } from '../../lib/core/errors.ts'
import { formatSize } from '../../lib/core/sizes.ts'
import { formatAge } from '../../lib/core/time.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import { type Top, topAll, topOne, type WorkspaceLoad } from '../../lib/workspace/look/top.ts'
import type { Answer, Call, Run, TerminalSize } from './command.ts'
import { repositoryOf } from './look.ts'

const BETWEEN_SCREENS_MS = 1_500
const CLEAR = '\x1b[H\x1b[2J'

export const top: Run = async (call) => {
  const look = await prepare(call)
  if (!call.flag('watch')) return look()
  if (call.json || !call.stdoutIsTerminal) {
    throw new NexusError('INVALID_ARGUMENT', '--watch draws on a terminal, and stdout is none.', {
      hint: 'To see it once, run `nexus top`',
    })
  }
  for (;;) {
    const { text } = await look()
    if (!(await call.print('stdout', `${CLEAR}${fitted(text, call.stdoutSize())}\n`))) return { data: null, text: '' }
    await new Promise((done) => setTimeout(done, BETWEEN_SCREENS_MS))
  }
}

/** Long lines, and processes that find no place, would push the head out of sight. */
export function fitted(text: string, { columns, rows }: TerminalSize): string {
  const lines = text.split('\n').slice(0, rows - 1)
  return lines.map((line) => [...line].slice(0, columns).join('')).join('\n')
}

async function prepare(call: Call): Promise<() => Promise<Answer>> {
  const [name] = call.args
  if (name !== undefined) {
    const record = await requireWorkspace(call.app, name, call.value('repo'))
    return async () => {
      const load = await topOne(call.app, record)
      return { data: load, text: formatOne(load) }
    }
  }
  const repo = await repositoryOf(call)
  return async () => {
    const records = await call.app.records.list()
    const loads = await topAll(
      call.app,
      records.filter((record) => repo === undefined || record.repo === repo),
    )
    const text = loads.length === 0 ? 'no workspace runs' : formatAll(loads, repo === undefined)
    return { data: { workspaces: loads }, text }
  }
}

const TITLES = ['CPU', 'MEMORY', 'PROCESSES', 'RECEIVED', 'SENT', 'UP'] as const

function formatAll(loads: readonly WorkspaceLoad[], withRepo: boolean): string {
  const more = withRepo ? ['REPOSITORY'] : []
  const rows = loads.map((load) => [load.name, ...figures(load), ...(withRepo ? [load.repo] : [])])
  return formatTable(['NAME', ...TITLES, ...more], rows)
}

function formatOne({ services, list, ...all }: Top): string {
  const rows = services.map((load) => [load.name, ...figures(load)])
  const sum = services.length > 1 ? [['all', ...figures(all)]] : []
  const processes = [...list]
    .sort((a, b) => b.cpu - a.cpu || b.memory - a.memory)
    .map((one) => [
      one.service,
      String(one.pid),
      one.user,
      one.cpu.toFixed(1),
      formatSize(one.memory),
      one.elapsed,
      one.command,
    ])
  const table = formatTable(['SERVICE', ...TITLES], [...rows, ...sum])
  return `${table}\n\n${formatTable(['SERVICE', 'PID', 'USER', '%CPU', 'MEMORY', 'UP', 'COMMAND'], processes)}`
}

function figures(load: Pick<WorkspaceLoad, 'cpu' | 'memory' | 'processes' | 'received' | 'sent' | 'since'>) {
  const { cpu, memory, processes, received, sent, since } = load
  return [
    cpu === null ? '?' : `${cpu.toFixed(1)}%`,
    formatSize(memory),
    String(processes ?? '?'),
    formatSize(received),
    formatSize(sent),
    since === null ? '?' : formatAge(since),
  ]
}
