/** exec in several workspaces at once: prefixed output, and a table of exit codes on stderr. */
import { NexusError } from '../../lib/core/errors.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { createPrefixer, prefixesOf } from '../../lib/report/prefixed.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { execAll, type Ran, STREAMS, type StreamName } from '../../lib/workspace/inside/exec-all.ts'
import { findRepo, requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call } from './command.ts'
import { usage } from './parse.ts'
import { COMMANDS } from './table.ts'

const JOBS = 8

export async function execSeveral(
  call: Call,
  cwd: string | null,
  env: Readonly<Record<string, string>>,
): Promise<Answer> {
  const [names] = call.args
  const isAll = call.flag('all') || call.flag('everywhere')
  if (isAll && names !== undefined) throw refuse('`nexus exec` takes either names or --all.')
  if (call.flag('tty')) throw refuse('`nexus exec` has one terminal to give, not one for each workspace.')
  const records = isAll ? await listAll(call) : await listNamed(call, names ?? '')
  const labels = labelsOf(records)
  const { ran, interrupted } = await execAll(call.app, {
    ...{ records, argv: call.rest, cwd, env, jobs: parseJobs(call.value('jobs')) },
    ...(call.json ? {} : { onOutput: createOutput(call, labels) }),
  })
  if (!call.json) for (const text of tableOf(ran, labels)) call.app.emit({ type: 'notice', text })
  if (interrupted !== undefined) throw interrupted
  if (isAll && ran.every(({ state }) => state !== 'running')) throw nothingRuns(call)
  // one that was named must run; of all, those that are stopped are left out
  const isFine = (one: Ran) => one.exitCode === 0 || (isAll && one.state !== 'running')
  return { data: { results: ran.map(resultOf) }, text: '', exitCode: ran.every(isFine) ? 0 : 1 }
}

async function listAll(call: Call): Promise<readonly WorkspaceRecord[]> {
  const records = await call.app.records.list()
  if (call.flag('everywhere')) return records
  const { root } = await findRepo(call.app, call.value('repo'))
  return records.filter(({ repo }) => repo === root)
}

async function listNamed(call: Call, names: string): Promise<readonly WorkspaceRecord[]> {
  const given = [...new Set(names.split(',').filter((name) => name !== ''))]
  const records = await Promise.all(given.map((name) => requireWorkspace(call.app, name, call.value('repo'))))
  return [...new Map(records.map((record) => [record.id, record])).values()]
}

/** Names, with the project where one name is in two repositories. */
function labelsOf(records: readonly WorkspaceRecord[]): readonly string[] {
  const isTwice = ({ name }: WorkspaceRecord) => records.filter((one) => one.name === name).length > 1
  return records.map((record) => (isTwice(record) ? `${record.project}/${record.name}` : record.name))
}

function createOutput(call: Call, labels: readonly string[]) {
  const plain = (call.app.env.NO_COLOR ?? '') !== ''
  const isTerminal = { stdout: call.stdoutIsTerminal, stderr: call.stderrIsTerminal }
  const prefixers = Object.fromEntries(
    STREAMS.map((name) => [name, prefixesOf(labels, isTerminal[name] && !plain).map(createPrefixer)]),
  )
  return async (index: number, stream: StreamName, chunk: Buffer | null): Promise<boolean> => {
    const prefixer = prefixers[stream]?.[index]
    const text = chunk === null ? prefixer?.rest() : prefixer?.add(chunk)
    return text === undefined || text.length === 0 || (await call.print(stream, text))
  }
}

function tableOf(ran: readonly Ran[], labels: readonly string[]): readonly string[] {
  const rows = ran.map(({ exitCode, why, ms, state }, i) => [
    labels[i] ?? '',
    exitCode === null ? '-' : String(exitCode),
    exitCode === null ? `${state === 'running' ? 'failed' : 'skipped'}: ${why}` : `${(ms / 1000).toFixed(1)} s`,
  ])
  return formatTable(['NAME', 'CODE', 'TIME'], rows).split('\n')
}

function resultOf({ record, state, exitCode, why, stdout, stderr, cut }: Ran) {
  const { id, name, repo } = record
  return { id, name, repo, state, exitCode, why, stdout, stderr, truncated: cut }
}

function parseJobs(text: string | undefined): number {
  if (text === undefined) return JOBS
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new NexusError('INVALID_ARGUMENT', `--jobs ${JSON.stringify(text)} is not a number from 1 to 99.`, {
    hint: `To run ${JOBS} at a time, leave it out`,
  })
}

function nothingRuns(call: Call): NexusError {
  const where = call.flag('everywhere') ? '' : ' of this repository'
  return new NexusError('WORKSPACE_NOT_FOUND', `No workspace${where} runs.`, {
    hint: `To see what there is, run \`nexus list${call.flag('everywhere') ? ' --all' : ''}\``,
  })
}

function refuse(message: string): NexusError {
  const command = COMMANDS.find(({ name }) => name === 'exec')
  if (command === undefined) throw new Error('there is a command exec')
  return usage(command, message)
}
