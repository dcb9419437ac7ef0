/** Help texts, from the table of commands. Pure. */
import { formatFields } from '../../lib/report/tables.ts'
import type { Command } from './command.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './table.ts'

export function helpFor(command: Command | undefined): string {
  return command === undefined ? overview() : commandHelp(command)
}

function overview(): string {
  const commands = COMMANDS.filter(({ hidden }) => hidden !== true)
  return [
    'nexus: one command gives a git branch its own worktree, running compose stack, ports and SSH door.',
    '',
    'Usage: nexus <command> [options]      (`nexus workspace <command>` and `nexus ws <command>` are the same)',
    '',
    'Commands:',
    formatFields(commands.map((command) => [[command.name, ...(command.aliases ?? [])].join(', '), command.summary])),
    '',
    'Options of every command:',
    formatFields(GLOBAL_OPTIONS.map(({ flag, text }) => [flag, text])),
    '',
    'Example:\n  nexus up feature-auth && nexus ssh feature-auth',
    '',
    'To see one command with its options, run `nexus help <command>`.',
  ].join('\n')
}

export function usageLine(command: Command): string {
  if (command.usage !== undefined) return `nexus ${command.name} ${command.usage}`
  const args = command.args.map(({ name, optional, many }) => {
    const word = many ? `${name}...` : name
    return optional ? `[${word}]` : `<${word}>`
  })
  return ['nexus', command.name, ...args, '[options]', ...(command.takesCommand ? ['--', '<command>'] : [])].join(' ')
}

function commandHelp(command: Command): string {
  const options = [...command.options, ...GLOBAL_OPTIONS]
  return [
    `${command.summary}.`.replace(/^./, (letter) => letter.toUpperCase()),
    '',
    `Usage: ${usageLine(command)}`,
    ...(command.aliases === undefined ? [] : [`Also:  ${command.aliases.map((alias) => `nexus ${alias}`).join(', ')}`]),
    ...(command.args.length === 0 ? [] : ['', formatFields(command.args.map(({ name, text }) => [`<${name}>`, text]))]),
    '',
    'Options:',
    formatFields(options.map(({ flag, text }) => [flag, text])),
    '',
    `Example:\n  ${command.example}`,
  ].join('\n')
}
