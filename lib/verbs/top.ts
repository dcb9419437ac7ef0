/** top: what workspaces use at this moment; with --watch again and again on a terminal, until it is interrupted. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { formatSize } from '../core/sizes.ts'
import type { TerminalSize } from '../core/terminal-size.ts'
import { formatAge } from '../core/time.ts'
import { formatTable } from '../report/tables.ts'
import { flag } from '../verb-form/fields.ts'
import { MAYBE_NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'
import type { Top, WorkspaceLoad } from '../workspace/status/top.ts'

const BETWEEN_SCREENS_MS = 1_500
const CLEAR = '\x1b[H\x1b[2J'

const top = verb({
  name: 'top',
  group: 'look',
  effect: 'looks',
  summary: 'show what workspaces use: processor, memory, processes; of one, each service and process',
  fields: {
    name: MAYBE_NAME,
    watch: flag('again and again on a terminal, until interrupted'),
    all: flag('of every repository'),
    repo: REPO,
  },
  example: 'nexus top feature-auth',
  passesSignals: true,
  run: async (call, { name, repo, all, watch }) => {
    const look = name === undefined ? lookAtAll(call, await call.scope(repo, all)) : await lookAtOne(call, name, repo)
    if (!watch) return look()
    if (call.json || !call.stdoutIsTerminal) {
      throw new NexusError('INVALID_ARGUMENT', '--watch draws on a terminal, and stdout is none.', {
        hint: 'To see it once, run `nexus top`',
      })
    }
    for (;;) {
      const { text } = await look()
      const screen = `${CLEAR}${fitted(text, call.stdoutSize())}\n`
      if (!(await call.print('stdout', screen))) return { data: null, text: '' }
      await new Promise((done) => setTimeout(done, BETWEEN_SCREENS_MS))
    }
  },
})

/** Long lines, and processes that find no place, would push the head out of sight. */
export function fitted(text: string, { columns, rows }: TerminalSize): string {
  const lines = text.split('\n').slice(0, rows - 1)
  return lines.map((line) => [...line].slice(0, columns).join('')).join('\n')
}

type Look = () => Promise<Answer & { readonly text: string }>

async function lookAtOne(call: Call, name: string, repo: string | undefined): Promise<Look> {
  const record = await call.workspace(name, repo)
  const { topOne } = await import('../workspace/status/top.ts')
  return async () => {
    const load = await topOne(call.app, record)
    return { data: load, text: formatOne(load) }
  }
}

function lookAtAll({ app }: Call, repo: string | undefined): Look {
  return async () => {
    const { topAll } = await import('../workspace/status/top.ts')
    const records = (await app.records.list()).filter((record) => repo === undefined || record.repo === repo)
    const workspaces = await topAll(app, records)
    const text = workspaces.length === 0 ? 'no workspace runs' : formatAll(workspaces, repo === undefined)
    return { data: { workspaces }, text }
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

export const verbs = [top]

export const endpoints: Endpoints = ({ z, via, loadSchema, processSchema, sample }) => [
  via(top, {
    http: 'GET /top',
    operationId: 'listLoads',
    tag: 'inside',
    summary: 'Show what running workspaces use at this moment',
    query: ['repo'],
    answer: z.object({ workspaces: z.array(loadSchema) }).openapi('Loads'),
    example: { workspaces: [sample.LOAD] },
  }),
  via(top, {
    http: 'GET /workspaces/{id}/top',
    operationId: 'getLoad',
    tag: 'inside',
    summary: 'Show what one running workspace uses at this moment, with its processes',
    query: ['repo'],
    answer: loadSchema.extend({ list: z.array(processSchema) }).openapi('LoadWithProcesses'),
    example: {
      ...sample.LOAD,
      list: [
        {
          service: 'workspace',
          pid: 4711,
          user: 'nexus',
          cpu: 1.5,
          memory: 8_388_608,
          elapsed: '01:02',
          command: 'node',
        },
      ],
    },
  }),
]
