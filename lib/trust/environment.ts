/**
 * The variables that a project's files and commands see: who and where the user is, and those that the user names in
 * `env.pass`. Every further variable could be read by the project's files. Pure.
 */
import { escapePattern, joinWords } from '../core/words.ts'
import type { ComposeModel, ComposeService } from '../stack/model.ts'
import { ACCOUNT_VARIABLES, DOCKER_VARIABLES, HOST_VARIABLES } from '../system/environment.ts'
import { withDigest } from './findings.ts'

type Variables = Readonly<Record<string, string | undefined>>

/**
 * For a command of the project's on this machine: changes to the inherited environment, which take everything else
 * away.
 */
export function projectEnvironment(env: Variables, pass: readonly string[]): Variables {
  const isMeant = (name: string) => HOST_VARIABLES.includes(name) || pass.includes(name)
  return Object.fromEntries(Object.keys(env).map((name) => [name, isMeant(name) ? env[name] : undefined]))
}

/** Of this machine, what a project's files may use. */
export function visibleVariables(env: Variables, pass: readonly string[]): Readonly<Record<string, string>> {
  const names = [...ACCOUNT_VARIABLES, ...pass]
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** For compose while it reads a project's files: it gets not even what it needs to reach the engine. */
export function readingEnvironment(env: Variables, pass: readonly string[]): Variables {
  const hidden = Object.fromEntries(DOCKER_VARIABLES.map((name) => [name, undefined]))
  return { ...hidden, ...visibleVariables(env, pass) }
}

/** For compose when it starts what was read: what the user passes, beside what it gets anyway. */
export function startingEnvironment(env: Variables, pass: readonly string[]): Variables {
  const names = pass.filter((name) => !ACCOUNT_VARIABLES.includes(name))
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** Variables without a value in the resolved model: a container shall have that of this machine. */
export function openVariables(model: ComposeModel): readonly string[] {
  return Object.values(model.services).flatMap(({ environment }) => unset(environment))
}

/** A warning of those of `names` that this machine sets for docker and compose, and that the user does not pass. */
export function tellHidden(names: readonly string[], env: Variables, pass: readonly string[]): readonly string[] {
  const hidden = names.filter((name) => isHidden(name, env, pass))
  return tellOf(
    hidden,
    (what, _, them) => `${what}, which this machine keeps from them: to pass ${them}, name ${them} in env.pass`,
  )
}

/** Variables that the files use and that are not set. */
export function tellMissing(names: readonly string[]): readonly string[] {
  const where = 'into .env (in .worktreeinclude where git ignores that)'
  return tellOf(
    names,
    (what, are, them) => `${what}, which ${are} not set: put ${them} ${where}, or name ${them} in env.pass`,
  )
}

/** All in one line, as each of them is mended in the same way. */
function tellOf(all: readonly string[], say: (what: string, are: string, them: string) => string): readonly string[] {
  const names = [...new Set(all)]
  if (names.length === 0) return []
  const [what, are, them] =
    names.length === 1 ? [`variable ${names[0]}`, 'is', 'it'] : [`variables ${joinWords(names, 'and')}`, 'are', 'them']
  return [`the compose files use the ${say(what, are, them)}`]
}

export function isHidden(name: string, env: Variables, pass: readonly string[]): boolean {
  return DOCKER_VARIABLES.includes(name) && env[name] !== undefined && !pass.includes(name)
}

function unset(environment: unknown): readonly string[] {
  return Object.entries(environment ?? {}).flatMap(([name, value]) => (value === null ? [name] : []))
}

/** What Nexus itself gives to compose: values of secrets, which are for the services that the user named. */
const OWN = /^NEXUS_/
/** Before the name of a variable that holds a secret's or a config's value: no program knows such a one. */
const VALUE = 'NEXUS_VALUE_'

/**
 * Prepares a resolved model for compose, which has its own variables in its environment. The project's variables get a
 * prefix that no program knows, so that none of compose's variables fills in for a missing value.
 */
export function withOwnNames(model: ComposeModel): ComposeModel {
  const services = Object.entries(model.services).map(([name, service]) => [name, withoutHidden(service)])
  const named = renameVariables(model, (name) => `${VALUE}${name}`)
  return { ...named, services: Object.fromEntries(services) }
}

/** Such a model with the names that the project gave. */
export function withProjectNames(model: ComposeModel): ComposeModel {
  return renameVariables(model, (name) => (name.startsWith(VALUE) ? name.slice(VALUE.length) : name))
}

function renameVariables(model: ComposeModel, rename: (name: string) => string): ComposeModel {
  const sections = (['secrets', 'configs'] as const).flatMap((key) => {
    const entries = Object.entries(model[key] ?? {}).map(([name, one]) => {
      const { environment } = one
      return [name, typeof environment === 'string' ? { ...one, environment: rename(environment) } : one]
    })
    return model[key] === undefined ? [] : [[key, Object.fromEntries(entries)]]
  })
  return { ...model, ...Object.fromEntries(sections) }
}

function withoutHidden(service: ComposeService): ComposeService {
  const hidden = unset(service.environment).filter((name) => DOCKER_VARIABLES.includes(name) || OWN.test(name))
  if (hidden.length === 0) return service
  const kept = Object.entries(service.environment as object).filter(([name]) => !hidden.includes(name))
  return { ...service, environment: Object.fromEntries(kept) }
}

/** Names of the project's that secrets and configs of such a model take their values from. */
export function valueNames(model: ComposeModel): readonly string[] {
  const all = [model.secrets, model.configs].flatMap((section) => Object.values(section ?? {}))
  return all.flatMap(({ environment }) =>
    typeof environment === 'string' && environment.startsWith(VALUE) ? [environment.slice(VALUE.length)] : [],
  )
}

/** Values by the names under which compose looks them up. */
export function underOwnNames(values: Variables): Variables {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${VALUE}${name}`, value]))
}

/** Shorter values would take ordinary words apart. */
export const VALUE_MIN = 4

/** A text that is shown to people, with the names of variables in place of their values. */
export function hideValues(text: string, variables: ReadonlyMap<string, string>): string {
  const names = new Map([...variables].flatMap(([name, value]) => (value.length < VALUE_MIN ? [] : [[value, name]])))
  if (names.size === 0) return text
  const longest = [...names.keys()].sort((a, b) => b.length - a.length)
  const literals = longest.map(escapePattern)
  return text.replace(new RegExp(`(?<!\\w)(${literals.join('|')})(?!\\w)`, 'g'), (value) => `\${${names.get(value)}}`)
}

/** Hides values in findings, where two different values must never read alike. */
export function hiding(variables: ReadonlyMap<string, string>): (value: string) => string {
  return (value) => {
    const shown = hideValues(value, variables)
    return shown === value ? value : withDigest(shown, value)
  }
}
