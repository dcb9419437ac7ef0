/**
 * The variables that docker, compose and their builders get: what they need, and what the user lets through by name
 * (`env.pass`). A project's files could read all others. Pure.
 */

const KEPT =
  /^(PATH|HOME|USER|LANG|LC_ALL|TMPDIR|XDG_RUNTIME_DIR|DOCKER_.*|BUILDKIT_.*|BUILDX_.*|SSL_CERT_(FILE|DIR)|(http|https|no|all|ftp)_proxy)$/i

type Variables = Readonly<Record<string, string | undefined>>

/** Changes to the inherited environment: everything else is taken away. */
export function projectEnvironment(env: Variables, pass: readonly string[]): Variables {
  return Object.fromEntries(
    Object.keys(env).map((name) => [name, KEPT.test(name) || pass.includes(name) ? env[name] : undefined]),
  )
}

/** A line of an env file that everybody reads alike: `NAME=value`, perhaps in quotes; undefined for any other. */
export function parsePlainLine(line: string): readonly [name: string, value: string] | undefined {
  const match =
    /^(?:export )?([A-Za-z_]\w*)=(?:"([^"'`$\\\uFFFD]*)"|'([^"'`$\\\uFFFD]*)'|([^\s"'`$\\#\uFFFD]*))\s*$/.exec(line)
  const [, name, ...values] = match ?? []
  return name === undefined ? undefined : [name, values.find((value) => value !== undefined) ?? '']
}

/** The variables of an env file's plain lines; what its other lines set is not known. */
export function plainVariables(text: string): ReadonlyMap<string, string> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  return new Map(lines.map(parsePlainLine).filter((plain) => plain !== undefined))
}
