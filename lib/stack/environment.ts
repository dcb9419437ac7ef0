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
