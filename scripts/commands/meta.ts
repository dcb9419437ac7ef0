/** version, help, completion: what Nexus says about itself. */
import { toolVersions } from '../../lib/backends/registry.ts'
import { NexusError } from '../../lib/core/errors.ts'
import { formatFields } from '../../lib/report/tables.ts'
import { findHere } from '../../lib/tools/repository.ts'
import { type Call, type Command, optionName, type Run } from './command.ts'
import { completionScript, SHELLS } from './completion.ts'
import { helpFor } from './help.ts'
import { findCommand, unknownCommand } from './parse.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './table.ts'

export const version: Run = async (call) => {
  const data = { version: call.version, node: process.versions.node, ...(await toolVersions(call.app)) }
  const fields = Object.entries(data)
    .slice(1)
    .map(([name, value]) => [name, value ?? 'does not answer'] as const)
  return { data, text: `nexus ${call.version}\n${formatFields(fields)}` }
}

export const help: Run = async (call) => {
  const words = call.args.filter((word) => word !== undefined && word !== 'undefined')
  if (words.length === 0) return { data: {}, text: helpFor(undefined) }
  const command = findCommand(words.join(' ')) ?? findCommand(words[0] ?? '')
  if (command === undefined) throw unknownCommand(words)
  return { data: {}, text: helpFor(command) }
}

export const completion: Run = async (call) => {
  const shell = call.args[0] ?? ''
  const script = completionScript(shell)
  if (script === undefined) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      `There is no completion for ${JSON.stringify(shell)}; known are ${SHELLS.join(', ')}.`,
      {
        hint: 'To use it in bash, run `source <(nexus completion bash)`',
      },
    )
  }
  return { data: { shell, script }, text: script }
}

/** Candidates for the last of the given words, one per line. */
export const complete: Run = async (call) => {
  const words = ['workspace', 'ws'].includes(call.rest[0] ?? '') ? call.rest.slice(1) : call.rest
  const last = words.at(-1) ?? ''
  const candidates = (await candidatesFor(call, words)).filter((candidate) => candidate.startsWith(last))
  return { data: { candidates }, text: candidates.join('\n') }
}

async function candidatesFor(call: Call, words: readonly string[]): Promise<readonly string[]> {
  const visible = COMMANDS.filter(({ hidden }) => hidden !== true)
  if (words.length <= 1) {
    return [
      ...new Set(visible.flatMap(({ name, aliases = [] }) => [name.split(' ')[0] ?? name, ...aliases])),
      'workspace',
      'ws',
    ]
  }
  const pair = findCommand(words.slice(0, 2).join(' '))
  const command = pair ?? findCommand(words[0] ?? '')
  if (command === undefined) {
    return visible.filter(({ name }) => name.startsWith(`${words[0]} `)).map(({ name }) => name.split(' ')[1] ?? '')
  }
  if (words.at(-1)?.startsWith('-'))
    return [...command.options, ...GLOBAL_OPTIONS].map((option) => `--${optionName(option)}`)
  const position = words.length - (pair === undefined ? 2 : 3)
  return completeArg(call, command, position)
}

async function workspaceNames(call: Call): Promise<readonly string[]> {
  const repo = findHere(call.cwd)?.root
  const records = await call.app.records.list()
  const here = records.filter((record) => record.repo === repo)
  return (here.length > 0 ? here : records).map((record) => record.name)
}

async function completeArg(call: Call, command: Command, position: number): Promise<readonly string[]> {
  const last = command.args.at(-1)
  const arg = command.args[position] ?? (last?.many === true ? last : undefined)
  switch (arg?.completes) {
    case 'workspaces':
      return workspaceNames(call)
    case 'places':
      // where no name fits, the shell completes files
      return (await workspaceNames(call)).map((name) => `${name}:`)
    case 'keys':
      return (await import('../../lib/config/describe.ts')).settingKeys()
    case 'shells':
      return SHELLS
    case 'trash': {
      const { listTrash } = await import('../../lib/workspace/remove/trash.ts')
      return [...new Set((await listTrash(call.app)).map(({ record }) => record.name))]
    }
    default:
      return []
  }
}
