/** completion and complete: each script asks `nexus complete` for candidates, so that names are live and no list is kept twice. */
import { NexusError } from '../core/errors.ts'
import { findHere } from '../tools/repository.ts'
import { word } from '../verb-form/fields.ts'
import { type Call, type CommandLine, type Verb, verb } from '../verb-form/verb.ts'

const BASH = `# nexus completion for bash: source <(nexus completion bash)
_nexus() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(nexus complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _nexus nexus
`

const ZSH = `#compdef nexus
# nexus completion for zsh: source <(nexus completion zsh)
_nexus() {
  local -a candidates
  candidates=("\${(@f)$(nexus complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "\${candidates[1]}" ]] && compadd -- "\${candidates[@]}"
}
compdef _nexus nexus
`

const FISH = `# nexus completion for fish: nexus completion fish | source
function __nexus_complete
    set -l words (commandline -opc) (commandline -ct)
    nexus complete -- $words[2..-1] 2>/dev/null
end
complete -c nexus -f -a '(__nexus_complete)'
`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

const SHELLS: readonly string[] = Object.keys(SCRIPTS)

const completion = verb({
  name: 'completion',
  group: 'configuration',
  effect: 'looks',
  summary: 'print the completion script for a shell',
  fields: { shell: word('bash, zsh or fish', { completes: 'shells' }) },
  example: 'nexus completion bash',
  run: async (_call, { shell }) => {
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script !== undefined) return { data: { shell, script }, text: script }
    const message = `There is no completion for ${JSON.stringify(shell)}; known are ${SHELLS.join(', ')}.`
    throw new NexusError('INVALID_ARGUMENT', message, {
      hint: 'To use it in bash, run `source <(nexus completion bash)`',
    })
  },
})

const complete = verb({
  name: 'complete',
  group: 'configuration',
  effect: 'looks',
  hidden: true,
  summary: 'print what may follow the given words; the completion scripts call it',
  fields: {},
  takesCommand: true,
  example: 'nexus complete -- status',
  // candidates for the last of the given words, one per line
  run: async (call) => {
    const words = ['workspace', 'ws'].includes(call.rest[0] ?? '') ? call.rest.slice(1) : call.rest
    const last = words.at(-1) ?? ''
    const candidates = (await candidatesFor(call, words)).filter((candidate) => candidate.startsWith(last))
    return { data: { candidates }, text: candidates.join('\n') }
  },
})

async function candidatesFor(call: Call, words: readonly string[]): Promise<readonly string[]> {
  const { find, optionNames } = call.cli as CommandLine
  const visible = call.verbs.filter(({ hidden }) => hidden !== true)
  if (words.length <= 1) {
    return [
      ...new Set(visible.flatMap(({ name, aliases = [] }) => [name.split(' ')[0] ?? name, ...aliases])),
      'workspace',
      'ws',
    ]
  }
  const pair = find(words.slice(0, 2).join(' '))
  const row = pair ?? find(words[0] ?? '')
  if (row === undefined) {
    return visible.filter(({ name }) => name.startsWith(`${words[0]} `)).map(({ name }) => name.split(' ')[1] ?? '')
  }
  if (words.at(-1)?.startsWith('-')) return optionNames(row).map((name) => `--${name}`)
  return completeWord(call, row, words.length - (pair === undefined ? 2 : 3))
}

async function workspaceNames(call: Call): Promise<readonly string[]> {
  const repo = findHere(call.cwd)?.root
  const records = await call.app.records.list()
  const here = records.filter((record) => record.repo === repo)
  return (here.length > 0 ? here : records).map((record) => record.name)
}

async function completeWord(call: Call, { fields }: Verb, position: number): Promise<readonly string[]> {
  const places = Object.values(fields).filter(({ word: isWord }) => isWord === true)
  const last = places.at(-1)
  const field = places[position] ?? (last?.many === true ? last : undefined)
  switch (field?.completes) {
    case 'workspaces':
      return workspaceNames(call)
    case 'places':
      // where no name fits, the shell completes files
      return (await workspaceNames(call)).map((name) => `${name}:`)
    case 'keys':
      return (await import('../config/describe.ts')).settingKeys()
    case 'shells':
      return SHELLS
    case 'trash': {
      const { listTrash } = await import('../workspace/trash/trash.ts')
      return [...new Set((await listTrash(call.app)).map(({ record }) => record.name))]
    }
    default:
      return []
  }
}

export const verbs = [completion, complete]

export const withoutEndpoint = {
  completion: 'a script for the user’s own shell',
  complete: 'it completes words in that shell',
}
