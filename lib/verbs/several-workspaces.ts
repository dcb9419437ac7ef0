/** exec in several workspaces at once: prefixed output, and a table of exit codes on stderr. */
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { createPrefixer, prefixesOf } from '../report/prefixed.ts'
import { formatTable } from '../report/tables.ts'
import type { Answer, Call } from '../verb-form/verb.ts'
import { execAll, type Ran, STREAMS, type StreamName } from '../workspace/exec/exec-all.ts'

/** What `exec` was asked for. */
interface ExecInput {
  readonly name: string | undefined
  readonly all: boolean
  readonly everywhere: boolean
  readonly jobs: string | undefined
  readonly tty: boolean
  readonly repo: string | undefined
}

export const JOBS = 8

export async function execSeveral(
  call: Call,
  input: ExecInput,
  cwd: string | null,
  env: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { name: names, everywhere } = input
  const isAll = input.all || everywhere
  if (isAll && names !== undefined) throw call.usage('`nexus exec` takes either names or --all.')
  if (input.tty) throw call.usage('`nexus exec` has one terminal to give, not one for each workspace.')
  const records = isAll ? await listAll(call, input) : await listNamed(call, names ?? '', input.repo)
  const labels = labelsOf(records)
  const request = { records, argv: call.rest, cwd, env, jobs: parseJobs(input.jobs) }
  const output = call.json ? {} : { onOutput: createOutput(call, labels) }
  const { ran, interrupted } = await execAll(call.app, { ...request, ...output })
  if (!call.json) for (const text of tableOf(ran, labels)) call.app.emit({ type: 'notice', text })
  if (interrupted !== undefined) throw interrupted
  if (isAll && ran.every(({ state }) => state !== 'running')) throw nothingRuns(everywhere)
  // one that was named must run; of all, those that are stopped are left out
  const isFine = (one: Ran) => one.exitCode === 0 || (isAll && one.state !== 'running')
  return { data: { results: ran.map(resultOf) }, text: '', exitCode: ran.every(isFine) ? 0 : 1 }
}

async function listAll(call: Call, { everywhere, repo: given }: ExecInput): Promise<readonly WorkspaceRecord[]> {
  const records = await call.app.records.list()
  if (everywhere) return records
  const { root } = await call.repository(given)
  return records.filter(({ repo }) => repo === root)
}

async function listNamed(call: Call, names: string, repo: string | undefined): Promise<readonly WorkspaceRecord[]> {
  const given = [...new Set(names.split(',').filter((name) => name !== ''))]
  const records = await Promise.all(given.map((name) => call.workspace(name, repo)))
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

export function resultOf({ record, state, exitCode, why, stdout, stderr, cut }: Ran) {
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

function nothingRuns(everywhere: boolean): NexusError {
  return new NexusError('WORKSPACE_NOT_FOUND', `No workspace${everywhere ? '' : ' of this repository'} runs.`, {
    hint: `To see what there is, run \`nexus list${everywhere ? ' --all' : ''}\``,
  })
}
