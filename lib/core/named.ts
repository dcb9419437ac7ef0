/**
 * Makes the commands in hints, warnings and answers mean the right workspace from the current folder. Use cases write
 * the bare name, which is exact in the workspace's repository. Where the command is about another repository, this file
 * replaces the name by one that means the workspace here (`shop/x` or the id). Pure.
 */
import { shellWord } from './shell.ts'

/** A workspace that the command is about. */
export interface Named {
  readonly name: string
  readonly repo: string
  /** What names it from the current folder: the bare name in its own repository. */
  readonly word: string
}

/** @param verbs those whose first word names a workspace, as `keys rotate` */
export function nameFromHere(text: string, named: readonly Named[], verbs: readonly string[]): string {
  if (named.every(({ name, word }) => name === word)) return text
  const longestFirst = [...verbs].sort((a, b) => b.length - a.length).join('|')
  const command = new RegExp(`\\bnexus (${longestFirst}) ([a-z0-9][a-z0-9-]*)(?![\\w./@-])`, 'g')
  const replace = (all: string, verb: string, given: string, at: number, span: string) => {
    if (verb !== 'repair' && span.startsWith(' --repo ', at + all.length)) return all
    const words = wordsFor(verb, given, named)
    // which of them was meant is not known here: no shell takes this for a name
    const told = words.length > 1 ? `<${words.join(' or ')}>` : words[0]
    return told === undefined ? all : `nexus ${verb} ${told}`
  }
  const spans = text.split('`')
  return spans.map((span, i) => (i % 2 === 1 ? span.replace(command, replace) : span)).join('`')
}

function wordsFor(verb: string, given: string, named: readonly Named[]): readonly string[] {
  const exact = named.filter(({ name }) => name === given)
  // as `nexus up auth-2`, which would make another one there
  const beside = verb === 'up' && exact.length === 0 ? named.filter(({ name }) => given === `${name}-2`) : []
  const words = [...exact, ...beside].map(({ name, word, repo }) => {
    if (name === word) return given
    if (verb !== 'up') return word
    // it may be gone by then, and its id with it
    return word.endsWith(`/${name}`) ? `${word}${given.slice(name.length)}` : `${given} --repo ${shellWord(repo)}`
  })
  return [...new Set(words)]
}
