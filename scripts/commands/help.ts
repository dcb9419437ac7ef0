/** Help texts, from the rows of the verbs. Pure. */
import { capitalized } from '../../lib/core/words.ts'
import { formatFields } from '../../lib/report/tables.ts'
import { GROUPS, type Group, type Verb } from '../../lib/verb-form/verb.ts'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import { GLOBAL_OPTIONS, optionsOf, wordsOf } from './options.ts'

const TITLES: Readonly<Record<Group, string>> = {
  everyday: 'Every day',
  inside: 'Inside a workspace',
  git: 'Git',
  look: 'Look',
  agents: 'Agents',
  care: 'Care',
  configuration: 'Configuration',
}

export function helpFor(verb: Verb | undefined): string {
  return verb === undefined ? overview() : verbHelp(verb)
}

function overview(): string {
  const nameOf = ({ name, aliases = [] }: Verb) => [name, ...aliases].join(', ')
  const visible = VERBS.filter(({ hidden }) => hidden !== true)
  const wide = Math.max(...visible.map((verb) => nameOf(verb).length))
  const groups = GROUPS.flatMap((group) => {
    const own = visible.filter((verb) => verb.group === group)
    return [`${TITLES[group]}:`, formatFields(own.map((verb) => [nameOf(verb).padEnd(wide), verb.summary])), '']
  })
  return [
    'nexus: one command gives a git branch its own worktree, running compose stack, ports and SSH access.',
    '',
    'Usage: nexus <command> [options]      (`nexus workspace <command>` and `nexus ws <command>` are the same)',
    '',
    ...groups,
    'Options of every command:',
    formatFields(GLOBAL_OPTIONS.map(({ flag, text }) => [flag, text])),
    '',
    'Example:\n  nexus up feature-auth && nexus ssh feature-auth',
    '',
    'To see one command with its options, run `nexus help <command>`.',
  ].join('\n')
}

export function usageLine(verb: Verb): string {
  if (verb.usage !== undefined) return `nexus ${verb.name} ${verb.usage}`
  const args = wordsOf(verb).map(({ name, optional, many }) => {
    const word = many ? `${name}...` : name
    return optional ? `[${word}]` : `<${word}>`
  })
  return ['nexus', verb.name, ...args, '[options]', ...(verb.takesCommand ? ['--', '<command>'] : [])].join(' ')
}

function verbHelp(verb: Verb): string {
  const { summary, aliases, example } = verb
  const words = wordsOf(verb)
  const options = [...optionsOf(verb), ...GLOBAL_OPTIONS]
  return [
    `${capitalized(summary)}.`,
    '',
    `Usage: ${usageLine(verb)}`,
    ...(aliases === undefined ? [] : [`Also:  ${aliases.map((alias) => `nexus ${alias}`).join(', ')}`]),
    ...(words.length === 0 ? [] : ['', formatFields(words.map(({ name, text }) => [`<${name}>`, text]))]),
    '',
    'Options:',
    formatFields(options.map(({ flag, text }) => [flag, text])),
    '',
    `Example:\n  ${example}`,
  ].join('\n')
}
