/**
 * Env files (`.env`): the one reader. Docker, compose and programs read some lines differently, so each caller says how sure it must be:
 * names of compose files are taken from any line, values that decide what is approved only from plain lines. Pure.
 */

/** `NAME=value`, perhaps after `export`, in quotes, or before a comment. */
const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^#]*?))\s*(?:#.*)?$/
/** Every reader reads this alike: nothing in it is expanded, escaped or cut off. */
const PLAIN = /^(?:export )?([A-Za-z_]\w*)=(?:"([^"'`$\\\uFFFD]*)"|'([^"'`$\\\uFFFD]*)'|([^\s"'`$\\#\uFFFD]*))\s*$/

/** The variables of all lines, as far as file names need it. */
export function parseDotenv(text: string): ReadonlyMap<string, string> {
  return variablesOf(text, LINE)
}

/** The variables of the plain lines; what the other lines set is not known. */
export function plainVariables(text: string): ReadonlyMap<string, string> {
  return variablesOf(text, PLAIN)
}

/** The variables of a file whose lines are plain, blank or comments; undefined for any other file. */
export function parsePlainEnv(text: string): ReadonlyMap<string, string> | undefined {
  const said = linesOf(text).filter((line) => !/^\s*(#.*)?$/.test(line))
  return said.every((line) => PLAIN.test(line)) ? variablesOf(text, PLAIN) : undefined
}

function variablesOf(text: string, pattern: RegExp): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  for (const line of linesOf(text)) {
    const [, name, ...values] = pattern.exec(line) ?? []
    if (name !== undefined) variables.set(name, values.find((value) => value !== undefined) ?? '')
  }
  return variables
}

function linesOf(text: string): readonly string[] {
  return text.replace(/^\uFEFF/, '').split(/\r?\n/)
}
