/** help: what there is, and how one verb is used. */
import { optionalWord } from '../verb-form/fields.ts'
import { type CommandLine, verb } from '../verb-form/verb.ts'

const help = verb({
  name: 'help',
  group: 'configuration',
  effect: 'looks',
  summary: 'show what there is, or how one command is used',
  fields: { command: optionalWord('a command'), verb: optionalWord('its second word') },
  example: 'nexus help up',
  run: async ({ cli }, { command, verb: second }) => {
    const { find, help: helpFor, unknown } = cli as CommandLine
    const words = [command, second].filter((word) => word !== undefined)
    if (words.length === 0) return { data: {}, text: helpFor(undefined) }
    const row = find(words.join(' ')) ?? find(words[0] ?? '')
    if (row === undefined) throw unknown(words)
    return { data: {}, text: helpFor(row) }
  },
})

export const verbs = [help]

export const withoutEndpoint = {
  help: 'GET /openapi.json is the help here',
}
