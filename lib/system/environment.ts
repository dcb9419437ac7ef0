/**
 * The environment of a child, decided by its program, so that no call can forget it. docker, compose and their builders
 * work in folders that a stranger may have filled: they get the variables of this list and no others, and a git that
 * they start is disarmed.
 *
 * No child gets a relative path in PATH and the like: it could mean a folder of a stranger's worktree.
 */
import { basename, isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from './exec.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Who and where the user is: no secrets, and compose files may use them. */
export const ACCOUNT_VARIABLES: readonly string[] = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'XDG_RUNTIME_DIR',
]

const PROXIES = ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy', 'ftp_proxy']

/** What docker and compose need to find engine, builder and registries; a project's files see none of them. */
export const DOCKER_VARIABLES: readonly string[] = [
  ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'],
  ...[
    'DOCKER_API_VERSION',
    'DOCKER_BUILDKIT',
    'DOCKER_DEFAULT_PLATFORM',
    'DOCKER_CUSTOM_HEADERS',
    'DOCKER_CONTENT_TRUST',
  ],
  ...['BUILDKIT_HOST', 'BUILDX_BUILDER', 'BUILDX_CONFIG', 'BUILDX_NO_DEFAULT_ATTESTATIONS'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', ...PROXIES, ...PROXIES.map((name) => name.toUpperCase())],
]

/** By exact names: a pattern such as `DOCKER_.*` would let passwords through. */
export const HOST_VARIABLES: readonly string[] = [...ACCOUNT_VARIABLES, ...DOCKER_VARIABLES]

/**
 * BuildKit's client asks git about each build context, and the configuration of a repository in there could name any
 * command. It is told not to ask; a git that runs all the same obeys no repository that it merely finds, no hooks and
 * no file system monitor.
 */
export const WITHOUT_GIT: Readonly<Record<string, string>> = {
  BUILDX_GIT_INFO: 'false',
  BUILDX_GIT_LABELS: 'false',
  BUILDX_GIT_CHECK_DIRTY: 'false',
  GIT_CONFIG_COUNT: '3',
  GIT_CONFIG_KEY_0: 'safe.bareRepository',
  GIT_CONFIG_VALUE_0: 'explicit',
  GIT_CONFIG_KEY_1: 'core.fsmonitor',
  GIT_CONFIG_VALUE_1: 'false',
  GIT_CONFIG_KEY_2: 'core.hooksPath',
  GIT_CONFIG_VALUE_2: '/dev/null',
}

/** A folder with a `git` in it that fails: what docker and compose find first. */
const NO_GIT = fileURLToPath(new URL('../compose/no-git', import.meta.url))

/** Folders that programs and their settings come from. */
const FOLDERS =
  /^(HOME|TMPDIR|XDG_(CONFIG|CACHE|DATA|STATE)_HOME|XDG_RUNTIME_DIR|DOCKER_(CONFIG|CERT_PATH)|BUILDX_CONFIG|GIT_CONFIG_(GLOBAL|SYSTEM)|GIT_EXEC_PATH)$/
const DEFAULT_PATH = '/usr/bin:/bin'

/**
 * The variables of `base` that the program in `argv` may have, with `extra` on top.
 * @param extra undefined takes a variable away; a PATH in it is taken as it is, for compose files that the user lets
 * git fetch
 */
export function childEnvironment(
  argv: readonly string[],
  base: NodeJS.ProcessEnv,
  extra: Variables = {},
): Record<string, string> {
  const program = basename(argv[0] ?? '')
  const isCompose = program === 'docker-compose' || (program === 'docker' && argv[1] === 'compose')
  if (!isCompose && program !== 'docker') return cleanEnvironment(withoutRelative(base), extra)
  const isMeant = isCompose ? (name: string) => HOST_VARIABLES.includes(name) : (name: string) => !/^GIT_/.test(name)
  const kept = Object.fromEntries(Object.entries(withoutRelative(base)).filter(([name]) => isMeant(name)))
  const path = extra.PATH === undefined && !NO_GIT.includes(':') ? { PATH: `${NO_GIT}:${kept.PATH}` } : {}
  return cleanEnvironment(kept, { ...extra, ...path, ...WITHOUT_GIT })
}

/** PATH keeps its absolute folders, and a folder that is named relatively is not named. */
export function withoutRelative(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name, value]) => !FOLDERS.test(name) || isAbsolute(value ?? ''))
  const path = (env.PATH ?? DEFAULT_PATH).split(':').filter((folder) => isAbsolute(folder))
  return { ...Object.fromEntries(kept), PATH: path.join(':') || DEFAULT_PATH }
}
