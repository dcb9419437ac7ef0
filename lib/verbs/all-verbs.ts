/** All verbs, in the order of the reference: what is in a file of this folder is here. */
import { files } from 'folder:verbs'
import type { Verb } from '../verb-form/verb.ts'

/** By name, or by the first word of several; a verb that is not named here comes last. */
const ORDER = [
  ...'up create start stop restart rebuild watch pause resume delete trash repair adopt rename events list'.split(' '),
  ...'status top logs ports ssh exec cp forward tmux current open wake diff log compare pull push merge'.split(' '),
  ...'trust run init doctor gc prune config network'.split(' '),
  'serve',
  'api',
  'api token',
  'serve status',
  'serve stop',
  ...'ssh-config keys version completion complete help'.split(' '),
]

const PLACES = new Map(ORDER.map((name, place) => [name, place]))

function placeOf({ name }: Verb): number {
  return PLACES.get(name) ?? PLACES.get(name.split(' ')[0] ?? '') ?? ORDER.length
}

export const VERBS: readonly Verb[] = files
  .flat()
  .map((verb) => ({ verb, place: placeOf(verb) }))
  .sort((a, b) => a.place - b.place)
  .map(({ verb }) => verb)

/** Verbs whose first word names a workspace. */
export const NAMING_VERBS: readonly string[] = VERBS.filter(
  ({ fields }) => Object.values(fields).find(({ word }) => word === true)?.completes === 'workspaces',
).flatMap(({ name, aliases = [] }) => [name, ...aliases])
